/** What the handlers have written down of the last change of master. */
import type { Timeline } from "../../../model/timeline.ts";
import type { Group } from "./group.ts";
import { waitUntil } from "./wait.ts";

/** The newest account, once it is of the present master. */
export async function account(group: Group): Promise<Timeline | undefined> {
  return await waitUntil("the account of the failover", 10_000, async () => {
    const [newest] = await group.timelines();
    if (newest?.to !== (await group.master()).name) throw new Error(`the newest one tells of ${newest?.to}`);
    return newest;
  });
}
