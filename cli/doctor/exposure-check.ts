/** Doctor's look at master Services that clients outside of the cluster use. Pure. */
import { NO_ADDRESS, serviceFact } from "../../handlers/watch/service-fact.ts";
import { LABEL } from "../../model/names.ts";
import type { Check } from "./findings.ts";

export const exposure: Check = ({ services }) =>
  services.flatMap((service) => {
    const { namespace = "", name = "" } = service.metadata ?? {};
    const outside = serviceFact(service)?.outside;
    if (outside === undefined || service.spec?.selector?.[LABEL.instance] === undefined) return [];
    const place = `Service ${namespace}/${name}`;
    if (outside.includes(NO_ADDRESS))
      return [
        {
          level: "warning",
          check: "exposure",
          message: `${place} is of type LoadBalancer and has no address: nobody in this cluster makes load balancers, or one could not be made`,
          mend: `kubectl -n ${namespace} describe service ${name}`,
        },
      ];
    if (service.spec.externalTrafficPolicy !== "Local") return [];
    return [
      {
        level: "warning",
        check: "exposure",
        message: `${place} has externalTrafficPolicy Local: only the master's node answers, and each change of master waits for health checks`,
        mend: `kubectl -n ${namespace} patch service ${name} -p '{"spec":{"externalTrafficPolicy":"Cluster"}}'`,
      },
    ];
  });
