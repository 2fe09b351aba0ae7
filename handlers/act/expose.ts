/** Changes the type of the master Service. Its ports, its address in the cluster and whatever a person wrote on it stay as they are. */
import type { Kube } from "../../kube/client.ts";
import { PATH } from "../../kube/paths.ts";
import type { GroupId, ServiceFact } from "../../model/facts.ts";
import { MARK } from "../../model/names.ts";
import type { ExposePlan } from "../policies/expose.ts";

/** Any node answers, also one without the master: with Local each change of master would wait for the health checks of a load balancer. */
const TRAFFIC_POLICY = "Cluster";

/**
 * Returns a sentence for people. Without a resourceVersion, since it changes nothing that anybody else does; and so it is never in the way of a failover's
 * route, which is tried again after a conflict.
 */
export async function applyExpose(
  kube: Kube,
  { namespace }: GroupId,
  { name }: ServiceFact,
  plan: Exclude<ExposePlan, { act: "nothing" }>,
): Promise<string> {
  const path = PATH.services(namespace, name);
  if (plan.act === "withdraw") {
    // The API server takes away what belongs to the former type: node ports and traffic policy.
    await kube.mergePatch(path, { metadata: { annotations: { [MARK.exposed]: null } }, spec: { type: "ClusterIP" } });
    return `Service ${name} is ClusterIP again: it cannot be reached from outside of the cluster any more`;
  }
  await kube.mergePatch(path, {
    metadata: { annotations: { [MARK.exposed]: plan.type } },
    spec: { type: plan.type, externalTrafficPolicy: TRAFFIC_POLICY },
  });
  return `Service ${name} is of type ${plan.type} now: clients outside of the cluster can connect to the master`;
}
