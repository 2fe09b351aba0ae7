/** Volumes and mounts. */
import { INJECTED, MARK, TLS_FILES } from "../../model/names.ts";
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

/**
 * Each file is named, so that a Secret without one of them keeps the pod from starting, with an Event that says which. Readable by every user of the pod, since
 * the server runs as whoever the image or the platform says; only the containers of Redis and Sentinel have the mount.
 */
const certificates = (secretName: string): JsonObject => ({
  name: INJECTED.tlsVolume,
  secret: { secretName, defaultMode: 0o444, items: Object.values(TLS_FILES).map((key) => ({ key, path: key })) },
});

export function injectVolumes(view: PodView, patch: Patch): void {
  const list = at(view.pod, "spec", "volumes");
  const { role, tlsSecret } = view.settings;
  const wanted = [
    SHARED,
    ...(view.sidecar || role === "sentinel" ? [POD_INFO] : []),
    ...(tlsSecret === undefined ? [] : [certificates(tlsSecret)]),
  ];
  for (const volume of wanted) {
    const found = named(list, String(field(volume, "name")));
    if (found === undefined) patch.append(["spec", "volumes"], list, volume);
    else if (view.fresh && !covers(found.object, volume)) patch.replace(["spec", "volumes", found.index], volume);
  }
}

export function redisMounts({ settings }: PodView): JsonObject[] {
  const tls = { name: INJECTED.tlsVolume, mountPath: INJECTED.tlsMountPath, readOnly: true };
  return [{ name: INJECTED.volume, mountPath: INJECTED.mountPath }, ...(settings.tlsSecret === undefined ? [] : [tls])];
}

export function sentinelMounts(view: PodView): JsonObject[] {
  return [...redisMounts(view), { name: INJECTED.podInfoVolume, mountPath: INJECTED.podInfoMountPath, readOnly: true }];
}

/** Mounts by path: the same volume may be mounted by the user elsewhere too. */
export function injectMounts(patch: Patch, container: JsonObject, path: Path, wanted: readonly JsonObject[]): void {
  const list = field(container, "volumeMounts");
  for (const mount of wanted) {
    const there = objects(list).some(({ object }) => field(object, "mountPath") === field(mount, "mountPath"));
    if (!there) patch.append([...path, "volumeMounts"], list, mount);
  }
}
