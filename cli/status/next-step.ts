/** What a person can do about a group's state: one sentence with the command, or nothing. Pure. */
import { REASON } from "../../model/reasons.ts";
import type { GroupStatus } from "./status.ts";

export function nextStep(group: GroupStatus): string | undefined {
  const name = `${group.namespace}/${group.cluster}`;
  if (group.halted?.startsWith(REASON.HaltedSecretMissing)) return "put the Secret back, with the command above";
  if (group.source === "kubernetes") return "redis-ha doctor";
  const has = (reason: string): boolean => group.notices.some((notice) => notice.reason === reason);
  if (group.state === "halted") {
    const candidate = [...group.pods].sort((a, b) => (b.keys ?? -1) - (a.keys ?? -1)).find(({ keys }) => keys !== undefined);
    return `bring the missing pods back, or choose by hand: redis-ha promote ${name} ${candidate?.name ?? "POD"} (it shows first what would be lost)`;
  }
  if (has(REASON.QuorumLost))
    return `start the missing sentinels: kubectl -n ${group.namespace} get pods -l redis-ha.io/has-sentinel=true`;
  if (group.pods.length === 0) return `scale the workload of ${name} up again`;
  if (group.state === "masterless" || group.state === "waiting")
    return `redis-ha status ${name} --watch; if it lasts, kubectl -n ${group.namespace} describe service ${group.service || "…"}`;
  return undefined;
}
