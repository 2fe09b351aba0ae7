/** Has the sentinels agree on a master that was made: by hello, or by the public MONITOR where that can't be. */
import type { Address, MemberFact } from "../../model/facts.ts";
import type { PromoteAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { wantedSettings } from "../policies/sentinels.ts";
import type { ActContext } from "./context.ts";
import { makeAgree } from "./hello.ts";
import { monitor } from "./sentinels.ts";

/** Within this time a majority of the sentinels should have taken the hello, ms (2–9 measured; they fsync their file). */
const AGREE_MS = 600;

/**
 * Returns how many of the sentinels agree, at most as many as are `needed` and a few more. One that knows no peer has nobody in whose name it could be told,
 * and nobody whom it could win back: it is monitored anew.
 */
export async function tell(
  context: ActContext,
  sentinels: readonly MemberFact[],
  master: Address,
  epoch: number,
  needed: number,
): Promise<number> {
  const alone = sentinels.filter(({ sentinel }) => sentinel?.state === "up" && sentinel.master?.sentinels.length === 0);
  const others = sentinels.filter((member) => !alone.includes(member));
  const [byHello, anew] = await Promise.all([
    others.length === 0 ? 0 : makeAgree(context, others, master, epoch, Math.max(1, needed - alone.length), AGREE_MS),
    remonitor(context, alone, master),
  ]);
  return byHello + anew;
}

/** REMOVE and MONITOR; returns how many sentinels did it. Their epochs begin anew: one that is left out would win the others back (sentinel.c, sentinelProcessHelloMessage; ADR 0018). */
export async function remonitor(context: ActContext, sentinels: readonly MemberFact[], master: Address): Promise<number> {
  const settings = wantedSettings(context.facts);
  const results = await Promise.all(
    sentinels.map((member) => {
      const replace = member.sentinel?.state === "up" && member.sentinel.master !== undefined;
      return monitor(context, { kind: "monitor", member, master, settings, replace });
    }),
  );
  return results.filter(({ outcome }) => outcome === "done").length;
}

/** Recovery: sentinels that took no hello (they know no peer, or watch nothing) are told by MONITOR. */
export async function teach(context: ActContext, action: PromoteAction, master: Address, epoch: number): Promise<void> {
  await Promise.allSettled(
    action.sentinels.map(async (member) => {
      const watched = member.sentinel?.state === "up" ? member.sentinel.master : undefined;
      if (watched !== undefined && watched.sentinels.length > 0 && watched.configEpoch < epoch) return;
      await monitor(context, {
        kind: "monitor",
        member,
        master,
        settings: wantedSettings(context.facts),
        replace: watched !== undefined,
      });
    }),
  );
  context.log.debug({ reason: REASON.SentinelConfigured }, "sentinels told of the recovered master");
}
