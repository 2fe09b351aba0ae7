import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_NAME } from "./lifecycle.ts";
import type { Choice } from "./operate.ts";
import { runningLayout } from "./state.ts";

/** The log of one run of a container, as the kubelet keeps it until the pod is gone. */
export type PodLog = { namespace: string; pod: string; container: string; path: string };

/** The logs of all containers on all nodes, ended runs too, as long as their pods exist. */
export function podLogs(choice: Choice = {}): PodLog[] {
  return runningLayout(choice.name ?? DEFAULT_NAME).nodes.flatMap(({ dir }) => logsBelow(join(dir, "log", "pods")));
}

/** The kubelet's folders: NAMESPACE_POD_UID/CONTAINER/RUN.log. A pod may go while it is looked at. */
function logsBelow(folder: string): PodLog[] {
  return entries(folder).flatMap((name) => {
    const [namespace = "", pod = ""] = name.split("_");
    return entries(join(folder, name)).flatMap((container) =>
      entries(join(folder, name, container))
        .filter((file) => file.endsWith(".log"))
        .map((file) => ({ namespace, pod, container, path: join(folder, name, container, file) })),
    );
  });
}

function entries(folder: string): string[] {
  try {
    return existsSync(folder) ? readdirSync(folder) : [];
  } catch {
    return [];
  }
}
