/** Reads the status of groups: from the handlers, and from Kubernetes where they are away. */
import type { GroupView } from "../../handlers/group.ts";
import { PATH } from "../../kube/paths.ts";
import type { Pod, Service } from "../../kube/types.ts";
import { LABEL } from "../../model/names.ts";
import { Problem } from "../exit.ts";
import { askHandlers } from "../handlers.ts";
import type { GroupName, Target } from "../target.ts";
import { fromHandlers, haltedOf } from "./from-handlers.ts";
import { fromKubernetes, groupsIn, type Objects } from "./from-kubernetes.ts";
import type { GroupStatus } from "./status.ts";

/** All groups of the target's namespace (or of all), by name. */
export async function readStatus(target: Target): Promise<GroupStatus[]> {
  const answer = await askHandlers(target);
  if (!answer.ok) return await fallback(target, answer.why);
  const views = answer.groups.filter(({ group }) => target.namespace === undefined || group.namespace === target.namespace);
  if (views.every(({ facts }) => facts !== undefined)) return views.flatMap((view) => fromHandlers(view) ?? []);
  const objects = await groupObjects(target, target.namespace);
  return views.map((view) => fromHandlers(view) ?? unread(view, objects, Date.now()));
}

/** A group that the handlers know and could not look at: what Kubernetes knows, and what stands in their way. Pure. */
export function unread(view: GroupView, objects: Objects, now: number): GroupStatus {
  const known = fromKubernetes(objects, view.group, "the handlers could not look at this group yet", now);
  const halted = haltedOf(view);
  if (halted !== undefined) return { ...known, state: "halted", halted };
  return { ...known, notices: view.halted === undefined ? [] : [view.halted] };
}

/** @throws Problem when there is no such group */
export async function readGroup(target: Target, name: GroupName): Promise<GroupStatus> {
  const all = await readStatus({ ...target, namespace: name.namespace });
  const found = all.find(({ cluster }) => cluster === name.cluster);
  if (found !== undefined) return found;
  const known = all.map(({ cluster }) => cluster).join(", ");
  throw new Problem(
    `there is no group ${name.cluster} in namespace ${name.namespace}` +
      (known === "" ? "; redis-ha status -A shows all groups" : `; there are: ${known}`),
  );
}

async function fallback(target: Target, why: string): Promise<GroupStatus[]> {
  const objects = await groupObjects(target, target.namespace);
  const now = Date.now();
  return groupsIn(objects).map((group) => fromKubernetes(objects, group, `the handlers were not asked: ${why}`, now));
}

/** Pods and Services of groups. */
export async function groupObjects(target: Target, namespace: string | undefined): Promise<Objects> {
  const query = { labelSelector: LABEL.cluster };
  const [pods, services] = await Promise.all([
    target.kube.list<Pod>(PATH.pods(namespace), { query }),
    target.kube.list<Service>(PATH.services(namespace), { query }),
  ]);
  return { pods: pods.items, services: services.items };
}
