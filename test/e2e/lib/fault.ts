/** One fault under traffic, seen by writers through the master Service. */

import { gapText, servedGapMs, type Verdict, type Window } from "./client-pod.ts";
import { type Expected, type Group, WHOLE_MS } from "./group.ts";
import { say, waitUntil } from "./wait.ts";

export interface FaultResult {
  /** the masters' pods before and after */
  readonly before: string;
  readonly after: string;
  readonly window: Window;
  /** the longest time without an acknowledged write, less the client's own standstill within it, ms */
  readonly gapMs: number;
}

/** The fault is over when another pod is master and writes are acknowledged again; then the group must become whole within `wholeWithinMs`. */
export async function underFault(
  group: Group,
  what: string,
  expected: Expected,
  fault: (master: string) => Promise<void>,
  wholeWithinMs = WHOLE_MS,
): Promise<FaultResult> {
  const { client } = group;
  const before = (await group.master()).name;
  await client.calm();
  await client.window(true);
  await fault(before);
  const after = await waitUntil(`another master after: ${what}`, 40_000, async () => {
    const { name } = await group.master();
    if (name === before) throw new Error(`the Service still leads to ${before}`);
    return name;
  });
  await waitUntil(`a whole group after: ${what}`, wholeWithinMs, async () => await group.whole(expected));
  const window = await client.window();
  say(`${what}: ${gapText(window)}, ${window.acked} writes, errors ${JSON.stringify(window.errors)}, ${before} → ${after}`);
  return { before, after, window, gapMs: servedGapMs(window) };
}

/** Stops the writers and asks the master for every acknowledged key. */
export async function verdict(group: Group): Promise<Verdict> {
  await group.client.stopWriters();
  const found = await group.client.verify(await group.throughService());
  say(`${found.acked} acknowledged writes, ${found.missing} lost`);
  return found;
}
