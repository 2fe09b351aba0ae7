/**
 * `npm run demo`: the whole promise on a real Kubernetes cluster, in a minute or two: install, annotate, kill the master, hand it over.
 * It uses nothing but the manifests, a stock image and a client that knows a host name and a password.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit, stderr } from "node:process";
import { Command } from "commander";
import { isNotFound } from "../kube/error.ts";
import { PATH } from "../kube/paths.ts";
import { DEFAULT_NAME, down, projectImageName, up } from "../test/cluster/cluster.ts";
import { type Bed, connectBed, EXAMPLES, install, installFromSources, isInstalled, SYSTEM, signal } from "../test/e2e/lib/bed.ts";
import { ClientFailed, ClientPod } from "../test/e2e/lib/client-pod.ts";
import { Group } from "../test/e2e/lib/group.ts";
import { messageOf, waitUntil } from "../test/e2e/lib/wait.ts";
import { type Fault, observe } from "./fault.ts";
import { bold, dim, green, headline, line, red, timeline } from "./paper.ts";

interface Options {
  json?: string;
  context?: string;
  name: string;
  down: boolean;
}

const NAMESPACE = "redis-ha-demo";
const EXPECTED = { replicas: 2, sentinels: 3 };
const WRITERS = 8;
const READY_MS = 60_000;

new Command("npm run demo --")
  .description("Shows on a real Kubernetes cluster what redis-ha does")
  .option("--json <file>", "write the numbers to this file")
  .option("--context <name>", "use your own cluster: a context of your kubeconfig (default: a cluster made on this machine)")
  .option("--name <name>", "the name of the cluster made on this machine", "demo")
  .option("--down", "remove everything at the end", false)
  .action(demo)
  .parseAsync(argv)
  .catch((error: unknown) => {
    stderr.write(`demo: ${messageOf(error)}\n`);
    exit(1);
  });

async function demo(options: Options): Promise<void> {
  const bed = await prepare(options);
  try {
    const result = await show(bed);
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
    if (options.down) await clean(bed, options);
    else lookAround(bed, options);
    if (result.lostWrites > 0) line(red(`${result.lostWrites} acknowledged writes were lost`));
  } finally {
    bed.close();
  }
}

/** A cluster with redis-ha in it and an empty namespace. */
async function prepare(options: Options): Promise<Bed> {
  let bed: Bed;
  if (options.context === undefined) {
    headline(`1. A cluster on this machine: ${options.name}`);
    await up({ name: options.name });
    bed = connectBed({ cluster: options.name });
    headline("2. redis-ha: images from this checkout, then kubectl apply -k manifests/overlays/default");
    await installFromSources(bed, options.name);
  } else {
    headline(`1. Your cluster: context ${options.context}`);
    bed = connectBed({ context: options.context });
    headline("2. redis-ha: kubectl apply -k manifests/overlays/default");
    if (await isInstalled(bed)) line("it is installed already, and left as it is");
    else await installThere(bed);
  }
  line("installed: two replicas answer");
  await emptyNamespace(bed);
  return bed;
}

async function installThere(bed: Bed): Promise<void> {
  try {
    await install(bed);
  } catch (error) {
    const images = ["redis-ha", "redis-ha-boot"].map(projectImageName);
    throw new Error(
      `${messageOf(error)}\n\nThe nodes must be able to get these images:\n  ${images.join("\n  ")}\n` +
        "Build them (npm run bundle, then the two commands at the top of docker/Dockerfile, with these tags), and load them:\n" +
        `  kind load docker-image ${images.join(" ")}      # or: minikube image load …\n` +
        "or push them to your registry and put its name into a copy of manifests/overlays/default.",
    );
  }
}

async function emptyNamespace(bed: Bed): Promise<void> {
  const path = `/api/v1/namespaces/${NAMESPACE}`;
  const exists = await bed.kube.get(path).then(
    () => true,
    (error: unknown) => {
      if (isNotFound(error)) return false;
      throw error;
    },
  );
  if (exists) await bed.kubectl(["delete", "namespace", NAMESPACE, "--timeout=100s"]);
  await bed.kube.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  await waitUntil("the namespace's service account", 10_000, async () => {
    await bed.kube.get(`${path}/serviceaccounts/default`);
  });
}

interface Result {
  readyMs: number;
  /** without an acknowledged write, when the master's process was killed */
  gapMs: number;
  lostWrites: number;
  acknowledgedWrites: number;
  /** the pods that were master, in order */
  masters: string[];
  steps: Fault[];
}

