/** Reads what doctor looks at, all at once. A part that this person may not read is left out and named. */
import { isNotFound, isUnavailable } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { Labels } from "../../kube/selector.ts";
import type {
  CoreEvent,
  Deployment,
  EndpointSlice,
  Lease,
  MutatingWebhookConfiguration,
  Pod,
  PodDisruptionBudget,
  Service,
} from "../../kube/types.ts";
import { ANNOTATION, LABEL, SERVER_LABELS, WEBHOOK_CONFIGURATION } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import { Problem } from "../exit.ts";
import { proxyPath, serverPods } from "../handlers.ts";
import { readStatus } from "../status/read.ts";
import type { Target } from "../target.ts";
import { VERSION } from "../version.ts";
import { type Facts, MISSING, type RightSeen } from "./findings.ts";
import type { NetworkPolicy } from "./network.ts";
import { readTlsSecrets } from "./tls.ts";

/** What the handlers do all the time; a missing one shows here before it shows in a failover. */
const RIGHTS: readonly (readonly [verb: string, group: string, resource: string, subresource?: string])[] = [
  ["list", "", "pods"],
  ["watch", "", "pods"],
  ["patch", "", "pods"],
  ["patch", "", "pods", "status"],
  ["list", "", "services"],
  ["create", "", "services"],
  ["patch", "", "services"],
  ["list", "discovery.k8s.io", "endpointslices"],
  ["watch", "discovery.k8s.io", "endpointslices"],
  ["get", "", "secrets"],
  ["create", "", "secrets"],
  ["create", "", "events"],
  ["watch", "policy", "poddisruptionbudgets"],
  ["create", "policy", "poddisruptionbudgets"],
];

export async function gather(target: Target): Promise<Facts> {
  const { kube, system, namespace } = target;
  const unread: string[] = [];
  // Where nobody answers nothing is missing: the cluster was not looked at.
  const version = await kube.get<{ major: string; minor: string }>("/version").catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    if (isUnavailable(error)) throw new Problem(`could not look at the cluster: ${why}`);
    unread.push(`the version of Kubernetes: ${why}`);
    return undefined;
  });
  const try_ = async <T>(what: string, work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!isNotFound(error)) unread.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const found = async <T>(what: string, work: Promise<T>): Promise<T | typeof MISSING | undefined> =>
    await try_(
      what,
      work.catch((error: unknown) => {
        if (isNotFound(error)) return MISSING;
        throw error;
      }),
    );
  const items = async <T>(what: string, path: string, query = {}): Promise<T[] | undefined> =>
    (await try_(what, kube.list<T>(path, { query })))?.items;

  const before = Date.now();
  const review = try_(
    "the API server's clock",
    kube.create<{ metadata?: { creationTimestamp?: string } }>("/apis/authentication.k8s.io/v1/selfsubjectreviews", {}),
  ).then((answer) => ({ text: answer?.metadata?.creationTimestamp, here: (before + Date.now()) / 2 }));
  const pods = items<Pod>("pods", PATH.pods(namespace));
  const servers = try_("pods of redis-ha", serverPods(target));
  const [clock, all, own] = await Promise.all([review, pods, servers]);
  const [
    deployment,
    webhook,
    systemNamespace,
    policies,
    services,
    budgets,
    events,
    leases,
    dns,
    groups,
    rights,
    readiness,
    tlsSecrets,
  ] = await Promise.all([
    found("the Deployment redis-ha", kube.get<Deployment>(PATH.deployments(system, "redis-ha"))),
    found("the webhook configuration", kube.get<MutatingWebhookConfiguration>(PATH.webhookConfigurations(WEBHOOK_CONFIGURATION))),
    try_("the system namespace", kube.get<{ metadata?: { labels?: Labels } }>(`/api/v1/namespaces/${system}`)),
    items<NetworkPolicy>("NetworkPolicies", collection("networking.k8s.io/v1", namespace, "networkpolicies")),
    items<Service>("Services", PATH.services(namespace), { labelSelector: LABEL.cluster }),
    items<PodDisruptionBudget>("PodDisruptionBudgets", PATH.podDisruptionBudgets(namespace)),
    items<CoreEvent>("Events", PATH.events(namespace), { fieldSelector: `reason=${REASON.SelectorRepaired}` }),
    items<Lease>("the nodes' leases", PATH.leases("kube-node-lease")),
    items<EndpointSlice>("the DNS Service", PATH.endpointSlices("kube-system"), { labelSelector: "k8s-app=kube-dns" }),
    try_("the groups", readStatus(target)),
    try_("rights", askRights(target)),
    readyz(target, own ?? []),
    readTlsSecrets(target, all ?? [], try_),
  ]);
  return {
    version: VERSION,
    system,
    kubernetes: version === undefined ? undefined : `${version.major}.${version.minor.replace(/\D.*$/, "")}`,
    here: clock.here,
    // To the second, cut off: on average half of one is missing.
    there: clock.text === undefined ? undefined : Date.parse(clock.text) + 500,
    nodeLeases: leases?.flatMap(({ metadata, spec }) =>
      spec?.renewTime === undefined ? [] : [{ node: metadata?.name ?? "?", renewTime: spec.renewTime }],
    ),
    deployment,
    serverPods: own ?? [],
    readiness,
    webhook,
    rights,
    systemLabels: systemNamespace?.metadata?.labels ?? { "kubernetes.io/metadata.name": system },
    policies: policies === undefined ? undefined : [...policies, ...(await systemPolicies(target, items))],
    pods: (all ?? []).filter(isConcerned),
    services: services ?? [],
    budgets: budgets?.map(({ metadata, spec }) => ({
      namespace: metadata?.namespace ?? "",
      name: metadata?.name ?? "?",
      selector: spec?.selector,
    })),
    events: events ?? [],
    groups: groups ?? [],
    dnsEndpoints:
      dns === undefined || dns.length === 0
        ? undefined
        : dns.flatMap(({ endpoints }) => (endpoints ?? []).filter(({ conditions }) => conditions?.ready !== false)).length,
    tlsSecrets,
    unread,
  };
}

