/** Volumes and mounts. */
import { INJECTED, MARK } from "../../model/names.ts";
import { at, covers, field, type JsonObject, named, objects } from "../json.ts";
import type { Patch, Path } from "./patch.ts";
import type { PodView } from "./view.ts";

/** No sizeLimit: going over it evicts the pod, which is the last thing to do to a server with data. */
const SHARED: JsonObject = { name: INJECTED.volume, emptyDir: {} };

/** A volume and no environment variable, because the slot is given while the pod runs: the kubelet refreshes a file, never the environment. */
const POD_INFO: JsonObject = {
  name: INJECTED.podInfoVolume,
  downwardAPI: {
    items: [{ path: "slot", fieldRef: { apiVersion: "v1", fieldPath: `metadata.annotations['${MARK.sentinelSlot}']` } }],
  },
};

export function injectVolumes(view: PodView, patch: Patch): void {
  const list = at(view.pod, "spec", "volumes");
  const wanted = view.sidecar || view.settings.role === "sentinel" ? [SHARED, POD_INFO] : [SHARED];
  for (const volume of wanted) {
    const found = named(list, String(field(volume, "name")));
    if (found === undefined) patch.append(["spec", "volumes"], list, volume);
    else if (view.fresh && !covers(found.object, volume)) patch.replace(["spec", "volumes", found.index], volume);
  }
}

export function redisMounts(): JsonObject[] {
  return [{ name: INJECTED.volume, mountPath: INJECTED.mountPath }];
}

export function sentinelMounts(): JsonObject[] {
  return [...redisMounts(), { name: INJECTED.podInfoVolume, mountPath: INJECTED.podInfoMountPath, readOnly: true }];
}

/** Mounts by path: the same volume may be mounted by the user elsewhere too. */
export function injectMounts(patch: Patch, container: JsonObject, path: Path, wanted: readonly JsonObject[]): void {
  const list = field(container, "volumeMounts");
  for (const mount of wanted) {
    const there = objects(list).some(({ object }) => field(object, "mountPath") === field(mount, "mountPath"));
    if (!there) patch.append([...path, "volumeMounts"], list, mount);
  }
}
