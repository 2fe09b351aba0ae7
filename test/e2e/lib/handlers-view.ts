/** What the handlers' admin port says of a group; for people and for timelines, never to decide whether a test has passed. */

import type { Timeline } from "../../../handlers/act/timeline.ts";
import type { GroupView } from "../../../handlers/group.ts";
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { type Bed, SYSTEM } from "./bed.ts";

const ADMIN_PORT = 8080;

/** Each replica of the handlers with its view of all groups. */
export async function groupViews(bed: Bed): Promise<{ pod: string; groups: GroupView[] }[]> {
  const { items } = await bed.kube.list<Pod>(PATH.pods(SYSTEM), { query: { labelSelector: "app.kubernetes.io/name=redis-ha" } });
  const running = items.filter((pod) => pod.status?.phase === "Running" && pod.metadata?.deletionTimestamp === undefined);
  return await Promise.all(
    running.map(async (pod) => {
      const name = pod.metadata?.name ?? "";
      const path = `/api/v1/namespaces/${SYSTEM}/pods/${name}:${ADMIN_PORT}/proxy/groups`;
      return { pod: name, groups: await bed.kube.get<GroupView[]>(path) };
    }),
  );
}

/** All timelines of a group that any replica of the handlers kept, the newest first. */
export async function timelines(bed: Bed, namespace: string, cluster: string): Promise<Timeline[]> {
  const views = await groupViews(bed);
  return views
    .flatMap(({ groups }) => groups.filter(({ group }) => group.namespace === namespace && group.cluster === cluster))
    .flatMap((view) => view.timelines)
    .sort((one, other) => (one.startedAt < other.startedAt ? 1 : -1));
}
