/** All checks over all facts, the gravest findings first; and how they are shown. Pure. */
import { EXIT } from "../exit.ts";
import type { Paper } from "../paper.ts";
import { certificates, clocks, dns, installed, permissions, versions } from "./checks.ts";
import { exposure } from "./exposure-check.ts";
import { bySeverity, type Check, type Facts, type Finding } from "./findings.ts";
import { annotations, injection, selectors, states } from "./group-checks.ts";
import { networks } from "./network-check.ts";
import { risks } from "./risks.ts";
import { groupCertificates } from "./tls.ts";

const CHECKS: readonly Check[] = [
  installed,
  certificates,
  groupCertificates,
  permissions,
  versions,
  dns,
  clocks,
  states,
  annotations,
  injection,
  networks,
  selectors,
  exposure,
  risks,
];

export const examine = (facts: Facts): Finding[] => CHECKS.flatMap((check) => check(facts)).sort(bySeverity);

/** 0: nothing, or hints only. 1: warnings. 2: something is broken. */
export function exitCode(findings: readonly Finding[]): number {
  if (findings.some(({ level }) => level === "broken")) return EXIT.broken;
  return findings.some(({ level }) => level === "warning") ? EXIT.findings : EXIT.ok;
}

export function renderFindings(findings: readonly Finding[], unread: readonly string[], groups: number, paper: Paper): string[] {
  const colour = { broken: paper.red, warning: paper.yellow, hint: paper.dim };
  const count = (level: Finding["level"]): number => findings.filter((one) => one.level === level).length;
  return [
    ...findings.flatMap(({ level, check, message, mend }) => [
      `${colour[level](level)} ${paper.dim(check)}: ${message}`,
      `  mend: ${mend}`,
    ]),
    ...unread.map((what) => `${paper.dim("not looked at")}: ${what}`),
    findings.length === 0
      ? `${paper.green("ok")}: ${groups} groups and the installation were looked at, nothing to mend`
      : `${groups} groups: ${count("broken")} broken, ${count("warning")} warnings, ${count("hint")} hints`,
  ];
}