async function show(bed: Bed): Promise<Result> {
  const client = await ClientPod.start(bed, NAMESPACE);
  const group = new Group(bed, client, NAMESPACE);

  headline("3. A plain Deployment with one annotation: kubectl apply -f manifests/examples/quickstart.yaml");
  const applied = performance.now();
  await bed.kubectl(["-n", NAMESPACE, "apply", "-f", join(EXAMPLES, "quickstart.yaml")]);
  const { master } = await waitUntil("a ready group", READY_MS, async () => await group.ready(EXPECTED));
  const readyMs = Math.round(performance.now() - applied);
  line(
    `${green("ready")} after ${bold(`${(readyMs / 1000).toFixed(1)} s`)}: cache-master is writable, 2 replicas are attached, 3 sentinels have a quorum`,
  );
  line(`master: ${master}`);
  await waitUntil("a whole group", READY_MS, async () => await group.whole(EXPECTED));

  headline(`4. ${WRITERS} writers in another pod, through the Service cache-master; then kill -9 of the master's process`);
  await client.startWriters(await group.throughService(), { writers: WRITERS, pauseMs: 2 });
  await client.calm();
  const killed = await observe(group, how(bed), EXPECTED, 0, async (pod) => await kill(bed, group, pod));
  tell(killed.fault, killed.moments);

  headline(`5. kubectl delete pod ${killed.fault.to}: the master is handed over first`);
  await client.calm();
  const deleted = await observe(group, "kubectl delete pod", EXPECTED, killed.fault.lostWrites, async (pod) => {
    await bed.kube.remove(PATH.pods(NAMESPACE, pod.name));
  });
  tell(deleted.fault, deleted.moments);
  await client.stopWriters();
  const verdict = await client.verify(await group.throughService());

  headline("Result");
  line(
    `${verdict.acked} writes were acknowledged, ${verdict.missing === 0 ? green("none is lost") : red(`${verdict.missing} are lost`)}`,
  );
  return {
    readyMs,
    gapMs: killed.fault.gapMs,
    lostWrites: verdict.missing,
    acknowledgedWrites: verdict.acked,
    masters: [killed.fault.from, killed.fault.to, deleted.fault.to],
    steps: [killed.fault, deleted.fault],
  };
}

const how = (bed: Bed): string => ("cluster" in bed.where ? "kill -9 of the master's process" : "SHUTDOWN NOSAVE on the master");

/** Inside one's own cluster a process cannot be killed from here; a shutdown without saving ends it as suddenly for all others. */
async function kill(bed: Bed, group: Group, master: { name: string; ip: string }): Promise<void> {
  if ("cluster" in bed.where) {
    await signal(bed, NAMESPACE, master.name, "redis", "SIGKILL");
    return;
  }
  try {
    await group.client.commands(await group.at(master.ip), [["SHUTDOWN", "NOSAVE", "NOW", "FORCE"]]);
  } catch (error) {
    if (!(error instanceof ClientFailed)) throw error;
  }
}

function tell(fault: Fault, moments: Parameters<typeof timeline>[0]): void {
  timeline(moments);
  const lost = fault.lostWrites === 0 ? green("0 lost") : red(`${fault.lostWrites} lost`);
  line(`write gap ${bold(`${Math.round(fault.gapMs)} ms`)}, ${fault.acknowledged} writes acknowledged meanwhile, ${lost}`);
  if (fault.clientStallMs > 100)
    line(dim(`this machine is busy: the writers' own process stood still for ${fault.clientStallMs} ms`));
  line(dim(`master: ${fault.from} → ${fault.to}; what the writers met: ${JSON.stringify(fault.errors)}`));
}

function lookAround(bed: Bed, options: Options): void {
  const kubectl = bed.kubectlText;
  headline("Look around (the cluster keeps running)");
  line(`${kubectl} -n ${NAMESPACE} get pods -L redis-ha.io/role`);
  line(`${kubectl} -n ${NAMESPACE} describe service cache-master          # the whole story, as Events`);
  line(`${kubectl} -n ${NAMESPACE} annotate service cache-master redis-ha.io/handover=any`);
  line(`${kubectl} -n ${SYSTEM} logs -l app.kubernetes.io/name=redis-ha`);
  const name = options.name === DEFAULT_NAME ? "" : ` --name ${options.name}`;
  line(
    options.context === undefined
      ? `npm run cluster -- down${name}          # removes everything`
      : `${kubectl} delete namespace ${NAMESPACE}; ${kubectl} delete -k manifests/overlays/default   # removes everything`,
  );
}

async function clean(bed: Bed, options: Options): Promise<void> {
  if (options.context === undefined) await down({ name: options.name });
  else await bed.kubectl(["delete", "namespace", NAMESPACE, "--timeout=100s"]);
}
