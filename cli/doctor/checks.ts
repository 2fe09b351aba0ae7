/** Doctor's checks of the installation: facts in, findings out. Pure. */
import { authoritiesOf } from "../../certs/inspect.ts";
import { WEBHOOK_CONFIGURATION } from "../../model/names.ts";
import { duration } from "../paper.ts";
import { type Check, type Finding, MISSING } from "./findings.ts";
import { kubectlFor, workloadOf } from "./group-pods.ts";

const INSTALL = "redis-ha install";
/** preStop hooks of the kind `sleep` and native sidecars are on by default from here on. */
const OLDEST_MINOR = 30;
const DAY_MS = 86_400_000;
/** Below it nobody notices; Events and timelines are compared by these clocks. */
const SKEW_MS = 2000;
/** A kubelet renews its lease every 10 s. */
const NODE_RENEW_MS = 10_000;

export const installed: Check = ({ deployment, system, serverPods, readiness }) => {
  if (deployment === undefined) return [];
  if (deployment === MISSING)
    return [
      broken(
        "install",
        `there is no Deployment redis-ha in namespace ${system}`,
        `${INSTALL}   (elsewhere? --system-namespace NAME)`,
      ),
    ];
  const wanted = deployment.spec?.replicas ?? 1;
  const ready = deployment.status?.readyReplicas ?? 0;
  const logs = `kubectl -n ${system} describe deployment redis-ha; kubectl -n ${system} logs deployment/redis-ha`;
  const silent = serverPods.flatMap(({ metadata }) => {
    const says = readiness[metadata?.name ?? ""];
    return says === undefined || says === "ok" ? [] : [broken("install", `pod ${metadata?.name} is not ready: ${says}`, logs)];
  });
  if (wanted === 0)
    return [
      broken(
        "install",
        "redis-ha is scaled to 0: nobody routes, and annotated pods are refused",
        `kubectl -n ${system} scale deployment redis-ha --replicas=2`,
      ),
    ];
  if (ready === 0)
    return [broken("install", "no replica of redis-ha is ready: nobody routes, and annotated pods are refused", logs), ...silent];
  return [
    ...(ready < wanted ? [warning("install", `${ready} of ${wanted} replicas of redis-ha are ready`, logs)] : []),
    ...(wanted < 2
      ? [
          warning(
            "install",
            "one replica of redis-ha: while it is replaced nobody routes",
            `kubectl -n ${system} scale deployment redis-ha --replicas=2`,
          ),
        ]
      : []),
    ...silent,
  ];
};

export const versions: Check = ({ deployment, version, kubernetes, pods }) => {
  const image =
    deployment === undefined || deployment === MISSING ? "" : (deployment.spec?.template.spec?.containers[0]?.image ?? "");
  const running = /:([^:/@]+)(@|$)/.exec(image)?.[1];
  const found: Finding[] = [];
  if (running !== undefined && running !== version)
    found.push(
      hint(
        "version",
        `this program is ${version}, the cluster runs ${running}`,
        `${INSTALL}   (brings the cluster to ${version})`,
      ),
    );
  const minor = Number(kubernetes?.split(".")[1] ?? OLDEST_MINOR);
  if (minor < OLDEST_MINOR)
    found.push(
      broken(
        "version",
        `Kubernetes ${kubernetes} is too old: native sidecars and sleeping preStop hooks need 1.${OLDEST_MINOR}`,
        "upgrade the cluster",
      ),
    );
  const old = pods.filter((pod) => statusVersion(pod) !== undefined && statusVersion(pod) !== (running ?? version));
  if (old.length > 0)
    found.push(
      hint(
        "version",
        `${old.length} pods were injected by another version than ${running ?? version} (first: ${place(old[0])})`,
        `${kubectlFor(old[0])} rollout restart ${workloadOf(old[0])}   (brings the new parts; nothing has to be done)`,
      ),
    );
  return found;
};

