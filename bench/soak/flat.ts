/** Whether a process' memory and connections stayed flat. Pure. */

/** One look at a process. */
export interface Sample {
  /** ms since 1970 */
  readonly at: number;
  readonly rssMiB: number;
  /** open sockets of all kinds */
  readonly sockets: number;
  /** nothing was wrong in the cluster at that moment */
  readonly calm: boolean;
}

export interface Flat {
  readonly minutes: number;
  /** after the warm-up: the lowest of the first and of the last bucket, MiB */
  readonly rssFrom: number;
  readonly rssTo: number;
  readonly rssMost: number;
  /** growth by the line through the buckets' lowest values, MiB per hour */
  readonly rssPerHour: number;
  /** in calm moments, the median of the first and of the last third */
  readonly socketsFrom: number;
  readonly socketsTo: number;
  readonly memoryFlat: boolean;
  readonly connectionsFlat: boolean;
}

/** A process has loaded its code and has grown its heap to its working size by then, ms. */
const WARM_UP_MS = 180_000;
/** Shorter lives say nothing, ms. */
const LEAST_MS = 300_000;
/** Garbage comes and goes within a bucket; its lowest value is what stays, ms. */
const BUCKET_MS = 60_000;
/**
 * The most that the line may rise over the time that was looked at, MiB. A leak of one link's buffers or of one round's facts per fault is far above
 * it: 180 faults of half an hour at 100 KiB each are 18 MiB.
 */
const MOST_GROWTH_MIB = 12;
/** Links to pods that just came or went, a request under way. */
const MOST_SOCKETS_MORE = 4;

/**
 * Judges one process' life; undefined: too short to say anything.
 * @param warmUpMs what is left out at its beginning
 */
export function judgeFlat(samples: readonly Sample[], warmUpMs = WARM_UP_MS, leastMs = LEAST_MS): Flat | undefined {
  const born = samples[0]?.at ?? 0;
  const warm = samples.filter(({ at }) => at - born >= warmUpMs);
  const [first, last] = [warm[0], warm.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < leastMs) return undefined;
  const buckets = lowest(warm, first.at);
  const perMs = slope(buckets);
  const span = last.at - first.at;
  const calm = warm.filter((one) => one.calm).map(({ sockets }) => sockets);
  const third = Math.max(1, Math.floor(calm.length / 3));
  const [socketsFrom, socketsTo] = [median(calm.slice(0, third)), median(calm.slice(-third))];
  return {
    minutes: round(span / 60_000),
    rssFrom: buckets[0]?.value ?? 0,
    rssTo: buckets.at(-1)?.value ?? 0,
    rssMost: Math.max(...warm.map(({ rssMiB }) => rssMiB)),
    rssPerHour: round(perMs * 3_600_000),
    socketsFrom,
    socketsTo,
    memoryFlat: perMs * span <= MOST_GROWTH_MIB,
    connectionsFlat: calm.length >= 3 && socketsTo - socketsFrom <= MOST_SOCKETS_MORE,
  };
}

interface Point {
  readonly at: number;
  readonly value: number;
}

function lowest(samples: readonly Sample[], from: number): Point[] {
  const found = new Map<number, Point>();
  for (const { at, rssMiB } of samples) {
    const bucket = Math.floor((at - from) / BUCKET_MS);
    const known = found.get(bucket);
    if (known === undefined || rssMiB < known.value) found.set(bucket, { at, value: rssMiB });
  }
  return [...found.values()];
}

/** By least squares, per ms. */
function slope(points: readonly Point[]): number {
  const count = points.length;
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / count;
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / count;
  const above = points.reduce((sum, { at, value }) => sum + (at - meanAt) * (value - meanValue), 0);
  const below = points.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0);
  return below === 0 ? 0 : above / below;
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}

const round = (value: number): number => Math.round(value * 10) / 10;
