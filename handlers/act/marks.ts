/** Writes that people and Kubernetes see: labels and gates of pods, marks of the master Service, the claim of a bootstrap. */
import { isConflict, isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { MasterRecord } from "../../model/facts.ts";
import { IN_SYNC_GATE, LABEL, MARK, REQUEST } from "../../model/names.ts";
import type { ClaimAction, MarkPodAction, MarkServiceAction, RestoreRecordAction } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { CLAIMED } from "../policies/route.ts";
import { type ActContext, type ActResult, DONE, failed, messageOf, refused } from "./context.ts";
import { recordOf } from "./route.ts";

/** A ReplicaSet that must shrink takes pods of low cost first: the master is its last choice. */
const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";
const COST = { master: "1000", replica: null } as const;

async function patched(what: string, work: Promise<unknown>): Promise<ActResult> {
  try {
    await work;
    return DONE;
  } catch (error) {
    if (isNotFound(error)) return refused(`${what} is gone`);
    if (isConflict(error)) return refused(`${what} changed meanwhile`);
    return failed(`${what}: ${messageOf(error)}`);
  }
}

export async function markPod(context: ActContext, action: MarkPodAction): Promise<ActResult> {
  const { pod, role, inSync } = action;
  const path = PATH.pods(context.group.namespace, pod.name);
  const results: Promise<ActResult>[] = [];
  if (role !== undefined) {
    const metadata = { uid: pod.uid, labels: { [LABEL.role]: role }, annotations: { [DELETION_COST]: COST[role] } };
    results.push(patched(`pod ${pod.name}`, context.kube.mergePatch(path, { metadata })));
  }
  if (inSync !== undefined) {
    const condition = {
      type: IN_SYNC_GATE,
      status: inSync ? "True" : "False",
      reason: inSync ? "InSync" : "NotInSync",
      message: inSync
        ? "master, or a replica whose link is up and that has caught up; or waiting, with a volume, for a volume that may hold fresher data"
        : "its data is not yet that of the master",
      lastTransitionTime: new Date().toISOString(),
    };
    // Strategic merge: conditions are merged by type, so the kubelet's own are left alone.
    results.push(
      patched(
        `pod ${pod.name}`,
        context.kube.request({
          method: "PATCH",
          path: PATH.pods(context.group.namespace, pod.name, "status"),
          contentType: "application/strategic-merge-patch+json",
          body: { metadata: { uid: pod.uid }, status: { conditions: [condition] } },
        }),
      ),
    );
  }
  const all = await Promise.all(results);
  return all.find(({ outcome }) => outcome !== "done") ?? DONE;
}

export async function markService(context: ActContext, action: MarkServiceAction): Promise<ActResult> {
  const service = context.facts.masterService;
  if (service === undefined) return refused("the master Service does not exist");
  const cleared = Object.fromEntries(action.clearRequests.map((request) => [REQUEST[request], null]));
  if (service.halted === action.halted && action.clearRequests.length === 0) return DONE;
  return patched(
    `service ${service.name}`,
    context.kube.mergePatch(PATH.services(context.group.namespace, service.name), {
      metadata: { annotations: { [MARK.halted]: action.halted ?? null, ...cleared } },
    }),
  );
}

/** Conditional on the Service as it was seen: of two handlers that choose, one wins. */
export async function claim(context: ActContext, action: ClaimAction): Promise<ActResult> {
  return writeRecord(context, recordOf(action.pod, 0, CLAIMED, "", new Date().toISOString()));
}

/** The record alone, the selector stays: nobody is confirmed yet. */
export async function restoreRecord(context: ActContext, { pod, address, epoch }: RestoreRecordAction): Promise<ActResult> {
  const since = new Date().toISOString();
  const reason = REASON.RecordRestored;
  const nobody = { pod: "", uid: "", instance: "", ip: address.ip, epoch, since, reason };
  return writeRecord(context, pod === undefined ? nobody : recordOf(pod, epoch, reason, "", since));
}

async function writeRecord(context: ActContext, record: MasterRecord): Promise<ActResult> {
  const service = context.facts.masterService;
  if (service === undefined) return refused("the master Service does not exist");
  return patched(
    `service ${service.name}`,
    context.kube.mergePatch(PATH.services(context.group.namespace, service.name), {
      metadata: { resourceVersion: service.resourceVersion, annotations: { [MARK.master]: JSON.stringify(record) } },
    }),
  );
}
