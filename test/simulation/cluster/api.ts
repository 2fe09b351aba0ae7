/**
 * A model of the Kubernetes API server: objects with resourceVersions, conditional writes, watches, and its bad days. Objects are never changed in place.
 */
import fastJsonPatch, { type Operation } from "fast-json-patch";
import { errorFromAnswer, type KubeError } from "../../../kube/error.ts";
import type { Host, World } from "../world/world.ts";

export type Json = { [key: string]: unknown };

export interface Meta {
  name: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  ownerReferences?: Json[];
}

export interface Thing {
  readonly metadata: Meta;
  readonly spec?: Json;
  readonly status?: Json;
  readonly [key: string]: unknown;
}

export interface Watcher {
  readonly plural: string;
  readonly matches: (thing: Thing) => boolean;
  readonly tell: (type: "ADDED" | "MODIFIED" | "DELETED", thing: Thing) => void;
  readonly broken: () => void;
}

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly contentType: string;
}

const failure = (status: number, reason: string, message: string): KubeError =>
  errorFromAnswer("request", status, JSON.stringify({ reason, message }), undefined);

/** `/api/v1/namespaces/ns/pods/name/status` in its parts */
function parts(path: string): { plural: string; namespace: string; name: string | undefined; sub: string | undefined } {
  const words = path.split("/").filter((word) => word !== "");
  const rest = words.slice(words[0] === "api" ? 2 : 3);
  if (rest[0] === "namespaces" && rest.length > 2)
    return { namespace: rest[1] ?? "", plural: rest[2] ?? "", name: rest[3], sub: rest[4] };
  return { namespace: "", plural: rest[0] ?? "", name: rest[1], sub: rest[2] };
}

export class ApiServer {
  readonly world: World;
  readonly host: Host;
  /** "refuses": its process is gone; "hangs": it takes requests and does not answer */
  state: "well" | "refuses" | "hangs" = "well";
  slowMs = 0;
  /** watches of these processes tell what happened so much later, ms */
  staleMs = 0;
  readonly #things = new Map<string, Thing>();
  readonly #watchers = new Set<Watcher>();
  readonly #removed: { plural: string; thing: Thing }[] = [];
  #version = 1000;
  #hung: (() => void)[] = [];

  constructor(world: World, host: Host) {
    this.world = world;
    this.host = host;
  }

  // What controllers and kubelets of the simulation use: immediate, and always well.

  get<T extends Thing = Thing>(plural: string, namespace: string, name: string): T | undefined {
    return this.#things.get(`${plural}/${namespace}/${name}`) as T | undefined;
  }