function statusVersion(pod: { metadata?: { annotations?: Record<string, string> } }): string | undefined {
  try {
    return (JSON.parse(pod.metadata?.annotations?.["redis-ha.io/status"] ?? "") as { version?: string }).version;
  } catch {
    return undefined;
  }
}

export const certificates: Check = ({ webhook, here, system }) => {
  if (webhook === undefined) return [];
  if (webhook === MISSING)
    return [
      broken(
        "webhook",
        `there is no MutatingWebhookConfiguration ${WEBHOOK_CONFIGURATION}: annotated pods come up plain`,
        INSTALL,
      ),
    ];
  const found: Finding[] = [];
  const seen = `kubectl -n ${system} logs deployment/redis-ha`;
  for (const { name, clientConfig, failurePolicy } of webhook.webhooks ?? []) {
    const bundle = Buffer.from(clientConfig.caBundle ?? "", "base64").toString();
    const until = Math.max(0, ...authoritiesOf(bundle, here).map(({ to }) => to));
    if (bundle === "")
      found.push(broken("webhook", `${name} has no caBundle: the API server trusts nobody, so annotated pods are refused`, seen));
    else if (until === 0)
      found.push(
        broken(
          "webhook",
          `the CA of ${name} has expired: annotated pods are refused`,
          `kubectl -n ${system} rollout restart deployment redis-ha; ${seen}`,
        ),
      );
    else if (until - here < 7 * DAY_MS)
      found.push(
        warning("webhook", `the CA of ${name} ends in ${duration(until - here)}; it should have been renewed long ago`, seen),
      );
    if (failurePolicy !== "Fail")
      found.push(
        warning(
          "webhook",
          `${name} has failurePolicy ${failurePolicy}: while redis-ha is down a bare server can slip into a group`,
          INSTALL,
        ),
      );
  }
  return found;
};

export const permissions: Check = ({ rights }) =>
  (rights ?? [])
    .filter(({ allowed }) => !allowed)
    .map(({ what }) => broken("rights", `redis-ha may not ${what}`, `${INSTALL}   (writes its roles again)`));

export const dns: Check = ({ dnsEndpoints }) =>
  dnsEndpoints === 0
    ? [
        broken(
          "dns",
          "nobody is behind the cluster's DNS Service: boot scripts and clients find no name",
          "kubectl -n kube-system get pods -l k8s-app=kube-dns",
        ),
      ]
    : [];

export const clocks: Check = ({ here, there, nodeLeases }) => {
  const found: Finding[] = [];
  const mend = "see that this machine, the nodes and the control plane keep time (chronyc tracking, timedatectl)";
  if (there !== undefined && Math.abs(here - there) > SKEW_MS)
    found.push(
      hint(
        "clock",
        `this machine's clock is ${duration(Math.abs(here - there))} ${here > there ? "ahead of" : "behind"} the API server's: times shown here are off by as much`,
        mend,
      ),
    );
  for (const { node, renewTime } of nodeLeases ?? []) {
    const ahead = Date.parse(renewTime) - (there ?? here);
    if (ahead > SKEW_MS)
      found.push(
        warning(
          "clock",
          `the clock of node ${node} is at least ${duration(ahead)} ahead: after a full outage the freshest data is chosen by file times`,
          mend,
        ),
      );
    else if (ahead < -4 * NODE_RENEW_MS)
      found.push(
        warning(
          "clock",
          `node ${node} has not been heard of for ${duration(-ahead)}, or its clock is behind`,
          `kubectl describe node ${node}`,
        ),
      );
  }
  return found;
};

const broken = (check: string, message: string, mend: string): Finding => ({ level: "broken", check, message, mend });
const warning = (check: string, message: string, mend: string): Finding => ({ level: "warning", check, message, mend });
const hint = (check: string, message: string, mend: string): Finding => ({ level: "hint", check, message, mend });
const place = (pod: { metadata?: { namespace?: string; name?: string } } | undefined): string =>
  `${pod?.metadata?.namespace}/${pod?.metadata?.name}`;
