/** A Service object of the API server as a fact. Pure; a record that can't be read counts as absent. */
import type { Service } from "../../kube/types.ts";
import type { MasterRecord, ServiceFact } from "../../model/facts.ts";
import { MARK, REQUEST } from "../../model/names.ts";

/** Of a load balancer that nobody has made yet, or ever will. */
export const NO_ADDRESS = "no address yet";

export function serviceFact(service: Service): ServiceFact | undefined {
  const { name, uid, resourceVersion, annotations = {} } = service.metadata ?? {};
  if (name === undefined || uid === undefined || resourceVersion === undefined) return undefined;
  const handover = annotations[REQUEST.handover];
  const promote = annotations[REQUEST.promote];
  return {
    name,
    uid,
    resourceVersion,
    selector: service.spec?.selector ?? {},
    record: asRecord(parse(annotations[MARK.master])),
    history: asHistory(parse(annotations[MARK.history])),
    originalSelector: asSelector(parse(annotations[MARK.originalSelector])),
    halted: annotations[MARK.halted],
    ...exposure(service),
    requests: { ...(handover === undefined ? {} : { handover }), ...(promote === undefined ? {} : { promote }) },
  };
}

/** Its type, who chose it, and where that leads to. */
function exposure({ metadata, spec, status }: Service): Pick<ServiceFact, "type" | "exposedByUs" | "outside"> {
  const { type = "ClusterIP", ports = [] } = spec ?? {};
  const byUs = metadata?.annotations?.[MARK.exposed];
  const [port] = ports;
  const given = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => `${ip ?? hostname ?? "?"}:${port?.port ?? "?"}`);
  const node = port?.nodePort === undefined ? undefined : `port ${port.nodePort} of every node`;
  const outside =
    type === "LoadBalancer"
      ? [...given, ...(given.length > 0 ? [] : [NO_ADDRESS]), ...(node === undefined ? [] : [node])]
      : [node];
  const words = outside.filter((one) => one !== undefined).join(", ");
  return {
    type,
    ...(byUs === undefined ? {} : { exposedByUs: byUs }),
    ...(type === "ClusterIP" || type === "ExternalName" || words === "" ? {} : { outside: `${type}: ${words}` }),
  };
}

function parse(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function asSelector(value: unknown): Record<string, string> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string"));
}

function asHistory(value: unknown): MasterRecord[] {
  return Array.isArray(value) ? value.flatMap((one) => asRecord(one) ?? []) : [];
}

/** Anything that lacks a field is not a record: a person edited it. */
export function asRecord(value: unknown): MasterRecord | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const field = (name: string): unknown => Reflect.get(value, name);
  const text = (name: string): string | undefined => {
    const found = field(name);
    return typeof found === "string" ? found : undefined;
  };
  const [pod, uid, instance, ip, since, reason] = ["pod", "uid", "instance", "ip", "since", "reason"].map(text);
  const epoch = field("epoch");
  if (pod === undefined || uid === undefined || instance === undefined || ip === undefined || since === undefined)
    return undefined;
  if (reason === undefined || typeof epoch !== "number") return undefined;
  const volume = text("volume");
  const replid = text("replid");
  return {
    pod,
    uid,
    instance,
    ip,
    since,
    reason,
    epoch,
    ...(volume === undefined ? {} : { volume }),
    ...(replid === undefined ? {} : { replid }),
  };
}
