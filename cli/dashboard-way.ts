/** The way from a person's machine to the page: a pod of redis-ha, reached through the API server's pod proxy with the person's own credentials. */
import type { IncomingMessage } from "node:http";
import { isNotFound, KubeError } from "../kube/error.ts";
import { PATH } from "../kube/paths.ts";
import type { Lease } from "../kube/types.ts";
import { LEASE } from "../model/names.ts";
import { proxyPath, serverPods } from "./handlers.ts";
import { podOfIdentity } from "./identity.ts";
import type { Target as AnyTarget } from "./target.ts";

/** The namespace of groups does not matter here. */
type Target = Pick<AnyTarget, "kube" | "system">;

export interface Way {
  /**
   * Asks the replica for one of the page's paths (with its query). `anew`: choose the replica again, the leader first.
   * Rejects with a sentence for people when none can be reached.
   */
  open(path: string, headers: Record<string, string>, signal: AbortSignal, anew: boolean): Promise<IncomingMessage>;
}

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
  const [pods, leader] = await Promise.all([serverPods(target), leaderOf(target)]);
  const names = pods.flatMap(({ metadata }) => metadata?.name ?? []);
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
    const answer = await target.kube.open(proxyPath(target.system, pod, path.replace(/^\//, "")), { headers, signal });
    const status = answer.statusCode ?? 0;
    if (status === 403) {
      answer.destroy();
      return `you may not reach ${pod} through the API server: it takes the right to "get pods/proxy" in namespace ${target.system}`;
    }
    if (!GONE.has(status)) return answer;
    answer.destroy();
    return `pod ${pod} does not answer (${status})`;
  } catch (error) {
    if (isNotFound(error)) return `pod ${pod} is gone`;
    return error instanceof KubeError || error instanceof Error ? error.message : String(error);
  }
}
