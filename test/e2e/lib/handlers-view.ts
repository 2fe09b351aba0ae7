/** What the handlers' admin port says of a group; for people and for timelines, never to decide whether a test has passed. */

import type { Timeline } from "../../../handlers/act/timeline.ts";
import type { GroupView } from "../../../handlers/group.ts";
import type { GroupId } from "../../../model/facts.ts";
import { type Bed, SYSTEM } from "./bed.ts";
import { ourPods } from "./us.ts";

const ADMIN_PORT = 8080;

/** What each replica of the handlers answers to this path of its admin port. */
async function ofEach<T>(bed: Bed, path: string): Promise<{ pod: string; answer: T }[]> {
  return await Promise.all(
    (await ourPods(bed)).map(async ({ metadata }) => {
      const pod = metadata?.name ?? "";
      return { pod, answer: await bed.kube.get<T>(`/api/v1/namespaces/${SYSTEM}/pods/${pod}:${ADMIN_PORT}/proxy${path}`) };
    }),
  );
}

/** Each replica of the handlers with its view of all groups. */
export async function groupViews(bed: Bed): Promise<{ pod: string; groups: GroupView[] }[]> {
  const views = await ofEach<GroupView[]>(bed, "/groups");
  return views.map(({ pod, answer }) => ({ pod, groups: answer }));
}

/** The timelines of a group as each replica of the handlers serves them, the newest first. */
export async function timelines(bed: Bed, namespace: string, cluster: string): Promise<Timeline[]> {
  const served = await ofEach<(GroupId & { timelines: Timeline[] })[]>(bed, "/timelines");
  return served
    .flatMap(({ answer }) => answer.filter((one) => one.namespace === namespace && one.cluster === cluster))
    .flatMap((one) => one.timelines)
    .sort((one, other) => (one.startedAt < other.startedAt ? 1 : -1));
}
