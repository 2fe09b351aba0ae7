/** An API server that makes redis-ha wait: by somebody's admission webhook that does not answer, or by refusing for lack of seats (429). */
import { PATH } from "../../../kube/paths.ts";
import type { Pod } from "../../../kube/types.ts";
import { type Bed, SYSTEM, signal } from "./bed.ts";
import { ClientPod } from "./client-pod.ts";
import { countedByAllOfUs } from "./us.ts";
import { waitUntil } from "./wait.ts";

/** redis-ha's own account. */
const ACCOUNT = "redis-ha";
const AS = `--as=system:serviceaccount:${SYSTEM}:${ACCOUNT}`;
/** Objects of this name wait for the dead webhook. */
const HELD = "held-";
const PROBE_MS = 10_000;
const HOLD_AGAIN_MS = 1500;
/** The API server waits no longer than this for a server that takes its connection and then says nothing, whatever the webhook's own limit is, s. */
const SILENT_S = 10;

type Kind = "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration";

async function apply(bed: Bed, object: object): Promise<void> {
  await bed.kubectl(["apply", "-f", "-"], { input: JSON.stringify(object) });
}

/** The address of a server that takes connections and never says a word: a stopped process, for which the kernel goes on accepting. */
async function deadServer(bed: Bed, namespace: string): Promise<string> {
  const name = "dead";
  await ClientPod.start(bed, namespace, name);
  await signal(bed, namespace, name, "client", "SIGSTOP");
  const { status } = await bed.kube.get<Pod>(PATH.pods(namespace, name));
  return `https://${status?.podIP}:8099/`;
}

/** Requests of this namespace that wait for somebody's dead webhook. */
export interface DeadWebhook {
  /** Every change of a Service waits so long, 10 s at most. Returns what ends it. */
  slowServices(seconds: number): Promise<() => Promise<void>>;
  /** redis-ha's account gets no seat: every request is answered by 429 until the end, `withinS` at most. Returns what ends it. */
  noSeats(withinS: number): Promise<() => Promise<void>>;
}

/** Starts the dead server; it ends with its namespace. */
export async function deadWebhook(bed: Bed, namespace: string): Promise<DeadWebhook> {
  const url = await deadServer(bed, namespace);
  const configure = async (kind: Kind, name: string, limits: readonly number[], what: object): Promise<void> =>
    await apply(bed, {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind,
      metadata: { name },
      webhooks: limits.map((timeoutSeconds, index) => ({
        name: `w${index}.${name}.example.com`,
        clientConfig: { url },
        failurePolicy: "Ignore",
        timeoutSeconds,
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        ...what,
      })),
    });
  const rulesFor = (resource: string): object[] => [
    { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: [resource] },
  ];
  const removed = (kind: string, name: string) => async (): Promise<void> =>
    void (await bed.kubectl(["delete", kind, name, "--ignore-not-found"]));

  return {
    slowServices: async (seconds) => {
      const name = `${namespace}-slow`;
      await configure("ValidatingWebhookConfiguration", name, [seconds], { rules: rulesFor("services") });
      const end = removed("validatingwebhookconfiguration", name);
      // The API server reads its webhooks from a watch of its own.
      await waitUntil("changes of Services to be slow", PROBE_MS, async () => {
        const begun = performance.now();
        await bed.kubectl(["-n", namespace, "create", "service", "clusterip", "probe", "--tcp=80", "--dry-run=server"]);
        if (performance.now() - begun < seconds * 1000) throw new Error("not yet");
      });
      return end;
    },

    noSeats: async (withinS) => {
      const name = `${namespace}-seats`;
      // Mutating ones are asked one after the other.
      const limits = Array.from({ length: Math.ceil(withinS / SILENT_S) }, () => SILENT_S);
      const held = { name: "held", expression: `object.metadata.name.startsWith("${HELD}")` };
      await configure("MutatingWebhookConfiguration", name, limits, { rules: rulesFor("events"), matchConditions: [held] });
      const version = { apiVersion: "flowcontrol.apiserver.k8s.io/v1", metadata: { name } };
      await apply(bed, {
        ...version,
        kind: "PriorityLevelConfiguration",
        spec: {
          type: "Limited",
          limited: {
            nominalConcurrencyShares: 0,
            lendablePercent: 0,
            borrowingLimitPercent: 0,
            limitResponse: { type: "Reject" },
          },
        },
      });
      const every = { verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true };
      await apply(bed, {
        ...version,
        kind: "FlowSchema",
        spec: {
          priorityLevelConfiguration: { name },
          // Before every other schema except that of the administrators.
          matchingPrecedence: 2,
          rules: [
            {
              subjects: [{ kind: "ServiceAccount", serviceAccount: { namespace: SYSTEM, name: ACCOUNT } }],
              resourceRules: [every],
              nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
            },
          ],
        },
      });
      const ends = [
        removed("flowschema", name),
        removed("prioritylevelconfiguration", name),
        removed("mutatingwebhookconfiguration", name),
      ];
      const end = async (): Promise<void> => {
        for (const one of ends) await one();
      };
      // A level without seats still serves one request at a time, so one has to last: it waits for the dead webhook. Those of redis-ha that come first do no harm.
      // The renewal of the Lease (PUT) is the first that redis-ha notices, within a second.
      const before = await refusedOf(bed, "PUT");
      let holders = 0;
      let heldAt = 0;
      try {
        await waitUntil("redis-ha to be answered by 429", PROBE_MS, async () => {
          if (performance.now() - heldAt > HOLD_AGAIN_MS) {
            void hold(bed, namespace, `${HELD}${holders}`);
            holders += 1;
            heldAt = performance.now();
          }
          if ((await refusedOf(bed, "PUT")) === before) throw new Error(`served, beside ${holders} requests that last`);
        });
      } catch (error) {
        await end();
        throw error;
      }
      return end;
    },
  };
}

/** How many of redis-ha's requests of this method were answered by 429. */
export async function refusedOf(bed: Bed, method: "PUT" | "PATCH"): Promise<number> {
  return await countedByAllOfUs(bed, `redis_ha_kube_request_seconds_count{method="${method}",code="429"}`);
}

/** One request of redis-ha's account that lasts: its outcome does not matter. */
async function hold(bed: Bed, namespace: string, name: string): Promise<void> {
  const event = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { namespace, name },
    involvedObject: { kind: "Service", namespace, name: "cache-master" },
    reason: "Held",
    type: "Normal",
  };
  await bed
    .kubectl([AS, "create", "--validate=false", "-f", "-"], {
      input: JSON.stringify(event),
      allowFailure: true,
      timeoutMs: 60_000,
    })
    .catch(() => undefined);
}
