/**
 * Tells sentinels of a new configuration in their own hello protocol, and asks them back (sentinel.c, sentinelProcessHelloMessage; facts/promotion.md 1e).
 * A hello is only applied when its epoch is higher than the sentinel's own, so it can never undo a newer election.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Address, MemberFact, Monitored } from "../../model/facts.ts";
import { flatFields } from "../observe/replies.ts";
import { type ActContext, sentinelLink } from "./context.ts";
import { gather } from "./gather.ts";

const HELLO = "__sentinel__:hello";
const ANSWER_MS = 500;

/**
 * Sends one hello to one sentinel. The apparent sender is another sentinel exactly as the receiver lists it: a wrong tuple would make a ghost.
 * Returns false when it knows no other sentinel, or can't be reached.
 */
export async function sayHello(context: ActContext, member: MemberFact, master: Address, epoch: number): Promise<boolean> {
  const sentinel = member.sentinel;
  const link = sentinelLink(context, member);
  const peer =
    sentinel?.state === "up" ? sentinel.master?.sentinels.find(({ runId, ip }) => runId !== "" && ip !== "") : undefined;
  if (link === undefined || peer === undefined) return false;
  const name = context.links.masterName;
  const message = [peer.ip, peer.port, peer.runId, epoch, name, master.ip, master.port, epoch].join(",");
  try {
    await link.call(["PUBLISH", HELLO, message], ANSWER_MS);
    return true;
  } catch {
    return false;
  }
}

/** Teaches `member` that `peer` exists, as the peer itself would at its next hello (every 2 s). The configuration it carries is the receiver's own. */
export async function introduce(
  context: ActContext,
  member: MemberFact,
  peer: { ip: string; port: number; runId: string },
  monitored: Pick<Monitored, "address" | "configEpoch">,
): Promise<void> {
  const { address, configEpoch } = monitored;
  const name = context.links.masterName;
  const message = [peer.ip, peer.port, peer.runId, configEpoch, name, address.ip, address.port, configEpoch].join(",");
  await sentinelLink(context, member)?.call(["PUBLISH", HELLO, message], ANSWER_MS);
}

/** Whether a sentinel names `master` with at least this epoch, by its own answer now. */
export async function agrees(context: ActContext, member: MemberFact, master: Address, epoch: number): Promise<boolean> {
  const link = sentinelLink(context, member);
  if (link === undefined) return false;
  try {
    const fields = flatFields(await link.call(["SENTINEL", "MASTER", context.links.masterName], ANSWER_MS));
    return (
      fields.get("ip") === master.ip && fields.get("port") === String(master.port) && Number(fields.get("config-epoch")) >= epoch
    );
  } catch {
    return false;
  }
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
      await sayHello(context, member, master, epoch);
      return await agrees(context, member, master, epoch);
    });
    const ayes = (answers: readonly boolean[]): number => answers.filter(Boolean).length;
    const count = ayes(await gather(asking, (come) => ayes(come) >= needed));
    agreed = Math.max(agreed, count);
    if (count >= needed || performance.now() > deadline) return agreed;
    await sleep(15);
  }
}
