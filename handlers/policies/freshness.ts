/** Which of several restarted nodes holds the freshest data (ADR 0013). Pure. */
import type { MasterRecord } from "../../model/facts.ts";
import type { RedisMember } from "./view.ts";

/** The pod, or the volume, that held the last confirmed master's data. */
export function isLastMaster({ member }: RedisMember, record: MasterRecord): boolean {
  return member.pod.uid === record.uid || (record.volume !== undefined && member.pod.volume === record.volume);
}

/** Newest modification of a data file before the server touched it, ms since 1970; 0 when there was none. */
export function fileTime({ redis }: RedisMember): number {
  return Math.max(redis.report?.rdbModifiedAt ?? 0, redis.report?.aofModifiedAt ?? 0);
}

/**
 * Freshest first (ADR 0013). Never an empty node before one with data. Then a node of the last master's history that says master: a promotion that was
 * begun and not finished. Then the last master's own pod or volume, where its offset can't be compared (an AOF restart begins a new, random history).
 * Then, among nodes of its replication history, the offset (a snapshot of the last master that is of an earlier history is older than all of these): two snapshots of one history are earlier and later states of the same data, and the last
 * master's own may be the earlier one, if it was killed. The same among snapshots of the history that the last master's own is of: one from before its promotion is
 * older than what its predecessor saved when it ended in order. Then the last master, the files' times, more keys, one that is not being deleted, the name.
 */
export function rankByData(nodes: readonly RedisMember[], record: MasterRecord | undefined): RedisMember[] {
  const snapshot = record && nodes.find((one) => isLastMaster(one, record) && comparable(one, record));
  const besideSnapshot = ({ redis }: RedisMember): boolean => redis.replid !== "" && redis.replid === snapshot?.redis.replid;
  const grade = (one: RedisMember): readonly number[] => [
    one.redis.keys > 0 ? 1 : 0,
    one.redis.role === "master" && ofHistory(one, record) ? 1 : 0,
    record !== undefined && isLastMaster(one, record) && !comparable(one, record) ? 1 : 0,
    ofHistory(one, record) ? one.redis.offset : 0,
    besideSnapshot(one) ? one.redis.offset : 0,
    record !== undefined && isLastMaster(one, record) ? 1 : 0,
    fileTime(one),
    one.redis.keys,
    one.member.pod.terminating ? 0 : 1,
  ];
  return [...nodes].sort((a, b) => {
    const left = grade(a);
    const right = grade(b);
    for (let at = 0; at < left.length; at += 1) {
      const difference = (right[at] ?? 0) - (left[at] ?? 0);
      if (difference !== 0) return difference;
    }
    return a.member.pod.name < b.member.pod.name ? -1 : 1;
  });
}

/**
 * An append-only file says nothing of its history. A snapshot does: one of another history than the record's was made before the last master became one, and
 * anything of the record's own history is later.
 */
function comparable(one: RedisMember, record: MasterRecord): boolean {
  return ofHistory(one, record) || one.redis.report?.appendonly === false;
}

/** A snapshot from before the last master became one: whoever had been master until then, or had followed it, may have saved later. */
export function isFromBefore(one: RedisMember, record: MasterRecord): boolean {
  return (record.replid ?? "") !== "" && one.redis.report?.appendonly === false && !ofHistory(one, record);
}

function ofHistory({ redis }: RedisMember, record: MasterRecord | undefined): boolean {
  const replid = record?.replid;
  return replid !== undefined && replid !== "" && (redis.replid === replid || redis.replid2 === replid);
}

/** Why the first of rankByData was taken, for the Event. Says the same from round to round, so that it is told once. */
export function grounds(chosen: RedisMember, record: MasterRecord | undefined): string {
  const time = fileTime(chosen);
  const age = time === 0 ? "" : `, its files were last written at ${new Date(time).toISOString()}`;
  const keys = `${chosen.redis.keys} keys`;
  if (record !== undefined && chosen.member.pod.uid === record.uid) return `it was the last master (same pod), ${keys}${age}`;
  if (record !== undefined && isLastMaster(chosen, record))
    return `its volume ${record.volume ?? ""} was the last master's, ${keys}${age}`;
  if (ofHistory(chosen, record)) return `highest offset ${chosen.redis.offset} of the last master's history, ${keys}${age}`;
  if (time > 0) return `newest data files, ${keys}${age}`;
  return chosen.redis.keys > 0 ? `most keys: ${keys}` : "no node has data";
}
