/**
 * Tells sentinels of a new configuration in their own hello protocol, and asks them back (sentinel.c, sentinelProcessHelloMessage; ADR 0001).
 * A hello is only applied when its epoch is higher than the sentinel's own, so it can never undo a newer election.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Address, MemberFact, Monitored, PeerSeen } from "../../model/facts.ts";
import { flatFields } from "../observe/replies.ts";
import { type ActContext, sentinelLink } from "./context.ts";
import { gather } from "./gather.ts";

const HELLO = "__sentinel__:hello";
const ANSWER_MS = 500;

/** A sentinel as others list it. */
type Peer = Pick<PeerSeen, "ip" | "port" | "runId">;

/**
 * Sends one hello to one sentinel. The apparent sender is another sentinel exactly as the receiver lists it: a wrong tuple would make a ghost.
 * Returns false when it knows no other sentinel, or can't be reached.
 */
export async function sayHello(context: ActContext, member: MemberFact, master: Address, epoch: number): Promise<boolean> {
  const hello = helloTo(context, member, master, epoch);
  const link = sentinelLink(context, member);
  if (hello === undefined || link === undefined) return false;
  return await link.call(hello, ANSWER_MS).then(
    () => true,
    () => false,
  );
}

function helloTo(context: ActContext, { sentinel }: MemberFact, master: Address, epoch: number): string[] | undefined {
  const peer =
    sentinel?.state === "up" ? sentinel.master?.sentinels.find(({ runId, ip }) => runId !== "" && ip !== "") : undefined;
  if (peer === undefined) return undefined;
  return helloFrom(context, peer, master, epoch);
}

/** The command with which `peer` would say that `master` is master by `epoch`. */
function helloFrom(context: ActContext, peer: Peer, master: Address, epoch: number): string[] {
  const message = [peer.ip, peer.port, peer.runId, epoch, context.links.masterName, master.ip, master.port, epoch];
  return ["PUBLISH", HELLO, message.join(",")];
}

/** Teaches `member` that `peer` exists, as the peer itself would at its next hello (every 2 s). The configuration it carries is the receiver's own. */
export async function introduce(
  context: ActContext,
  member: MemberFact,
  peer: Peer,
  { address, configEpoch }: Pick<Monitored, "address" | "configEpoch">,
): Promise<void> {
  await sentinelLink(context, member)?.call(helloFrom(context, peer, address, configEpoch), ANSWER_MS);
}

/** Whether a sentinel names `master` with at least this epoch, by its own answer now. */
export async function agrees(context: ActContext, member: MemberFact, master: Address, epoch: number): Promise<boolean> {
  return await agreesAfter(context, member, master, epoch, []);
}

/** The same, by an answer from after these commands; all go out in one write, since each way there and back is time in which nobody can write. */
async function agreesAfter(
  context: ActContext,
  member: MemberFact,
  master: Address,
  epoch: number,
  commands: readonly (readonly string[])[],
): Promise<boolean> {
  const link = sentinelLink(context, member);
  if (link === undefined) return false;
  const answers = await link.all([...commands, ["SENTINEL", "MASTER", context.links.masterName]], ANSWER_MS);
  const fields = flatFields(answers.at(-1));
  return (
    fields.get("ip") === master.ip && fields.get("port") === String(master.port) && Number(fields.get("config-epoch")) >= epoch
  );
}

/**
 * Tells all sentinels and asks them back until `needed` of them agree, within `withinMs`. Returns how many agree.
 * Does not wait for the slower ones: gossip brings those along within a second.
 */
export async function makeAgree(
  context: ActContext,
  sentinels: readonly MemberFact[],
  master: Address,
  epoch: number,
  needed: number,
  withinMs: number,
): Promise<number> {
  const deadline = performance.now() + withinMs;
  let agreed = 0;
  for (;;) {
    const asking = sentinels.map(async (member) => {
      const hello = helloTo(context, member, master, epoch);
      return await agreesAfter(context, member, master, epoch, hello === undefined ? [] : [hello]);
    });
    const ayes = (answers: readonly boolean[]): number => answers.filter(Boolean).length;
    const count = ayes(await gather(asking, (come) => ayes(come) >= needed));
    agreed = Math.max(agreed, count);
    if (count >= needed || performance.now() > deadline) return agreed;
    await sleep(15);
  }
}
