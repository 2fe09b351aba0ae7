/** What makes a pod impossible to inject. Each refusal says why, and what to do. */
import { ANNOTATION, INJECTED, SENTINEL_PORT } from "../../model/names.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { asObject, at, field, type JsonObject, named, objects } from "../json.ts";

/** @param target name of the container that runs Redis or Sentinel; undefined when it could not be told */
export function checkPod(pod: JsonObject, settings: GroupSettings, target: string | undefined): string[] {
  return [...checkHost(pod), ...checkSentinelPort(pod, settings, target), ...checkNames(pod), ...checkMounts(pod, target)];
}

function checkHost(pod: JsonObject): string[] {
  const errors: string[] = [];
  if (at(pod, "spec", "hostNetwork") === true) {
    errors.push(
      "spec.hostNetwork: true is not allowed: pods of one node would share an address, and Sentinel knows servers by address alone; use the pod network",
    );
  }
  if (at(pod, "spec", "os", "name") === "windows")
    errors.push("spec.os.name: windows is not allowed: the scripts that are injected need Linux");
  return errors;
}

/** A group's sentinel would find its port taken and never start: the pod would look well and protect nothing. */
function checkSentinelPort(pod: JsonObject, settings: GroupSettings, target: string | undefined): string[] {
  if (settings.sentinel !== "sidecar" && settings.role !== "sentinel") return [];
  const containers = [...objects(at(pod, "spec", "initContainers")), ...objects(at(pod, "spec", "containers"))];
  return containers.flatMap(({ object }) => {
    const name = field(object, "name");
    if (name === INJECTED.sentinelContainer || (settings.role === "sentinel" && name === target)) return [];
    const taken = objects(field(object, "ports")).some(({ object: port }) => field(port, "containerPort") === SENTINEL_PORT);
    if (!taken) return [];
    const help = settings.role === "sentinel" ? "" : `, or set ${ANNOTATION.sentinel} to none`;
    return [`container "${String(name)}": port ${SENTINEL_PORT} is needed by the sentinel of this pod; use another one${help}`];
  });
}

/** Names of ours that are taken by something else. */
function checkNames(pod: JsonObject): string[] {
  const errors: string[] = [];
  for (const name of [INJECTED.bootContainer, INJECTED.sentinelContainer]) {
    if (named(at(pod, "spec", "containers"), name) !== undefined) {
      errors.push(`container "${name}": the name is reserved for an init container of redis-ha; use another one`);
    }
  }
  for (const [name, kind] of [
    [INJECTED.volume, "emptyDir"],
    [INJECTED.podInfoVolume, "downwardAPI"],
    [INJECTED.tlsVolume, "secret"],
  ] as const) {
    const volume = named(at(pod, "spec", "volumes"), name);
    if (volume !== undefined && asObject(field(volume.object, kind)) === undefined) {
      errors.push(`volume "${name}": the name is reserved for redis-ha; use another one`);
    }
  }
  return errors;
}

function checkMounts(pod: JsonObject, target: string | undefined): string[] {
  if (target === undefined) return [];
  const container = named(at(pod, "spec", "containers"), target);
  return objects(at(container?.object, "volumeMounts")).flatMap(({ object }) => {
    const path = field(object, "mountPath");
    const ours = [INJECTED.volume, INJECTED.podInfoVolume, INJECTED.tlsVolume].some((name) => name === field(object, "name"));
    const reserved = [INJECTED.mountPath, INJECTED.podInfoMountPath, INJECTED.tlsMountPath].some((one) => one === path);
    if (ours || !reserved) return [];
    return [`container "${target}": the path ${path} is reserved for redis-ha; mount your volume elsewhere`];
  });
}
