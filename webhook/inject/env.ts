/** The environment of the boot scripts, the same for a redis and a sentinel container. */
import {
  ENV,
  INJECTED,
  LABEL,
  masterName,
  SECRET_KEY,
  SENTINEL_PORT,
  secretName,
  sentinelServiceName,
} from "../../model/names.ts";
import type { GroupSettings } from "../../model/settings.ts";
import { asNumber, at, covers, field, type JsonObject, named } from "../json.ts";
import type { Patch, Path } from "./patch.ts";
import type { PodView } from "./view.ts";

/** "yes" when the user's container had a `command`, which then replaces the image's entrypoint as it did before. */
export const COMMAND_GIVEN = "REDIS_HA_COMMAND_GIVEN";
/** The pod's grace period in seconds: what the preStop hook may use up. */
export const GRACE = "REDIS_HA_GRACE_S";

/** Where redis-cli and valkey-cli look for a password. A user who set one of them keeps it. */
const CLI_PASSWORDS: readonly string[] = ["REDISCLI_AUTH", "VALKEYCLI_AUTH"];

/** What Kubernetes takes when a pod does not say. */
export const DEFAULT_GRACE_S = 30;

export function groupEnv(view: PodView): JsonObject[] {
  const { settings, context, pod } = view;
  return [
    text(ENV.cluster, settings.cluster),
    text(ENV.role, settings.role),
    // The short name: the pod's own search list completes it with one query, and only in its own namespace.
    text(ENV.sentinelHost, sentinelServiceName(settings.cluster)),
    text(ENV.sentinelPort, String(SENTINEL_PORT)),
    text(ENV.masterName, masterName(context.namespace, settings.cluster)),
    text(ENV.port, String(settings.port)),
    fromPod(ENV.podIp, "status.podIP"),
    fromPod(ENV.podName, "metadata.name"),
    fromPod(ENV.podUid, "metadata.uid"),
    fromPod(ENV.instance, `metadata.labels['${LABEL.instance}']`),
    ...password(settings),
    ...given(ENV.quorum, settings.quorum),
    text(ENV.downAfterMs, String(settings.downAfterMs)),
    text(ENV.failoverTimeoutMs, String(settings.failoverTimeoutMs)),
    ...given(ENV.parallelSyncs, settings.parallelSyncs),
    ...given(ENV.minReplicasToWrite, settings.minReplicasToWrite),
    text(ENV.minReplicasMaxLag, String(settings.minReplicasMaxLagS)),
    ...given(ENV.priority, settings.priority),
    ...(settings.tlsSecret === undefined ? [] : [text(ENV.tlsFolder, INJECTED.tlsMountPath)]),
    text(GRACE, String(asNumber(at(pod, "spec", "terminationGracePeriodSeconds")) ?? DEFAULT_GRACE_S)),
  ];
}

/** Sets variables of a container by name; the user's own and their order stay. */
export function injectEnv(view: PodView, patch: Patch, container: JsonObject, path: Path, wanted: readonly JsonObject[]): void {
  const list = field(container, "env");
  // Copied from a pod with TLS: the server would look for files that nobody mounts.
  const stale = view.fresh && view.settings.tlsSecret === undefined ? named(list, ENV.tlsFolder) : undefined;
  if (stale !== undefined && field(stale.object, "value") !== "")
    patch.replace([...path, "env", stale.index], text(ENV.tlsFolder, ""));
  for (const variable of wanted) {
    const name = String(field(variable, "name"));
    const found = named(list, name);
    if (found === undefined) patch.append([...path, "env"], list, variable);
    else if (view.fresh && !CLI_PASSWORDS.includes(name) && !covers(found.object, variable))
      patch.replace([...path, "env", found.index], variable);
  }
}

/** Never optional: a server without its password would let anyone in, so it must not start before the Secret is there. */
function password({ auth, cluster }: GroupSettings): JsonObject[] {
  if (auth.kind === "none") return [];
  const { name, key } = auth.kind === "secret" ? auth : { name: secretName(cluster), key: SECRET_KEY };
  // The command line tools read theirs by themselves: `kubectl exec … redis-cli` and a user's own exec probes go on without a password.
  const same = CLI_PASSWORDS.map((variable) => text(variable, `$(${ENV.password})`));
  return [{ name: ENV.password, valueFrom: { secretKeyRef: { name, key, optional: false } } }, ...same];
}

function text(name: string, value: string): JsonObject {
  return { name, value };
}

function given(name: string, value: number | undefined): JsonObject[] {
  return value === undefined ? [] : [text(name, String(value))];
}

function fromPod(name: string, fieldPath: string): JsonObject {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}
