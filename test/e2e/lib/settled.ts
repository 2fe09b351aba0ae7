/** A group at rest: before a fault that needs Sentinel's own judgement. */
import type { Expected, Group } from "./group.ts";
import { waitUntil } from "./wait.ts";

/** As long as a group may take to be whole, and then a sentinel to come out of TILT, ms. */
const SETTLED_MS = 120_000;

/** Whole, and nothing left of what was before: a sentinel in TILT would judge nothing for up to 30 s more. */
export async function untilSettled(group: Group, expected: Expected): Promise<void> {
  await waitUntil("a whole group, nobody in TILT", SETTLED_MS, async () => {
    await group.whole(expected);
    const tilted = await group.inTilt();
    if (tilted.length > 0) throw new Error(`in TILT: ${tilted.join(", ")}`);
  });
}