const collection = (group: string, namespace: string | undefined, plural: string): string =>
  `/apis/${group}/${namespace === undefined ? "" : `namespaces/${namespace}/`}${plural}`;

/** With one namespace asked for, those of the system namespace matter too: they may keep the handlers from going out. */
async function systemPolicies(
  { namespace, system }: Target,
  items: <T>(what: string, path: string) => Promise<T[] | undefined>,
): Promise<NetworkPolicy[]> {
  if (namespace === undefined || namespace === system) return [];
  return (
    (await items<NetworkPolicy>("NetworkPolicies of redis-ha", collection("networking.k8s.io/v1", system, "networkpolicies"))) ??
    []
  );
}

/** Pods that ask for redis-ha; the others are nobody's business here. */
function isConcerned({ metadata }: Pod): boolean {
  return metadata?.labels?.[LABEL.cluster] !== undefined || metadata?.annotations?.[ANNOTATION.cluster] !== undefined;
}

async function readyz({ kube, system }: Target, pods: readonly Pod[]): Promise<Record<string, string>> {
  const answers = await Promise.all(
    pods.map(async ({ metadata }): Promise<[string, string]> => {
      const name = metadata?.name ?? "";
      // The answer is a word and no JSON: a word that can't be read is the good one.
      const says = await kube.get(proxyPath(system, name, "readyz")).then(
        () => "ok",
        (error: unknown) => (error instanceof SyntaxError ? "ok" : (error as Error).message),
      );
      return [name, says];
    }),
  );
  return Object.fromEntries(answers);
}

/** Whether the service account of redis-ha may do what it does. */
async function askRights({ kube, system, namespace }: Target): Promise<RightSeen[]> {
  const user = `system:serviceaccount:${system}:${SERVER_LABELS["app.kubernetes.io/name"]}`;
  return await Promise.all(
    RIGHTS.map(async ([verb, group, resource, subresource]) => {
      const resourceAttributes = {
        verb,
        group,
        resource,
        ...(subresource === undefined ? {} : { subresource }),
        ...(namespace === undefined ? {} : { namespace }),
      };
      const { status } = await kube.create<{ status?: { allowed?: boolean } }>(
        "/apis/authorization.k8s.io/v1/subjectaccessreviews",
        {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          spec: {
            user,
            groups: ["system:serviceaccounts", `system:serviceaccounts:${system}`, "system:authenticated"],
            resourceAttributes,
          },
        },
      );
      const where = namespace === undefined ? "in all namespaces" : `in namespace ${namespace}`;
      return {
        what: `${verb} ${resource}${subresource === undefined ? "" : `/${subresource}`} ${where}`,
        allowed: status?.allowed === true,
      };
    }),
  );
}
