/** Follows what makes every kube-proxy of the cluster busy: changes of EndpointSlices, other than those of headless Services. */
import type { Kube } from "../../kube/client.ts";
import { PATH } from "../../kube/paths.ts";
import type { EndpointSlice } from "../../kube/types.ts";
import { watchObjects } from "../../kube/watch.ts";
import type { Logger } from "../../report/log.ts";
import { afterChange, freeAt, unknownSchedule } from "../policies/proxies.ts";

export interface ProxyWatch {
  /** in how many ms kube-proxy takes up a change at once; 0: now */
  freeInMs(): number;
  stop(): void;
}

/** The same selector as kube-proxy's own watch. */
const NOT_HEADLESS = "!service.kubernetes.io/headless";

/**
 * @param namespace where only this namespace may be watched: changes of others make the proxies busy unseen
 */
export function watchProxies(options: {
  kube: Kube;
  log: Logger;
  namespace?: string;
  onRestart?: (cause: string) => void;
}): ProxyWatch {
  const { kube, log, namespace, onRestart } = options;
  let schedule = unknownSchedule(performance.now());
  const watch = watchObjects<EndpointSlice>({
    kube,
    log,
    path: PATH.endpointSlices(namespace),
    labelSelector: NOT_HEADLESS,
    identityOnly: true,
    onEvent: () => {
      schedule = afterChange(schedule, performance.now());
    },
    ...(onRestart === undefined ? {} : { onRestart }),
  });
  return {
    freeInMs: () => Math.max(0, freeAt(schedule) - performance.now()),
    stop: () => watch.stop(),
  };
}
