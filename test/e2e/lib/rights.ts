/** What a service account of ours asked of the API server, by its audit log, beside what its roles allow. */
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseAllDocuments } from "yaml";
import { auditLogPaths } from "../../cluster/cluster.ts";
import { PROJECT } from "./bed.ts";

export interface Asked {
  /** "verb group/resource", with how many requests */
  readonly used: ReadonlyMap<string, number>;
  /** requests that were refused for want of a right, with an example */
  readonly denied: ReadonlyMap<string, string>;
}

/** A right, and the rule that gives it: `file: apiGroups resources verbs`. */
export interface Right {
  readonly right: string;
  readonly rule: string;
}

interface AuditEvent {
  readonly stage?: string;
  readonly verb?: string;
  readonly requestURI?: string;
  readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly annotations?: Readonly<Record<string, string>>;
  readonly responseStatus?: { readonly code?: number };
}

/** Priority and fairness comes before authorization: nobody has asked yet whether it is allowed. */
const TOO_MANY_REQUESTS = 429;

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** What the API server knows of a token that a kubelet has asked for (KEP-4193). */
const POD_NAME = "authentication.kubernetes.io/pod-name";

/**
 * Reads the audit log of a cluster of the cluster tool; the account `redis-ha` of that namespace.
 * @param pods only what these pods asked; default all that ever had the account
 */
export async function askedBy(namespace: string, cluster: string, pods?: readonly string[]): Promise<Asked> {
  const account = `system:serviceaccount:${namespace}:redis-ha`;
  const used = new Map<string, number>();
  const denied = new Map<string, string>();
  for await (const line of linesOf(auditLogPaths({ name: cluster }))) {
    if (!line.includes(account)) continue;
    const event = eventOf(line);
    if (event?.user?.username !== account || event.objectRef?.resource === undefined) continue;
    if (pods !== undefined && !(event.user.extra?.[POD_NAME] ?? []).some((pod) => pods.includes(pod))) continue;
    if (event.responseStatus?.code === TOO_MANY_REQUESTS) continue;
    const { resource, subresource, apiGroup = "" } = event.objectRef;
    const right = `${event.verb} ${apiGroup}/${subresource === undefined ? resource : `${resource}/${subresource}`}`;
    // A watch is told of at its beginning and at its end; one that still runs has only the first.
    if (event.verb === "watch" && event.stage === "ResponseComplete" && used.has(right)) continue;
    if (event.annotations?.["authorization.k8s.io/decision"] === "allow") used.set(right, (used.get(right) ?? 0) + 1);
    else denied.set(right, `${event.requestURI}: ${event.annotations?.["authorization.k8s.io/reason"] ?? "no role allows it"}`);
  }
  return { used, denied };
}

async function* linesOf(files: readonly string[]): AsyncGenerator<string> {
  for (const file of files) yield* createInterface({ input: createReadStream(file) });
}

/** The last line may still be being written. */
function eventOf(line: string): AuditEvent | undefined {
  try {
    return JSON.parse(line) as AuditEvent;
  } catch {
    return undefined;
  }
}

/** All that these files of manifests/ allow. */
export function grantedBy(...files: readonly string[]): Right[] {
  return files.flatMap((file) => {
    const documents = parseAllDocuments(readFileSync(join(PROJECT, "manifests", file), "utf8"));
    return documents
      .flatMap((document) => (document.toJS() as { rules?: Rule[] }).rules ?? [])
      .flatMap((one) => {
        const rule = `${file}: apiGroups ${JSON.stringify(one.apiGroups)} resources ${JSON.stringify(one.resources)} verbs ${JSON.stringify(one.verbs)}`;
        return one.apiGroups.flatMap((group) =>
          one.resources.flatMap((resource) => one.verbs.map((verb) => ({ right: `${verb} ${group}/${resource}`, rule }))),
        );
      });
  });
}

/** One line for each right that was never used, naming the rule that should lose it. */
export function unusedOf(granted: readonly Right[], { used }: Asked): string[] {
  return granted.filter(({ right }) => !used.has(right)).map(({ right, rule }) => `${right} was never used; it is in ${rule}`);
}
