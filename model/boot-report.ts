/** What the boot script found before it started the server, carried by the redis parameter `syslog-ident` (see model/names.ts). */

/** Times are ms since 1970 by the node's clock, sizes are bytes; 0 where there is no such file. */
export interface BootReport {
  readonly podUid: string;
  /** when the boot script ran */
  readonly bootedAt: number;
  readonly rdbModifiedAt: number;
  readonly rdbBytes: number;
  readonly aofModifiedAt: number;
  readonly aofBytes: number;
  /** the value that the user's configuration gives to replica-serve-stale-data, to be put back once a master is known */
  readonly serveStaleData: boolean;
  /** the directory is on a volume that outlives the pod */
  readonly appendonly: boolean;
}

/**
 * Reads `redis-ha uid=… boot=… rdb=MTIME:BYTES aof=MTIME:BYTES stale=yes|no aof-on=yes|no` (times in ms).
 * Returns undefined for anything else: a process that our boot script did not start.
 */
export function parseBootReport(text: string): BootReport | undefined {
  const [word, ...pairs] = text.trim().split(/\s+/);
  if (word !== "redis-ha") return undefined;
  const field = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at > 0) field.set(pair.slice(0, at), pair.slice(at + 1));
  }
  const uid = field.get("uid");
  if (uid === undefined || uid === "") return undefined;
  const [rdbModifiedAt, rdbBytes] = numbers(field.get("rdb"));
  const [aofModifiedAt, aofBytes] = numbers(field.get("aof"));
  return {
    podUid: uid,
    bootedAt: numbers(field.get("boot"))[0],
    rdbModifiedAt,
    rdbBytes,
    aofModifiedAt,
    aofBytes,
    serveStaleData: field.get("stale") !== "no",
    appendonly: field.get("aof-on") === "yes",
  };
}

function numbers(text: string | undefined): [number, number] {
  const [first, second] = (text ?? "").split(":").map((part) => Number.parseInt(part, 10));
  return [finite(first), finite(second)];
}

function finite(value: number | undefined): number {
  return value === undefined || !Number.isFinite(value) ? 0 : value;
}
