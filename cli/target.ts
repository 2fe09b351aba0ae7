/** Which cluster and which namespace a command is about: the options of kubectl, with kubectl's meaning. */
import { type Command, Option } from "commander";
import { connectKube, type Kube } from "../kube/client.ts";
import { kubeconfigFiles, kubeconfigNamespace } from "../kube/kubeconfig.ts";
import { SYSTEM_NAMESPACE } from "../model/names.ts";
import { Problem } from "./exit.ts";
import { VERSION } from "./version.ts";

export interface TargetFlags {
  namespace?: string;
  allNamespaces?: boolean;
  context?: string;
  kubeconfig?: string;
  systemNamespace: string;
}

export interface Target {
  readonly kube: Kube;
  /** undefined: all of them */
  readonly namespace: string | undefined;
  /** where redis-ha itself is installed */
  readonly system: string;
}

/** @throws Problem where redis-ha was installed by an overlay into a place that these manifests do not know */
export function requireUsualPlace({ systemNamespace }: TargetFlags): void {
  if (systemNamespace !== SYSTEM_NAMESPACE)
    throw new Problem(
      `install and uninstall know only ${SYSTEM_NAMESPACE}; for ${systemNamespace} use kubectl apply -k, or delete -k, of its overlay`,
    );
}

/** A group as a person names it: GROUP, or NAMESPACE/GROUP. */
export interface GroupName {
  readonly namespace: string;
  readonly cluster: string;
}

/** The options of commands for a whole cluster. */
export function withCluster(command: Command): Command {
  return command
    .addOption(new Option("--context <name>", "of the kubeconfig"))
    .addOption(new Option("--kubeconfig <file>", "instead of KUBECONFIG or ~/.kube/config"))
    .addOption(new Option("--system-namespace <name>", "where redis-ha is installed").default(SYSTEM_NAMESPACE));
}

/** The options of commands for groups. `all`: also -A. */
export function withTarget(command: Command, all = false): Command {
  command.addOption(new Option("-n, --namespace <name>", "of the group (default: that of the kubeconfig's context)"));
  if (all) command.option("-A, --all-namespaces", "groups of all namespaces");
  return withCluster(command);
}

/** Long enough for a slow link to a far cluster. */
const TIMEOUT_MS = 15_000;

/** Connects; the caller closes. */
export function connect(flags: TargetFlags): Target {
  const kube = connectKube({
    ...(flags.kubeconfig === undefined ? {} : { kubeconfig: flags.kubeconfig }),
    ...(flags.context === undefined ? {} : { context: flags.context }),
    userAgent: `redis-ha-cli/${VERSION}`,
    timeoutMs: TIMEOUT_MS,
  });
  return { kube, namespace: flags.allNamespaces === true ? undefined : namespaceOf(flags), system: flags.systemNamespace };
}

function namespaceOf({ namespace, kubeconfig, context }: TargetFlags): string {
  if (namespace !== undefined) return namespace;
  return kubeconfigNamespace(kubeconfig === undefined ? kubeconfigFiles() : [kubeconfig], context) ?? "default";
}

/** @throws Problem when `text` names no group */
export function groupName(text: string, target: Target): GroupName {
  const [first = "", second, ...more] = text.split("/");
  const namespace = second === undefined ? target.namespace : first;
  const cluster = second ?? first;
  if (more.length > 0 || cluster === "") throw new Problem(`"${text}" names no group: use GROUP or NAMESPACE/GROUP`);
  if (namespace === undefined) throw new Problem(`say in which namespace ${cluster} is: use NAMESPACE/${cluster}, or -n`);
  return { namespace, cluster };
}

/** Connects, works, and closes whatever happens. */
export async function onCluster<T>(flags: TargetFlags, work: (target: Target) => Promise<T>): Promise<T> {
  const target = connect(flags);
  try {
    return await work(target);
  } finally {
    target.kube.close();
  }
}
