/** Durations as people write them in annotations: `2500ms`, `5s`, `2m`, `1h`, or a bare number in the unit of the setting. */

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** The longest duration that any setting takes: above it a value is surely a slip of the unit (and Redis' own limits are far). */
export const LONGEST_MS = 24 * UNIT_MS.h;

/**
 * Reads a duration in milliseconds; undefined for anything that is not one. Fractions, signs, spaces and sums (`1m30s`) are not taken, so that
 * the same text never means two things.
 * @example parseDuration("2500ms") // 2500
 * @example parseDuration("5s")     // 5000
 * @example parseDuration("10", "s") // 10000
 */
export function parseDuration(text: string, bareUnit: keyof typeof UNIT_MS = "ms"): number | undefined {
  const match = /^([0-9]{1,9})(ms|s|m|h)?$/.exec(text);
  if (match === null) return undefined;
  const unit = (match[2] ?? bareUnit) as keyof typeof UNIT_MS;
  const value = Number(match[1]) * UNIT_MS[unit];
  return value <= LONGEST_MS ? value : undefined;
}

/**
 * Writes a duration the shortest way that parseDuration reads back.
 * @example formatDuration(5000) // "5s"
 */
export function formatDuration(ms: number): string {
  for (const unit of ["h", "m", "s"] as const) if (ms > 0 && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`;
  return `${ms}ms`;
}