  list(plural: string): Thing[] {
    return [...this.#things].flatMap(([key, thing]) => (key.startsWith(`${plural}/`) ? [thing] : []));
  }

  put(
    plural: string,
    thing: Omit<Thing, "metadata"> & { metadata: Omit<Meta, "uid" | "resourceVersion"> & { uid?: string } },
  ): Thing {
    const { namespace = "", name } = thing.metadata;
    const key = `${plural}/${namespace}/${name}`;
    const known = this.#things.get(key);
    this.#version += 1;
    const stored: Thing = {
      ...thing,
      metadata: {
        creationTimestamp: this.wallTime(),
        ...thing.metadata,
        uid: thing.metadata.uid ?? known?.metadata.uid ?? this.world.random.hex(12),
        resourceVersion: String(this.#version),
      },
    };
    this.#things.set(key, stored);
    this.#notify(plural, known === undefined ? "ADDED" : "MODIFIED", stored);
    return stored;
  }

  remove(plural: string, namespace: string, name: string): void {
    const key = `${plural}/${namespace}/${name}`;
    const known = this.#things.get(key);
    if (known === undefined) return;
    this.#things.delete(key);
    this.#version += 1;
    const last: Thing = { ...known, metadata: { ...known.metadata, resourceVersion: String(this.#version) } };
    this.#removed.push({ plural, thing: last });
    this.#notify(plural, "DELETED", last);
  }

  removedSince(plural: string, version: number): Thing[] {
    return this.#removed.flatMap((one) =>
      one.plural === plural && Number(one.thing.metadata.resourceVersion) > version ? [one.thing] : [],
    );
  }

  wallTime(): string {
    return new Date(Date.UTC(2026, 0, 1) + this.world.now).toISOString();
  }

  watch(watcher: Watcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  #notify(plural: string, type: "ADDED" | "MODIFIED" | "DELETED", thing: Thing): void {
    for (const watcher of this.#watchers) if (watcher.plural === plural && watcher.matches(thing)) watcher.tell(type, thing);
  }

  /** It was restarted: all watches break. */
  breakWatches(): void {
    for (const watcher of [...this.#watchers]) watcher.broken();
  }

  become(state: ApiServer["state"]): void {
    const before = this.state;
    this.state = state;
    if (state === "refuses") this.breakWatches();
    if (before !== "hangs" || state === "hangs") return;
    // Some of what it took in is done after all, though nobody waits any more.
    for (const run of this.#hung.splice(0)) if (this.world.random.chance(0.5)) run();
  }

  hang(run: () => void): void {
    this.#hung.push(run);
  }

  // What a client's request does.

  handle(call: Call): unknown {
    const { plural, namespace, name, sub } = parts(call.path);
    if (call.method === "GET")
      return name === undefined ? this.#listing(plural, namespace, call.query) : this.#one(plural, namespace, name);
    if (call.method === "POST") return this.#create(plural, namespace, call.body as Thing);
    if (name === undefined) throw failure(405, "MethodNotAllowed", call.path);
    if (call.method === "PUT") return this.#replace(plural, namespace, name, call.body as Thing);
    if (call.method === "PATCH" && Array.isArray(call.body))
      return this.#jsonPatch(plural, namespace, name, call.body as Operation[]);
    if (call.method === "PATCH") return this.#patch(plural, namespace, name, sub, call.body as Json);
    throw failure(405, "MethodNotAllowed", call.method);
  }

  #one(plural: string, namespace: string, name: string): Thing {
    const found = this.get(plural, namespace, name);
    if (found === undefined) throw failure(404, "NotFound", `${plural} "${name}" not found`);
    return found;
  }

  #listing(plural: string, namespace: string, query: URLSearchParams): unknown {
    const matches = selector(query);
    // Copies at the top, as the wire would make them: the product's watch strips what it does not need.
    const items = this.list(plural)
      .filter((one) => (namespace === "" || one.metadata.namespace === namespace) && matches(one))
      .map((one) => ({ ...one, metadata: { ...one.metadata } }));
    return { metadata: { resourceVersion: String(this.#version) }, items };
  }

  #create(plural: string, namespace: string, body: Thing): Thing {
    const { name } = body.metadata;
    if (this.get(plural, namespace, name) !== undefined)
      throw failure(409, "AlreadyExists", `${plural} "${name}" already exists`);
    const { stringData, ...rest } = body as Thing & { stringData?: Record<string, string> };
    const data =
      stringData === undefined
        ? {}
        : {
            data: Object.fromEntries(
              Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
            ),
          };
    return this.put(plural, { ...rest, ...data, metadata: { ...body.metadata, ...(namespace === "" ? {} : { namespace }) } });
  }

  #check(known: Thing, given: Json | undefined): void {
    const { resourceVersion, uid } = known.metadata;
    const { resourceVersion: wantedVersion, uid: wantedUid } = given ?? {};
    if (wantedUid !== undefined && wantedUid !== uid)
      throw failure(409, "Conflict", "the UID in the precondition does not match");
    if (wantedVersion !== undefined && wantedVersion !== resourceVersion)
      throw failure(
        409,
        "Conflict",
        "the object has been modified; please apply your changes to the latest version and try again",
      );
  }

  #replace(plural: string, namespace: string, name: string, body: Thing): Thing {
    const known = this.#one(plural, namespace, name);
    this.#check(known, body.metadata as unknown as Json);
    return this.put(plural, { ...body, metadata: { ...known.metadata, ...body.metadata, uid: known.metadata.uid } });
  }

  /** RFC 6902; a test for null holds where there is nothing, and a test that fails is 422, as at the real API server. */
  #jsonPatch(plural: string, namespace: string, name: string, operations: readonly Operation[]): Thing {
    const known = this.#one(plural, namespace, name);
    const absent = ({ op, path, ...rest }: Operation): boolean =>
      op === "test" && (rest as { value?: unknown }).value === null && fastJsonPatch.getValueByPointer(known, path) === undefined;
    try {
      const { newDocument } = fastJsonPatch.applyPatch(
        structuredClone(known),
        operations.filter((one) => !absent(one)),
        true,
      );
      return this.put(plural, newDocument);
    } catch (error) {
      throw failure(422, "Invalid", error instanceof Error ? error.message : String(error));
    }
  }

  /** RFC 7386; for a status the conditions are merged by their type, as strategic merge does. */
  #patch(plural: string, namespace: string, name: string, sub: string | undefined, body: Json): Thing {
    const known = this.#one(plural, namespace, name);
    this.#check(known, body.metadata as Json | undefined);
    let patch = body;
    if (sub === "status") {
      const before = (known.status?.conditions as Json[] | undefined) ?? [];
      const given = ((body.status as Json).conditions as Json[] | undefined) ?? [];
      const conditions = [...before.filter((one) => !given.some(({ type }) => type === one.type)), ...given];
      patch = { status: { ...(body.status as Json), conditions } };
    }
    const merged = merge(known as unknown as Json, patch) as unknown as Thing;
    return this.put(plural, { ...merged, metadata: { ...merged.metadata, uid: known.metadata.uid } });
  }
}

export function merge(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Json = typeof target === "object" && target !== null && !Array.isArray(target) ? { ...(target as Json) } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (value !== undefined) result[key] = merge(result[key], value);
  }
  return result;
}

/** labelSelector with `!key`, `key` and `key=value`, fieldSelector with metadata.name. */
export function selector(query: URLSearchParams): (thing: Thing) => boolean {
  const labels = (query.get("labelSelector") ?? "").split(",").filter((one) => one !== "");
  const name = /^metadata\.name=(.+)$/.exec(query.get("fieldSelector") ?? "")?.[1];
  return ({ metadata }) =>
    (name === undefined || metadata.name === name) &&
    labels.every((one) => {
      if (one.startsWith("!")) return metadata.labels?.[one.slice(1)] === undefined;
      const [key = "", value] = one.split("=");
      const has = metadata.labels?.[key];
      return value === undefined ? has !== undefined : has === value;
    });
}
