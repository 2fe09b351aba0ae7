/** The way from a person's machine to the page: a pod of redis-ha, reached through the API server's pod proxy with the person's own credentials. */
import type { IncomingMessage } from "node:http";
import type { Kube } from "../kube/client.ts";
import { PATH } from "../kube/paths.ts";
import type { Lease, Pod } from "../kube/types.ts";
import { podOfIdentity } from "./identity.ts";

/** Where redis-ha is installed, and how it is reached. */
export interface Target {
  readonly kube: Kube;
  readonly system: string;
}

export interface Way {
  /**
   * Asks the replica for one of the page's paths (with its query). `anew`: choose the replica again, the leader first.
   * Rejects with a sentence for people when none can be reached.
   */
  open(path: string, headers: Record<string, string>, signal: AbortSignal, anew: boolean): Promise<IncomingMessage>;
}

const LEASE = "redis-ha-handlers";
const ADMIN_PORT = 8080;
/** Of the pods that manifests/base makes. */
const SELECTOR = "app.kubernetes.io/name=redis-ha,app.kubernetes.io/component=server";

/** What the API server says when the pod does not answer, or is gone. */
const GONE: ReadonlySet<number> = new Set([404, 502, 503, 504]);

export function createWay(target: Target): Way {
  let chosen: string | undefined;
  return {
    open: async (path, headers, signal, anew) => {
      const pods = chosen === undefined || anew ? await replicas(target) : [chosen];
      let problem = `no pod of redis-ha runs in namespace ${target.system}`;
      for (const pod of pods) {
        const answer = await ask(target, pod, path, headers, signal);
        if (typeof answer !== "string") {
          chosen = pod;
          return answer;
        }
        problem = answer;
      }
      chosen = undefined;
      throw new Error(problem);
    },
  };
}

/** Running replicas, the leader first: it is the one that knows what was done. */
async function replicas(target: Target): Promise<string[]> {
  const [{ items }, leader] = await Promise.all([
    target.kube.list<Pod>(PATH.pods(target.system), { query: { labelSelector: SELECTOR } }),
    leaderOf(target),
  ]);
  const running = items.filter(
    ({ status, metadata }) => status?.phase === "Running" && metadata?.deletionTimestamp === undefined,
  );
  const names = running.flatMap(({ metadata }) => metadata?.name ?? []);
  return names.sort((a, b) => Number(b === leader) - Number(a === leader));
}

/** Undefined: nobody, or the person may not read the Lease; any replica shows the page. */
async function leaderOf(target: Target): Promise<string | undefined> {
  const lease = await target.kube.get<Lease>(PATH.leases(target.system, LEASE)).catch(() => undefined);
  return podOfIdentity(lease?.spec?.holderIdentity || undefined);
}

/** The answer, or why there is none. */
async function ask(
  target: Target,
  pod: string,
  path: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<IncomingMessage | string> {
  try {
    const proxy = `${PATH.pods(target.system)}/${encodeURIComponent(pod)}:${ADMIN_PORT}/proxy`;
    const answer = await target.kube.open(`${proxy}${path}`, { headers, signal });
    const status = answer.statusCode ?? 0;
    if (status === 403) {
      answer.destroy();
      return `you may not reach ${pod} through the API server: it takes the right to "get pods/proxy" in namespace ${target.system}`;
    }
    if (!GONE.has(status)) return answer;
    answer.destroy();
    return `pod ${pod} does not answer (${status})`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
