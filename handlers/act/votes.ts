/**
 * Wins an election from the sentinels by their own protocol: SENTINEL IS-MASTER-DOWN-BY-ADDR with a candidate's id asks for a vote
 * (sentinel.c, sentinelVoteLeader). A vote for a foreign id also keeps the voter from trying itself for 2 × failover-timeout, and expires by itself.
 */
import { randomBytes } from "node:crypto";
import type { MemberFact } from "../../model/facts.ts";
import { type ActContext, sentinelLink } from "./context.ts";
import { gather } from "./gather.ts";

export type Election =
  | { readonly won: true; readonly epoch: number }
  /** `electing`: somebody else holds the votes of this epoch or a later one */
  | { readonly won: false; readonly electing: boolean; readonly granted: number; readonly epoch: number };

const ROUNDS = 4;
/** A sentinel that fsyncs its file on a busy disk may take this long to answer, ms. */
const VOTE_MS = 400;

/** Asks all `sentinels` for their vote for `epoch` or, where that turns out to be an old one, a later epoch. */
export async function winVotes(
  context: ActContext,
  sentinels: readonly MemberFact[],
  needed: number,
  epoch: number,
): Promise<Election> {
  const candidate = randomBytes(20).toString("hex");
  let asked = epoch;
  let ahead = false;
  let granted = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const sought = asked;
    const votes = (ballots: readonly (Ballot | undefined)[]): number =>
      ballots.filter((ballot) => ballot?.leader === candidate && ballot.epoch === sought).length;
    const asking = sentinels.map((member) => askVote(context, member, sought, candidate));
    const ballots = await gather(asking, (come) => votes(come) >= needed);
    granted = votes(ballots);
    if (granted >= needed) return { won: true, epoch: asked };
    const answered = ballots.filter((ballot) => ballot !== undefined);
    // A foreign leader in the first round is usually the trace of an old election whose epoch we had not heard of (nobody was electing when the facts
    // were read); when we are ahead of all that was told, it is a rival.
    const foreign = answered.some((ballot) => ballot.leader !== candidate && ballot.leader !== "*" && ballot.epoch >= asked);
    if (foreign && ahead) return { won: false, electing: true, granted, epoch: asked };
    // On a busy machine a vote is given and its answer late: whoever is asked again by the same candidate for the same epoch says so at once.
    if (answered.length < needed) continue;
    // Not granted: ours is behind their current epoch, which they don't tell; an hour of failed elections can have taken it far. Go on further ahead.
    asked = Math.max(asked, ...answered.map((ballot) => ballot.epoch)) + 16 ** round;
    ahead = true;
  }
  return { won: false, electing: false, granted, epoch: asked };
}

export interface Ballot {
  readonly leader: string;
  readonly epoch: number;
}

/** Asks one sentinel for its vote; undefined when it can't be asked or does not answer in time. */
export async function askVote(
  context: ActContext,
  member: MemberFact,
  epoch: number,
  candidate: string,
): Promise<Ballot | undefined> {
  const sentinel = member.sentinel;
  const link = sentinelLink(context, member);
  if (sentinel?.state !== "up" || sentinel.master === undefined || link === undefined) return undefined;
  const { ip, port } = sentinel.master.address;
  try {
    const reply = await link.call(["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", ip, String(port), String(epoch), candidate], VOTE_MS);
    if (!Array.isArray(reply)) return undefined;
    return { leader: String(reply[1]), epoch: Number(reply[2]) };
  } catch {
    return undefined;
  }
}
