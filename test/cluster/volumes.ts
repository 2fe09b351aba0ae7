/**
 * The provisioner of the storage class "standard", a daemon beside the control plane: each claim gets a folder on the node
 * that the scheduler chose. Volumes outlive their pods and their node's reboots, and go with their claim or the cluster.
 */
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { type Api, connectApi } from "./api.ts";
import { type Layout, nodeOf } from "./layout.ts";
import { PROVISIONER, STORAGE_CLASS } from "./objects.ts";
import { runningLayout } from "./state.ts";

type Claim = {
  metadata: { name: string; namespace: string; uid: string; annotations?: Record<string, string> };
  spec: { storageClassName?: string; volumeName?: string; accessModes: string[]; resources: { requests: { storage: string } } };
};
type Volume = {
  metadata: { name: string; annotations?: Record<string, string> };
  spec: { local?: { path: string }; persistentVolumeReclaimPolicy: string };
  status: { phase: string };
};

const CLAIMS = "/api/v1/persistentvolumeclaims";
const VOLUMES = "/api/v1/persistentvolumes";
const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by";
const BACK_STOP_MS = 10_000;
const RETRY_MS = 500;

/** The volume for a claim that waits for one, or undefined: it is bound, of another class, or not scheduled yet. */
export function volumeFor(claim: Claim, folderOn: (node: string, name: string) => string): object | undefined {
  const node = claim.metadata.annotations?.["volume.kubernetes.io/selected-node"];
  const { storageClassName, volumeName, accessModes, resources } = claim.spec;
  if (node === undefined || volumeName !== undefined || storageClassName !== STORAGE_CLASS) return undefined;
  const { namespace, name: claimName, uid } = claim.metadata;
  const name = `pvc-${uid}`;
  const onNode = { key: "kubernetes.io/hostname", operator: "In", values: [node] };
  return {
    metadata: { name, annotations: { [PROVISIONED_BY]: PROVISIONER } },
    spec: {
      capacity: { storage: resources.requests.storage },
      accessModes,
      storageClassName,
      persistentVolumeReclaimPolicy: "Delete",
      claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: claimName, uid },
      local: { path: folderOn(node, name) },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [onNode] }] } },
    },
  };
}

async function reconcile(layout: Layout, api: Api): Promise<void> {
  const folderOn = (node: string, name: string): string => {
    const folder = join(nodeOf(layout, node).dir, "volumes", name);
    mkdirSync(folder, { recursive: true });
    // Whatever user a container runs as may write; the file mode of mkdir would pass through the umask.
    chmodSync(folder, 0o777);
    return folder;
  };
  const claims = await api.get<{ items: Claim[] }>(CLAIMS);
  for (const claim of claims?.items ?? []) {
    const volume = volumeFor(claim, folderOn);
    if (volume !== undefined) await api.create(VOLUMES, volume);
  }
  const volumes = await api.get<{ items: Volume[] }>(VOLUMES);
  for (const { metadata, spec, status } of volumes?.items ?? []) {
    const ours = metadata.annotations?.[PROVISIONED_BY] === PROVISIONER;
    if (!ours || status.phase !== "Released" || spec.persistentVolumeReclaimPolicy !== "Delete") continue;
    if (spec.local !== undefined) rmSync(spec.local.path, { recursive: true, force: true });
    await api.call("DELETE", `${VOLUMES}/${metadata.name}`);
  }
}

async function serve(layout: Layout): Promise<never> {
  const api = connectApi(layout, "volumes");
  let wake = (): void => {};
  const keepWatching = async (path: string): Promise<never> => {
    for (;;) {
      await api.watch(path, () => wake());
      await sleep(RETRY_MS);
    }
  };
  void keepWatching(CLAIMS);
  void keepWatching(VOLUMES);
  for (;;) {
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    try {
      await reconcile(layout, api);
      await Promise.race([woken, sleep(BACK_STOP_MS)]);
    } catch (error) {
      console.error(new Date().toISOString(), error instanceof Error ? error.message : error);
      await sleep(RETRY_MS);
    }
  }
}

const [, , name] = argv;
if (import.meta.main && name !== undefined) await serve(runningLayout(name));
