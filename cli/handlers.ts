/** What the handlers know: their admin port, reached with the user's own credentials through the API server's pod proxy. */
import type { GroupView } from "../handlers/group.ts";
import { isNotFound, KubeError } from "../kube/error.ts";
import { PATH } from "../kube/paths.ts";
import type { Pod } from "../kube/types.ts";
import { ADMIN_PORT, SERVER_LABELS } from "../model/names.ts";
import type { Target } from "./target.ts";

/** The groups as the handlers see them, or why they could not be asked. */
export type Answer =
  | { readonly ok: true; readonly groups: readonly GroupView[]; readonly pods: readonly string[] }
  | { readonly ok: false; readonly why: string };

/** The query for the pods of redis-ha itself. */
export const SERVER_PODS = {
  labelSelector: Object.entries(SERVER_LABELS)
    .map(([key, value]) => `${key}=${value}`)
    .join(","),
};

/** Running pods of redis-ha in the system namespace. */
export async function serverPods(target: Pick<Target, "kube" | "system">): Promise<Pod[]> {
  const { items } = await target.kube.list<Pod>(PATH.pods(target.system), { query: SERVER_PODS });
  return items.filter(({ status, metadata }) => status?.phase === "Running" && metadata?.deletionTimestamp === undefined);
}

/** Asks every replica. Of two accounts of one group the leader's counts, else the newer; timelines are put together. */
export async function askHandlers(target: Target): Promise<Answer> {
  try {
    const pods = await serverPods(target);
    if (pods.length === 0) return { ok: false, why: `no pod of redis-ha runs in namespace ${target.system}` };
    const asked = await Promise.allSettled(
      pods.map((pod) => target.kube.get<GroupView[]>(proxyPath(target.system, pod.metadata?.name ?? "", "groups"))),
    );
    const views = asked.flatMap((one) => (one.status === "fulfilled" ? one.value : []));
    const failed = asked.find((one) => one.status === "rejected");
    if (failed !== undefined && asked.every(({ status }) => status === "rejected"))
      return { ok: false, why: reasonOf(failed.reason) };
    return { ok: true, groups: merge(views), pods: pods.map(({ metadata }) => metadata?.name ?? "") };
  } catch (error) {
    return { ok: false, why: reasonOf(error) };
  }
}

export const proxyPath = (namespace: string, pod: string, path: string): string =>
  `${PATH.pods(namespace)}/${encodeURIComponent(pod)}:${ADMIN_PORT}/proxy/${path}`;

function reasonOf(error: unknown): string {
  if (error instanceof KubeError && error.status === 403)
    return `you may not reach the handlers through the API server (${error.message}); it takes the right to "get pods/proxy" there`;
  if (isNotFound(error)) return `redis-ha is not installed in that namespace (${(error as Error).message})`;
  return error instanceof Error ? error.message : String(error);
}

/** One view for each group. */
export function merge(views: readonly GroupView[]): GroupView[] {
  const groups = new Map<string, GroupView[]>();
  for (const view of views) {
    const key = `${view.group.namespace}/${view.group.cluster}`;
    groups.set(key, [...(groups.get(key) ?? []), view]);
  }
  const best = (all: readonly GroupView[]): GroupView | undefined =>
    [...all].sort(
      (a, b) => Number(b.facts?.leading ?? false) - Number(a.facts?.leading ?? false) || (b.facts?.at ?? 0) - (a.facts?.at ?? 0),
    )[0];
  return [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, all]) => {
      const view = best(all);
      return view === undefined ? [] : [{ ...view, timelines: newestFirst(all.flatMap(({ timelines }) => timelines)) }];
    });
}

/** Both replicas may have kept the same one. */
function newestFirst(timelines: GroupView["timelines"]): GroupView["timelines"] {
  const distinct = new Map(timelines.map((one) => [`${one.startedAt} ${one.from} ${one.to}`, one]));
  return [...distinct.values()].sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1));
}
