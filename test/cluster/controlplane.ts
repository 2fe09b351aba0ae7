import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execPath } from "node:process";
import type { Binaries } from "./build/all.ts";
import { logOf, startInside } from "./daemons.ts";
import { innerServer, writeKubeconfig } from "./kubeconfig.ts";
import { API_PORT, type Layout, POD_NETWORK, SERVICE_NETWORK } from "./layout.ts";
import { SOURCES } from "./paths.ts";

const ETCD = "http://127.0.0.1:2379";
const ETCD_PEER = "http://127.0.0.1:2380";
const AUDIT_LOG = "audit.log";

/** Starts etcd and the API server; the API server waits for etcd by itself. */
export async function startApiServer(layout: Layout, binaries: Binaries, auditLog: boolean): Promise<void> {
  const machine = layout.controlPlane;
  mkdirSync(machine.dir, { recursive: true });
  const cert = (name: string): string => join(layout.certs, name);
  await startInside(layout, machine, [
    join(binaries.kubernetes, "etcd"),
    `--data-dir=${join(machine.dir, "etcd")}`,
    `--listen-client-urls=${ETCD}`,
    `--advertise-client-urls=${ETCD}`,
    `--listen-peer-urls=${ETCD_PEER}`,
    `--initial-advertise-peer-urls=${ETCD_PEER}`,
    `--initial-cluster=default=${ETCD_PEER}`,
    // A test cluster's data may be lost with the machine, and each write would wait for the disk.
    "--unsafe-no-fsync",
  ]);
  await startInside(layout, machine, [
    join(binaries.kubernetes, "kube-apiserver"),
    `--advertise-address=${machine.address}`,
    `--secure-port=${API_PORT}`,
    `--etcd-servers=${ETCD}`,
    `--service-cluster-ip-range=${SERVICE_NETWORK}`,
    `--client-ca-file=${cert("ca.crt")}`,
    `--tls-cert-file=${cert("kube-apiserver.crt")}`,
    `--tls-private-key-file=${cert("kube-apiserver.key")}`,
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    `--service-account-key-file=${cert("service-accounts.pub")}`,
    `--service-account-signing-key-file=${cert("service-accounts.key")}`,
    `--kubelet-certificate-authority=${cert("ca.crt")}`,
    `--kubelet-client-certificate=${cert("kubelet-client.crt")}`,
    `--kubelet-client-key=${cert("kubelet-client.key")}`,
    "--kubelet-preferred-address-types=InternalIP",
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    `--admission-control-config-file=${writeAdmissionConfiguration(layout)}`,
    "--allow-privileged=true",
    // Webhook calls go straight to pods: this machine has no kube-proxy that would know a Service's address.
    "--enable-aggregator-routing=true",
    ...(auditLog ? auditFlags(layout) : []),
  ]);
}

/** The API server shows a client certificate to every admission webhook that asks for one. */
function writeAdmissionConfiguration(layout: Layout): string {
  const at = (name: string): string => join(layout.controlPlane.dir, name);
  const user = {
    "client-certificate": join(layout.certs, "webhook-client.crt"),
    "client-key": join(layout.certs, "webhook-client.key"),
  };
  const kubeconfig = { apiVersion: "v1", kind: "Config", users: [{ name: "*", user }] };
  const plugin = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "WebhookAdmissionConfiguration",
    kubeConfigFile: at("webhooks.kubeconfig"),
  };
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AdmissionConfiguration",
    plugins: ["MutatingAdmissionWebhook", "ValidatingAdmissionWebhook"].map((name) => ({ name, configuration: plugin })),
  };
  writeFileSync(at("webhooks.kubeconfig"), JSON.stringify(kubeconfig));
  writeFileSync(at("admission.json"), JSON.stringify(configuration));
  return at("admission.json");
}

/** The API server's audit log, when the cluster was started with one: oldest file first, since the server begins a new one each 100 MB. */
export function auditLogFiles(layout: Layout): string[] {
  const rotated = readdirSync(layout.logs).filter((name) => name.startsWith("audit-") && name.endsWith(".log"));
  return [...rotated.sort(), AUDIT_LOG].map((name) => join(layout.logs, name));
}

function auditFlags(layout: Layout): string[] {
  const policy = join(layout.controlPlane.dir, "audit-policy.json");
  const rules = {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    // What the nodes and the controllers ask is nine tenths of all, and nobody's question here.
    rules: [{ level: "None", userGroups: ["system:nodes", "system:serviceaccounts:kube-system"] }, { level: "Metadata" }],
  };
  writeFileSync(policy, JSON.stringify(rules));
  return [`--audit-policy-file=${policy}`, `--audit-log-path=${join(layout.logs, AUDIT_LOG)}`, "--audit-log-mode=batch"];
}

/** Starts what works through the API server, once it answers: the controllers, the scheduler and DNS. */
export async function startControllers(layout: Layout, binaries: Binaries): Promise<void> {
  const machine = layout.controlPlane;
  const cert = (name: string): string => join(layout.certs, name);
  const kubeconfig = (name: string): string => {
    const file = join(machine.dir, `${name}.kubeconfig`);
    writeKubeconfig(layout, name, innerServer(layout), file);
    return file;
  };
  await startInside(layout, machine, [
    join(binaries.kubernetes, "kube-controller-manager"),
    `--kubeconfig=${kubeconfig("controller-manager")}`,
    "--leader-elect=false",
    "--use-service-account-credentials=true",
    // Making the service accounts of all controllers one after the other would take five seconds with the default of 20.
    "--kube-api-qps=200",
    "--kube-api-burst=300",
    `--service-account-private-key-file=${cert("service-accounts.key")}`,
    `--root-ca-file=${cert("ca.crt")}`,
    `--cluster-signing-cert-file=${cert("ca.crt")}`,
    `--cluster-signing-key-file=${cert("ca.key")}`,
    `--cluster-cidr=${POD_NETWORK}`,
    "--allocate-node-cidrs=false",
    "--controllers=*,-node-ipam-controller",
    "--node-monitor-grace-period=20s",
  ]);
  await startInside(layout, machine, [
    join(binaries.kubernetes, "kube-scheduler"),
    `--kubeconfig=${kubeconfig("scheduler")}`,
    "--leader-elect=false",
  ]);
  const corefile = join(machine.dir, "Corefile");
  writeFileSync(corefile, corefileText(kubeconfig("coredns")));
  await startInside(layout, machine, [join(binaries.coredns, "coredns"), "-conf", corefile]);
  const provisioner = [execPath, join(SOURCES, "volumes.ts"), layout.name];
  // It makes folders on the nodes, so it is a process of the host; only its end belongs to the cluster.
  await startInside(layout, machine, provisioner, { name: "volumes", hostNetwork: true });
}

/** As kubeadm writes it, without the forwarding to other servers that nothing here could reach. */
function corefileText(kubeconfig: string): string {
  return `.:53 {
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${kubeconfig}
    pods insecure
    ttl 30
  }
  cache 30 {
    disable success cluster.local
    disable denial cluster.local
  }
}
`;
}

/** The log of the API server, for errors of those who wait for it. */
export function apiServerLog(layout: Layout): string {
  return logOf(layout, layout.controlPlane, "kube-apiserver");
}
