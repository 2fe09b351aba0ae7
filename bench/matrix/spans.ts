/** Times in which something held. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export interface Change {
  readonly at: number;
  readonly writable: boolean;
}

/** The spans of "writable" in a list of changes; one that is still on ends `now`. */
export function spansOf(changes: readonly Change[], now: number): Span[] {
  const spans: Span[] = [];
  let from: number | undefined;
  for (const { at, writable } of changes) {
    if (writable) from ??= at;
    else if (from !== undefined) {
      spans.push({ from, to: at });
      from = undefined;
    }
  }
  return from === undefined ? spans : [...spans, { from, to: now }];
}

/** How long two or more of the lists were on at the same time. */
export function overlapMs(lists: readonly (readonly Span[])[]): number {
  const edges = lists.flatMap((spans) =>
    spans.flatMap(({ from, to }) => [
      { at: from, step: 1 },
      { at: to, step: -1 },
    ]),
  );
  // At the same instant an end comes before a beginning.
  edges.sort((one, other) => one.at - other.at || one.step - other.step);
  let on = 0;
  let since = 0;
  let total = 0;
  for (const { at, step } of edges) {
    if (on >= 2) total += at - since;
    on += step;
    since = at;
  }
  return total;
}
