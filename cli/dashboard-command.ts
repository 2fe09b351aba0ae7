/** `redis-ha dashboard`: the page of the leading replica on this machine, and in the browser. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { platform } from "node:os";
import { Command } from "commander";
import { isNotFound } from "../kube/error.ts";
import { kubeconfigAccess, kubeconfigFiles } from "../kube/kubeconfig.ts";
import { PATH } from "../kube/paths.ts";
import { createTransport } from "../kube/transport.ts";
import type { Lease } from "../kube/types.ts";
import { LEASE } from "../model/names.ts";
import { createDashboard } from "./dashboard.ts";
import { ending, Problem } from "./exit.ts";
import { proxyPath, serverPods } from "./handlers.ts";
import { print } from "./paper.ts";
import { onCluster, type Target, type TargetFlags, withCluster } from "./target.ts";
import { VERSION } from "./version.ts";

interface Flags extends TargetFlags {
  port: string;
  open: boolean;
}

const FOUND_MS = 5000;

export function dashboardCommand(): Command {
  return withCluster(new Command("dashboard"))
    .description("show the page of all groups in a browser, through the API server")
    .option("--port <port>", "on 127.0.0.1", "8080")
    .option("--no-open", "only print the address")
    .action((flags: Flags) => ending(() => onCluster(flags, async (target) => await serve(target, flags))));
}

async function serve(target: Target, flags: Flags): Promise<undefined> {
  const files = flags.kubeconfig === undefined ? kubeconfigFiles() : [flags.kubeconfig];
  const access = kubeconfigAccess(files, flags.context);
  const transport = createTransport(async () => access, `redis-ha-cli/${VERSION}`);
  const root = remembered(async () => proxyPath(target.system, await leader(target), "").replace(/\/$/, ""), FOUND_MS);
  // Fails here, with its sentence, and not in the browser.
  await root();
  const server = createDashboard({ transport, root });
  server.listen(Number(flags.port), "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  print(`${address}   (^C ends)`);
  if (flags.open) openBrowser(address);
  await once(process, "SIGINT");
  server.closeAllConnections();
  server.close();
  transport.close();
  return undefined;
}

/** The one whose account has all Events and timelines; any other if it can't be told. */
async function leader(target: Target): Promise<string> {
  const pods = (await serverPods(target)).map(({ metadata }) => metadata?.name ?? "");
  const lease = await target.kube.get<Lease>(PATH.leases(target.system, LEASE)).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  // The holder is named POD_RANDOM.
  const holder = lease?.spec?.holderIdentity ?? "";
  const found = pods.find((name) => holder.startsWith(`${name}_`)) ?? pods[0];
  if (found === undefined) throw new Problem(`no pod of redis-ha runs in namespace ${target.system}; see redis-ha doctor`);
  return found;
}

/** The same answer for a while, and asked again after a failure. */
function remembered<T>(ask: () => Promise<T>, forMs: number): () => Promise<T> {
  let known: { readonly answer: Promise<T>; readonly at: number } | undefined;
  return () => {
    if (known === undefined || performance.now() - known.at > forMs) {
      known = { answer: ask(), at: performance.now() };
      known.answer.catch(() => {
        known = undefined;
      });
    }
    return known.answer;
  };
}

/** Where there is no browser (a server, a container) the address was printed already. */
function openBrowser(address: string): void {
  const program = { darwin: "open", win32: "explorer" }[platform() as string] ?? "xdg-open";
  spawn(program, [address], { stdio: "ignore", detached: true })
    .on("error", () => undefined)
    .unref();
}
