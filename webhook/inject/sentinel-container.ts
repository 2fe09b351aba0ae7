/** The sentinel: beside a server as a native sidecar, or as the pod's own container for role sentinel. */
import { INJECTED, SENTINEL_PORT } from "../../model/names.ts";
import { field, type JsonObject, strings } from "../json.ts";
import { groupEnv, injectEnv } from "./env.ts";
import type { Patch } from "./patch.ts";
import { aliveProbe } from "./probes.ts";
import { injectedResources } from "./resources.ts";
import { sentinelSecurity } from "./security.ts";
import { type PodView, startsWithOurs } from "./view.ts";
import { injectMounts, sentinelMounts } from "./volumes.ts";

/**
 * An init container with restartPolicy Always: it starts before and ends after the server, so a server that is shut down still has its vote. It has no
 * startup probe, which would hold back the server until the sentinel answers, while the sentinel waits for the handlers to give the pod its slot; and no
 * liveness probe, since a sentinel that lost its quorum is healthy and one that is restarted forgets what it saw.
 */
export function sentinelSidecar(view: PodView): JsonObject {
  const { pod, target, context } = view;
  const pullPolicy = field(target.object, "imagePullPolicy");
  return {
    name: INJECTED.sentinelContainer,
    // The same image: it is on the node already, and Sentinel is the same program.
    image: field(target.object, "image") ?? "",
    ...(pullPolicy === undefined ? {} : { imagePullPolicy: pullPolicy }),
    restartPolicy: "Always",
    command: [INJECTED.sentinelCommand],
    ports: [{ name: "redis-sentinel", containerPort: SENTINEL_PORT, protocol: "TCP" }],
    env: groupEnv(view),
    resources: injectedResources(pod, context.config.sentinelResources),
    securityContext: sentinelSecurity(view),
    volumeMounts: sentinelMounts(view),
  };
}

/** For role sentinel: the user's container starts our script; its resources, security context and image stay the user's. */
export function injectSentinelRole(view: PodView, patch: Patch, warnings: string[]): void {
  const { object, index } = view.target;
  const path = ["spec", "containers", index];
  if (!startsWithOurs(object, INJECTED.sentinelCommand)) {
    const [command, args] = [strings(field(object, "command")), strings(field(object, "args"))];
    if (command !== undefined || args !== undefined) {
      warnings.push(`container "${shortName(object)}": its command is replaced, since the role is sentinel`);
    }
    patch.set(path, object, "command", [INJECTED.sentinelCommand]);
    if (args !== undefined) patch.remove([...path, "args"]);
  }
  injectEnv(view, patch, object, path, groupEnv(view));
  injectMounts(patch, object, path, sentinelMounts(view));
  if ((field(object, "readinessProbe") ?? null) === null) {
    // Says "it listens" and no more: whether it has a quorum is nothing that a probe of one pod should decide.
    patch.set(path, object, "readinessProbe", {
      ...(view.settings.tlsSecret === undefined ? { tcpSocket: { port: SENTINEL_PORT } } : aliveProbe(SENTINEL_PORT)),
      periodSeconds: 5,
      timeoutSeconds: 2,
      failureThreshold: 3,
    });
  }
}

function shortName(container: JsonObject): string {
  return String(field(container, "name") ?? "").slice(0, 40);
}
