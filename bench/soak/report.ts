/** The report of a soak, as Markdown between the markers of a file. */
import { quantile } from "../failover/results.ts";
import { circumstances, replaceBetween, table } from "../markdown.ts";
import type { Episode } from "./episode.ts";
import type { Flat } from "./flat.ts";
import type { GroupVerdict } from "./judge.ts";

export interface SoakResults {
  readonly about: Readonly<Record<string, string | number>>;
  readonly episodes: Episode[];
  handlers: { readonly pod: string; readonly flat: Flat | undefined; readonly minutes: number }[];
}

const BEGIN = "<!-- results: npm run soak -- --json FILE --table THIS -->";
const END = "<!-- end of results -->";

export function writeReport(file: string, results: SoakResults): void {
  replaceBetween(file, [BEGIN, END], report(results));
}

export function report({ about, episodes, handlers }: SoakResults): string {
  const parts = [circumstances(about), groupsTable(episodes), faultsTable(episodes), handlersTable(handlers)];
  const broken = episodes.flatMap(({ number, groups }) =>
    groups.filter(isBroken).map((one) => `- episode ${number}, ${one.kind}: ${whatBroke(one)}`),
  );
  parts.push(broken.length === 0 ? "No invariant was broken." : `Broken:\n\n${broken.join("\n")}`);
  return parts.join("\n\n");
}

const isBroken = ({ inv1, inv2, inv3 }: GroupVerdict): boolean => !(inv1 && inv2 && inv3);

export function whatBroke({ inv1, inv2, inv3, ...one }: GroupVerdict): string {
  const told = [
    inv1 ? "" : `INV1: ${one.addresses} addresses, two writable for ${Math.round(one.twoWritableMs)} ms`,
    inv2 ? "" : `INV2: ${one.lost} of ${one.acked} lost, ${one.allowedLoss} may be`,
    inv3 ? "" : `INV3: not whole in 60 s: ${one.missing}`,
  ];
  return told.filter((text) => text !== "").join("; ");
}

function groupsTable(episodes: readonly Episode[]): string {
  const kinds = [...new Set(episodes.flatMap(({ groups }) => groups.map(({ kind }) => kind)))];
  const rows = kinds.map((kind) => {
    const all = episodes.flatMap(({ groups }) => groups.filter((one) => one.kind === kind));
    const sum = (pick: (one: GroupVerdict) => number): number => all.reduce((total, one) => total + pick(one), 0);
    const whole = all.flatMap(({ convergedMs }) => convergedMs ?? []);
    return [
      kind,
      `${sum(({ lost }) => lost)} of ${sum(({ acked }) => acked)}`,
      String(sum(({ allowedLoss }) => allowedLoss)),
      ms(Math.max(...all.map(({ gapMs }) => gapMs))),
      ms(Math.max(...all.map(({ twoWritableMs }) => twoWritableMs))),
      `${ms(quantile(whole, 0.5))}, ${ms(Math.max(0, ...whole))}`,
      [held(all, ({ inv1 }) => inv1), held(all, ({ inv2 }) => inv2), held(all, ({ inv3 }) => inv3)].join(" "),
    ];
  });
  return table(["group", "lost", "may lose", "longest gap", "two writable", "whole after, p50, worst", "INV1 2 3"], rows);
}

const held = (all: readonly GroupVerdict[], pick: (one: GroupVerdict) => boolean): string => {
  const broken = all.filter((one) => !pick(one)).length;
  return broken === 0 ? "✓" : `✗${broken}`;
};

function faultsTable(episodes: readonly Episode[]): string {
  const counts = new Map<string, number>();
  for (const { struck } of episodes) for (const { what } of struck) counts.set(what, (counts.get(what) ?? 0) + 1);
  const rows = [...counts].sort((a, b) => b[1] - a[1]).map(([what, count]) => [what, String(count)]);
  return table(["fault", "times"], rows);
}

function handlersTable(handlers: SoakResults["handlers"]): string {
  const rows = handlers.flatMap(({ pod, flat }) =>
    flat === undefined
      ? []
      : [
          [
            pod,
            `${flat.minutes} min`,
            `${flat.rssFrom} → ${flat.rssTo} MiB, most ${flat.rssMost}`,
            `${flat.rssPerHour} MiB/h ${flat.memoryFlat ? "✓" : "✗"}`,
            `${flat.socketsFrom} → ${flat.socketsTo} ${flat.connectionsFlat ? "✓" : "✗"}`,
          ],
        ],
  );
  if (rows.length === 0) return "No process of the handlers lived long enough for its memory to be judged.";
  return table(["handler", "judged for", "resident memory", "slope", "open sockets"], rows);
}

const ms = (value: number): string => (value >= 10_000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`);
