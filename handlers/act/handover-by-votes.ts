/** "H": the votes of the sentinels for one new epoch, REPLICAOF NO ONE on the successor, hello to all sentinels. */
import type { Address, MemberFact } from "../../model/facts.ts";
import { type ActContext, addressOf } from "./context.ts";
import type { Handed, Handing } from "./handover.ts";
import { agrees } from "./hello.ts";
import { areEqual, EQUAL_MS, firstEqual } from "./offsets.ts";
import { makeMaster, pointTo } from "./promote.ts";
import { tell } from "./tell.ts";
import { winVotes } from "./votes.ts";

export async function byVotes({ context, action, old, watch, objection }: Handing): Promise<Handed> {
  const successor = await firstEqual(context, old, action.candidates);
  if (successor === undefined) return { done: false, why: `no replica reached the master's offset within ${EQUAL_MS} ms` };
  watch.mark("equal");

  const election = await winVotes(context, action.sentinels, action.votes, action.epoch);
  if (!election.won) {
    return {
      done: false,
      why: election.electing ? "a sentinel is electing" : `${election.granted} votes of ${action.votes} needed`,
    };
  }
  watch.mark("voted");
  // The pause must still hold: a stall of ours, or a new leader that lifted it, would let writes through that the successor never sees.
  const equal = await areEqual(context, old, [successor]);
  const why = objection() ?? (equal ? undefined : "the pause no longer holds");
  if (why !== undefined) return { done: false, why };
  const problem = await makeMaster(context, successor);
  if (problem !== undefined) {
    // It may have become master and only its answer was lost. It was equal, it is not routed, and `fence` demotes it: going back is safe.
    await pointTo(context, [successor], addressOf(action.from));
    return { done: false, why: problem };
  }
  watch.mark("promoted");
  const tooLate = objection();
  if (tooLate !== undefined) {
    // Nobody knows of it yet and nobody was routed to it. The next leader goes back by himself.
    if (context.leading()) await pointTo(context, [successor], addressOf(action.from));
    return { done: false, why: tooLate };
  }

  const master = addressOf(successor);
  const others = [...action.others, ...action.candidates].filter((member) => member.pod.uid !== successor.pod.uid);
  const following = pointTo(context, others, master);
  const agreed = await tell(context, action.sentinels, master, election.epoch, action.votes);
  watch.mark("agreed");
  if (agreed === 0 && !(await anyAgrees(context, action.sentinels, master, election.epoch))) {
    // Nobody took it: going back is still safe, since the old master is paused and nothing was routed.
    await following;
    await pointTo(context, [successor, ...others], addressOf(action.from));
    return { done: false, why: "no sentinel took the new master" };
  }
  return { done: true, successor, epoch: election.epoch, following };
}

/** A hello whose answer was late may have been taken all the same: then the only way is forward. */
async function anyAgrees(
  context: ActContext,
  sentinels: readonly MemberFact[],
  master: Address,
  epoch: number,
): Promise<boolean> {
  const answers = await Promise.all(sentinels.map((member) => agrees(context, member, master, epoch)));
  return answers.includes(true);
}
