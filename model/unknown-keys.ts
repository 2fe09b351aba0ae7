/** Warnings about keys with our prefix that we do not know, or that are in the wrong place. */

import { ANNOTATION, IN_SYNC_GATE, LABEL, MARK, PREFIX, REQUEST } from "./names.ts";
import { nearestName } from "./nearest.ts";

const PLANNED: readonly string[] = [`${PREFIX}preferred-node`];
const WRITTEN_BY_PEOPLE: readonly string[] = Object.values(ANNOTATION);
const ON_THE_SERVICE: readonly string[] = Object.values(REQUEST);
const WRITTEN_BY_US: readonly string[] = [...Object.values(MARK), ...Object.values(LABEL), IN_SYNC_GATE];
/** the only settings that also work as labels */
const LABELS_TOO: readonly string[] = [ANNOTATION.cluster, ANNOTATION.role];

type StringMap = Readonly<Record<string, string>>;

/** One warning per key, each at most 120 characters. */
export function unknownKeys(annotations: StringMap, labels: StringMap): string[] {
  const warnings: string[] = [];
  for (const key of ours(annotations)) {
    if (WRITTEN_BY_PEOPLE.includes(key) || WRITTEN_BY_US.includes(key)) continue;
    if (PLANNED.includes(key)) warnings.push(`${key} is not yet supported: it has no effect`);
    else if (ON_THE_SERVICE.includes(key)) warnings.push(`${key} belongs on the master Service: it has no effect here`);
    else warnings.push(didYouMean(key));
  }
  for (const key of ours(labels)) {
    if (WRITTEN_BY_US.includes(key) || LABELS_TOO.includes(key)) continue;
    if (WRITTEN_BY_PEOPLE.includes(key)) warnings.push(`${key} has no effect as a label: make it an annotation`);
    else warnings.push(didYouMean(key));
  }
  return warnings;
}

function ours(map: StringMap): string[] {
  return Object.keys(map).filter((key) => key.startsWith(PREFIX));
}

function didYouMean(key: string): string {
  const near = nearestName(
    key.slice(PREFIX.length),
    WRITTEN_BY_PEOPLE.map((name) => name.slice(PREFIX.length)),
  );
  const shown = key.length > 60 ? `${key.slice(0, 57)}...` : key;
  return near === undefined
    ? `${shown} is not an annotation of redis-ha`
    : `${shown} is not known: did you mean ${PREFIX}${near}?`;
}
