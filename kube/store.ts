/** The objects of one watch, and how lists and events are brought together. No I/O. */

import { type KubeList, type KubeObject, keyOf } from "./types.ts";

export type Change = "ADDED" | "MODIFIED" | "DELETED";

export interface Store<T> {
  readonly items: ReadonlyMap<string, T>;
  /** One event of a watch. What was learnt before it is not undone by it. */
  apply(type: Change, object: T): void;
  /** What the server answered to a write or a read beside the watch: kept if it is newer than what is here. One that is not here may be deleted, and stays away. */
  learn(object: T): void;
  /** A list is the whole truth: nothing was streaming beside it. */
  replace(list: KubeList<T>): void;
  /** A list that runs beside the stream: call before it is sent, and the result with its answer. Whatever is newer wins. */
  beginMerge(): (list: KubeList<T>) => void;
}

/** `onChange` is told of every difference, in order. */
export function createStore<T extends KubeObject>(onChange: (type: Change, object: T) => void): Store<T> {
  const items = new Map<string, T>();
  /** What the stream deleted while a list was on its way, with the version of the deletion; undefined when none is. */
  let deleted: Map<string, bigint> | undefined;

  function put(key: string, object: T): void {
    // Half of an object's size, and of no use to us.
    delete object.metadata?.managedFields;
    const before = items.get(key);
    if (before && before.metadata?.resourceVersion === object.metadata?.resourceVersion) return;
    items.set(key, object);
    onChange(before ? "MODIFIED" : "ADDED", object);
  }

  function drop(key: string, last: T): void {
    deleted?.set(key, versionOf(last));
    if (items.delete(key)) onChange("DELETED", last);
  }

  return {
    items,
    apply: (type, object) => {
      const key = keyOf(object);
      const known = items.get(key);
      if (type === "DELETED") drop(key, object);
      else if (known === undefined || versionOf(object) >= versionOf(known)) put(key, object);
    },
    learn: (object) => {
      const key = keyOf(object);
      const known = items.get(key);
      if (known !== undefined && known.metadata?.uid === object.metadata?.uid && versionOf(object) > versionOf(known))
        put(key, object);
    },
    replace: (list) => {
      const listed = new Set(list.items.map(keyOf));
      for (const [key, object] of [...items]) if (!listed.has(key)) drop(key, object);
      for (const object of list.items) put(keyOf(object), object);
    },
    beginMerge: () => {
      const tombs = new Map<string, bigint>();
      deleted = tombs;
      return (list) => {
        if (deleted === tombs) deleted = undefined;
        const listedAt = parse(list.metadata?.resourceVersion);
        const listed = new Set(list.items.map(keyOf));
        for (const [key, object] of [...items]) if (!listed.has(key) && versionOf(object) <= listedAt) drop(key, object);
        for (const object of list.items) {
          const key = keyOf(object);
          const known = items.get(key);
          const newest = known ? versionOf(known) : (tombs.get(key) ?? -1n);
          if (versionOf(object) > newest) put(key, object);
        }
      };
    },
  };
}

/** An object's resourceVersion. Those of one kind are ordered numbers (promised since Kubernetes 1.35, true of etcd since ever). */
export const versionOf = (object: KubeObject): bigint => parse(object.metadata?.resourceVersion);

const parse = (text: string | undefined): bigint => (text !== undefined && /^\d+$/.test(text) ? BigInt(text) : 0n);
