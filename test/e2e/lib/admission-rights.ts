/**
 * Compares what our service account asked of the API server, by its audit log, with what the roles allow: nothing denied, nothing unused.
 *   npm run cluster -- up --name e2e --audit-log     (before the tests)
 *   REDIS_HA_KEEP=1 npm run test:e2e
 *   npm run rights -- e2e                            (after them)
 */
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseAllDocuments } from "yaml";
import { auditLogPath } from "../../cluster/cluster.ts";
import { PROJECT } from "./bed.ts";

const ACCOUNT = "system:serviceaccount:redis-ha-system:redis-ha";

export interface Rights {
  /** "verb group/resource", with how many requests */
  readonly used: ReadonlyMap<string, number>;
  /** requests that were refused for want of a right, with an example */
  readonly denied: ReadonlyMap<string, string>;
  readonly unused: readonly string[];
  readonly requests: number;
}

interface AuditEvent {
  readonly stage?: string;
  readonly verb?: string;
  readonly requestURI?: string;
  readonly user?: { readonly username?: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string; readonly apiGroup?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Reads the audit log of a cluster of the cluster tool. */
export async function compareRights(cluster: string): Promise<Rights> {
  const used = new Map<string, number>();
  const denied = new Map<string, string>();
  let requests = 0;
  for await (const line of createInterface({ input: createReadStream(auditLogPath({ name: cluster })) })) {
    if (!line.includes(ACCOUNT)) continue;
    const event = JSON.parse(line) as AuditEvent;
    // A watch is told of twice: at its beginning and at its end.
    if (event.user?.username !== ACCOUNT || event.objectRef?.resource === undefined || event.stage === "ResponseStarted")
      continue;
    const { resource, subresource, apiGroup = "" } = event.objectRef;
    const right = `${event.verb} ${apiGroup}/${subresource === undefined ? resource : `${resource}/${subresource}`}`;
    // A watch is told of at its beginning and at its end; one that still runs has only the first.
    const again = event.stage === "ResponseComplete" && event.verb === "watch" && used.has(right);
    if (!again) requests += 1;
    if (event.annotations?.["authorization.k8s.io/decision"] === "allow")
      used.set(right, (used.get(right) ?? 0) + (again ? 0 : 1));
    else denied.set(right, event.requestURI ?? "");
  }
  const unused = granted().filter((right) => !used.has(right));
  return { used, denied, unused, requests };
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** All that the base's roles allow, each right once. */
function granted(): string[] {
  const rules = ["cluster-role.yaml", "role.yaml"].flatMap((file) =>
    parseAllDocuments(readFileSync(join(PROJECT, "manifests", "base", file), "utf8")).flatMap(
      (document) => (document.toJS() as { rules?: Rule[] }).rules ?? [],
    ),
  );
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`))),
  );
  return [...new Set(rights)].toSorted();
}

if (import.meta.main) {
  const cluster = process.argv[2] ?? "e2e";
  const { used, denied, unused, requests } = await compareRights(cluster);
  for (const [right, count] of [...used].toSorted()) console.log(`${String(count).padStart(7)}  ${right}`);
  console.log(`${requests} requests of ${ACCOUNT}`);
  for (const [right, example] of denied) console.log(`DENIED  ${right}  ${example}`);
  for (const right of unused) console.log(`UNUSED  ${right}`);
  if (denied.size > 0 || unused.length > 0) process.exitCode = 1;
}
