/** One fault under traffic: what the writers saw, and the handlers' own account of it, on one time axis. */
import type { Timeline } from "../handlers/act/timeline.ts";
import type { Window } from "../test/client/writers.ts";
import type { Expected, Group } from "../test/e2e/lib/group.ts";
import { timelines } from "../test/e2e/lib/handlers-view.ts";
import { waitUntil } from "../test/e2e/lib/wait.ts";
import type { Moment } from "./paper.ts";

export interface Fault {
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly gapMs: number;
  readonly lostWrites: number;
  readonly acknowledged: number;
  /** until every replica follows the new master and every sentinel knows all others */
  readonly wholeMs: number;
  /** how long the writers' own process stood still at worst: a busy machine */
  readonly clientStallMs: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly steps: readonly { readonly step: string; readonly ms: number }[];
}

/** Lets it happen and waits until the group is whole again. `lostBefore`: what was missing already. */
export async function observe(
  group: Group,
  what: string,
  expected: Expected,
  lostBefore: number,
  fault: (master: { name: string; ip: string }) => Promise<void>,
): Promise<{ fault: Fault; moments: Moment[] }> {
  const { client } = group;
  const before = await group.master();
  await client.window(true);
  const startedAt = Date.now();
  await fault(before);
  const to = await waitUntil("another master", 60_000, async () => {
    const { name } = await group.master();
    if (name === before.name) throw new Error(`the Service leads to ${name}`);
    return name;
  });
  await waitUntil("a whole group", 90_000, async () => await group.whole(expected));
  const wholeMs = Date.now() - startedAt;
  const window = await client.window(true);
  const { missing } = await client.verify(await group.throughService());
  const account = await accountOf(group, startedAt);
  const steps = account?.steps ?? [];
  return {
    fault: {
      what,
      from: before.name,
      to,
      gapMs: window.gapMs,
      lostWrites: missing - lostBefore,
      acknowledged: window.acked,
      wholeMs,
      clientStallMs: window.stallMs,
      errors: window.errors,
      steps,
    },
    moments: moments(what, startedAt, wholeMs, window, account),
  };
}

/** The handlers tell it a moment after it is done. */
async function accountOf(group: Group, startedAt: number): Promise<Timeline | undefined> {
  const ours = async (): Promise<Timeline> => {
    const all = await timelines(group.bed, group.namespace, group.cluster);
    const found = all.find((one) => Date.parse(one.startedAt) >= startedAt - 2000);
    if (found === undefined) throw new Error("no timeline yet");
    return found;
  };
  return await waitUntil("the handlers' own timeline", 5000, ours).catch(() => undefined);
}

const STEPS: Readonly<Record<string, string>> = {
  paused: "writes to the old master are paused",
  equal: "a replica has every byte of it",
  voted: "the sentinels' majority has given its votes",
  promoted: "the replica is master",
  agreed: "the sentinels' majority names the new master",
  demoted: "the old master follows the new one",
  patched: "the Service's selector names the new master's pod",
  endpoint: "the EndpointSlice has the new address",
  routed: "the EndpointSlice has the new address, and the proxies had their time",
  cut: "old connections are being cut",
};

function moments(what: string, startedAt: number, wholeMs: number, window: Window, account: Timeline | undefined): Moment[] {
  const gapAt = Date.parse(window.gapStartedAt) - startedAt;
  const began = account === undefined ? 0 : Date.parse(account.startedAt) - startedAt;
  return [
    { ms: 0, text: what, strong: true },
    { ms: gapAt, text: "the last write that was acknowledged before the gap" },
    { ms: gapAt + window.gapMs, text: "writes are acknowledged again", strong: true },
    ...(account === undefined ? [] : [{ ms: began, text: `redis-ha acts: ${account.cause}` }]),
    ...(account?.steps ?? []).map(({ step, ms }) => ({ ms: began + ms, text: STEPS[step] ?? step })),
    { ms: wholeMs, text: "all replicas attached, all sentinels agree, every pod Ready" },
  ];
}
