/** A plan as lines of text, to be compared with what a scenario file expects. */
import type { MemberFact } from "../../model/facts.ts";
import type { Action } from "../../model/plan.ts";
import { nameAt } from "./expand.ts";

const list = (members: readonly MemberFact[]): string => members.map(({ pod }) => pod.name).join(" ") || "nobody";
const pairs = (values: object): string =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(" ");

export function render(action: Action): string {
  switch (action.kind) {
    case "route": {
      const cut = action.previous === undefined ? "" : `, cut ${nameAt(action.previous.ip)}`;
      return `route ${action.pod.name} epoch ${action.epoch} ${action.reason}${action.recordOnly ? " record only" : ""}${cut}`;
    }
    case "claim":
      return `claim ${action.pod.name}`;
    case "restore-record":
      return `record ${action.pod?.name ?? `nobody at ${action.address.ip}`} epoch ${action.epoch}`;
    case "promote": {
      const old = action.old === undefined ? "nobody" : nameAt(action.old.ip);
      const who = `promote ${list(action.candidates)} for ${action.cause} after ${old}`;
      return `${who}: votes ${action.votes} epoch ${action.epoch} others ${list(action.others)} told ${list(action.sentinels)}${action.byMonitor === true ? " by MONITOR" : ""}`;
    }
    case "sentinel-failover":
      return `ask sentinel ${action.sentinel.pod.name} for a failover${action.voters.length === 0 ? "" : ` after votes of ${list(action.voters)}`}`;
    case "handover":
      return (
        `handover ${action.from.pod.name} to ${list(action.candidates)}${action.by === "sentinel" ? " by Sentinel" : ""}: votes ${action.votes} epoch ${action.epoch} ` +
        `others ${list(action.others)} told ${list(action.sentinels)}`
      );
    case "fence":
      return `fence ${action.member.pod.name} below ${nameAt(action.master.ip)}`;
    case "copy":
      return `copy from ${nameAt(action.from.ip)} to ${nameAt(action.to.ip)}`;
    case "adopt":
      return `adopt ${action.outsider.pod} by ${action.member.pod.name} epoch ${action.epoch}`;
    case "release":
      return `release ${action.member.pod.name} to ${action.outsider.pod}`;
    case "attach":
      return `attach ${action.member.pod.name} to ${nameAt(action.master.ip)}`;
    case "configure-redis":
      return `configure ${action.member.pod.name} ${pairs(action.parameters)}`;
    case "monitor":
      return `monitor at ${action.member.pod.name}: ${nameAt(action.master.ip)}${action.replace ? " replacing" : ""} quorum ${action.settings.quorum}`;
    case "hello":
      return `hello to ${action.member.pod.name}: ${nameAt(action.master.ip)} epoch ${action.epoch}`;
    case "set-sentinel":
      return `set at ${action.member.pod.name} ${pairs({ ...action.settings, ...action.periods })}`;
    case "forget":
      return `forget at ${action.member.pod.name}: ${action.ghosts.join(" ")}`;
    case "restart-sentinel":
      return `restart the sentinel of ${action.member.pod.name}`;
    case "give-slot":
      return `slot ${action.slot} for ${action.pod.name}`;
    case "mark-pod": {
      const sync = action.inSync === undefined ? "" : action.inSync ? " in sync" : " not in sync";
      return `mark ${action.pod.name}${action.role === undefined ? "" : ` ${action.role}`}${sync}`;
    }
    case "mark-service": {
      const cleared = action.clearRequests.length === 0 ? "" : ` clear ${action.clearRequests.join(" ")}`;
      return `mark service ${action.halted === undefined ? "not halted" : `halted ${action.halted.split(":")[0] ?? ""}`}${cleared}`;
    }
    case "unpause":
      return `unpause ${action.member.pod.name}`;
    case "cut":
      return `cut ${nameAt(action.previous.ip)}`;
  }
}
