/** A status as lines of text. Pure. */
import type { Timeline } from "../../handlers/act/timeline.ts";
import { bytes, duration, milliseconds, type Paper, table } from "../paper.ts";
import { nextStep } from "./next-step.ts";
import type { GroupStatus, PodStatus } from "./status.ts";

const NONE = "-";

/** One line for each group. */
export function renderList(groups: readonly GroupStatus[], paper: Paper, now: number): string[] {
  const rows = groups.map((group) => [
    group.namespace,
    group.cluster,
    stateText(group, paper),
    group.master ?? NONE,
    replicasText(group),
    group.sentinels === undefined ? NONE : `${group.sentinels.answering}/${group.sentinels.known}`,
    group.masterSince === undefined ? NONE : duration(now - Date.parse(group.masterSince)),
    group.masterReason ?? NONE,
  ]);
  const head = ["NAMESPACE", "GROUP", "STATE", "MASTER", "REPLICAS", "SENTINELS", "SINCE", "BECAUSE"].map(paper.dim);
  return [...table([head, ...rows]), ...sourceLines(groups[0], paper)];
}

/** Everything about one group. */
export function renderGroup(group: GroupStatus, paper: Paper, now: number): string[] {
  return [
    `${paper.bold(`${group.namespace}/${group.cluster}`)}  ${stateText(group, paper)}`,
    ...masterLines(group, now),
    ...sourceLines(group, paper),
    "",
    ...podLines(group.pods, paper),
    ...(group.sentinels === undefined ? [] : ["", sentinelLine(group, paper)]),
    ...(group.last === undefined ? [] : ["", ...renderTimeline(group.last, paper, now)]),
    ...problemLines(group, paper),
  ];
}

function stateText({ state }: GroupStatus, paper: Paper): string {
  if (state === "ok") return paper.green(state);
  return state === "halted" || state === "masterless" ? paper.red(state) : paper.yellow(state);
}

function replicasText({ pods, source }: GroupStatus): string {
  const replicas = pods.filter(({ role }) => role === "replica" || role === "unknown");
  const good = replicas.filter(({ link, ready }) => (source === "handlers" ? link === "up" : ready === true));
  return `${good.length}/${replicas.length}`;
}

function masterLines(group: GroupStatus, now: number): string[] {
  const since =
    group.masterSince === undefined
      ? ""
      : ` since ${group.masterSince} (${duration(now - Date.parse(group.masterSince))}, ${group.masterReason ?? "?"})`;
  const leads = group.leadsTo.length === 0 ? "nobody" : group.leadsTo.join(", ");
  return [
    `  master   ${group.master ?? "nobody"}${group.master === undefined ? "" : since}`,
    `  Service  ${group.service === "" ? "none yet" : `${group.service} → ${leads}`}`,
    ...(group.outside === undefined ? [] : [`  outside  ${group.outside}`]),
    ...(group.requests.length === 0 ? [] : [`  asked    ${group.requests.join(", ")}`]),
  ];
}

function sourceLines(group: GroupStatus | undefined, paper: Paper): string[] {
  if (group?.sourceProblem === undefined) return [];
  return [
    paper.yellow(`  ! ${group.sourceProblem}`),
    paper.yellow("    shown is what was last written into Kubernetes; offsets, links and sentinels are not known"),
  ];
}

function podLines(pods: readonly PodStatus[], paper: Paper): string[] {
  if (pods.length === 0) return ["  no pods"];
  const rank = { master: 0, replica: 1, unknown: 2, sentinel: 3 } as const;
  const rows = [...pods]
    .sort((a, b) => rank[a.role] - rank[b.role] || (a.name < b.name ? -1 : 1))
    .map((pod) => [
      `  ${pod.name}`,
      pod.role === "master" ? paper.bold(pod.role) : pod.role,
      pod.node ?? NONE,
      pod.link === "up" || pod.link === "" ? pod.link || NONE : paper.yellow(pod.link),
      pod.offset === undefined ? NONE : String(pod.offset),
      pod.lagBytes === undefined ? NONE : bytes(pod.lagBytes),
      pod.keys === undefined ? NONE : String(pod.keys),
      pod.sentinel === "ok" || pod.sentinel === "" ? pod.sentinel || NONE : paper.yellow(pod.sentinel),
      pod.ready === undefined ? NONE : pod.ready ? "yes" : paper.yellow("no"),
      paper.yellow(pod.note),
    ]);
  const head = ["  POD", "ROLE", "NODE", "LINK", "OFFSET", "LAG", "KEYS", "SENTINEL", "IN SYNC", ""];
  return table([head.map(paper.dim), ...rows]);
}

function sentinelLine({ sentinels }: GroupStatus, paper: Paper): string {
  const { answering = 0, known = 0, needed = 0 } = sentinels ?? {};
  const text = `  sentinels  ${answering} of ${known} answer, ${needed} are needed to elect a master`;
  return answering >= needed ? text : paper.red(text);
}

/** One change of master with its steps. */
export function renderTimeline(timeline: Timeline, paper: Paper, now: number): string[] {
  const { kind, startedAt, from, to, cause, outcome, steps } = timeline;
  const ago = duration(now - Date.parse(startedAt));
  return [
    `  last change  ${paper.bold(kind)} ${from || "nobody"} → ${to || "nobody"}, ${ago} ago (${startedAt}), ${outcome}`,
    `    ${paper.dim("because")}  ${cause}`,
    ...stepLines(steps, paper),
  ];
}

export function stepLines(steps: Timeline["steps"], paper: Paper): string[] {
  return table(steps.map(({ step, ms }) => [`    ${paper.dim(step)}`, milliseconds(ms).padStart(10)]));
}

function problemLines(group: GroupStatus, paper: Paper): string[] {
  const problems = [
    ...(group.halted === undefined ? [] : [{ reason: "halted", message: group.halted }]),
    ...group.notices.filter(({ message }) => message !== group.halted),
  ];
  const next = nextStep(group);
  return [
    ...(problems.length === 0 ? [] : [""]),
    ...problems.map(({ reason, message }) => `  ${paper.red("!")} ${paper.bold(reason)}: ${message}`),
    ...(next === undefined ? [] : ["", `  next: ${next}`]),
  ];
}
