/** A dataset as the chain of what was done to it. Chains share their beginnings, so a copy costs nothing and what two servers have in common can be told. */

export interface Entry {
  readonly before: Entry | undefined;
  /** of the replication stream, after this entry, bytes */
  readonly offset: number;
  /** a client's write; undefined for pings and other things that only move the offset */
  readonly write: string | undefined;
  /** the server became a master here */
  readonly promotion: Promotion | undefined;
  /** writes so far */
  readonly keys: number;
}

export interface Promotion {
  readonly server: string;
  readonly at: number;
}

export const EMPTY: Entry = { before: undefined, offset: 0, write: undefined, promotion: undefined, keys: 0 };

export function append(before: Entry, bytes: number, write?: string): Entry {
  const keys = before.keys + (write === undefined ? 0 : 1);
  return { before, offset: before.offset + bytes, write, promotion: undefined, keys };
}

export function promoted(before: Entry, promotion: Promotion): Entry {
  return { before, offset: before.offset, write: undefined, promotion, keys: before.keys };
}

/** The same data, counted from another offset: what a restart from an append-only file gives. */
export function recounted(before: Entry, offset: number): Entry {
  return { before, offset, write: undefined, promotion: undefined, keys: before.keys };
}

/** The entry of a chain that ends at this offset, looking back; undefined when the chain has none (or is counted differently there). */
export function entryAt(head: Entry, offset: number): Entry | undefined {
  let at: Entry | undefined = head;
  while (at !== undefined && at.offset > offset) {
    if (at.before !== undefined && at.before.offset > at.offset) return undefined;
    at = at.before;
  }
  return at !== undefined && at.offset === offset ? at : undefined;
}

/** All writes of a dataset. */
export function writesOf(head: Entry | undefined): Set<string> {
  const found = new Set<string>();
  for (let at = head; at !== undefined; at = at.before) if (at.write !== undefined) found.add(at.write);
  return found;
}

/** What a volume holds of one server. */
export interface Disk {
  readonly kind: "rdb" | "aof" | "none";
  head: Entry;
  replid: string;
  /** by the node's clock, ms since 1970; 0: no file yet */
  modifiedAt: number;
}
