/** `redis-ha dashboard`: the page of the handlers, on this machine and in the browser. */
import { spawn } from "node:child_process";
import { Command, InvalidArgumentError, Option } from "commander";
import type { ConnectOptions } from "../kube/client.ts";
import { VERSION } from "./version.ts";

interface Flags {
  port: number;
  open: boolean;
  systemNamespace: string;
  context?: string;
  kubeconfig?: string;
}

const TIMEOUT_MS = 15_000;
const FAILED = 3;

export function dashboardCommand(): Command {
  return new Command("dashboard")
    .description("show the page: all groups, live, in the browser; until ^C")
    .addOption(new Option("--port <port>", "on this machine").default(0, "any that is free").argParser(portNumber))
    .option("--no-open", "only print the address")
    .addOption(new Option("--context <name>", "of the kubeconfig"))
    .addOption(new Option("--kubeconfig <file>", "instead of KUBECONFIG or ~/.kube/config"))
    .addOption(new Option("--system-namespace <name>", "where redis-ha is installed").default("redis-ha-system"))
    .action(async (flags: Flags) => {
      await run(flags).catch((error: unknown) => {
        process.stderr.write(`redis-ha: ${error instanceof Error ? error.message : String(error)}\n`);
        process.exitCode = FAILED;
      });
    });
}

/** Until a signal. Rejects with a sentence for people. */
async function run(flags: Flags): Promise<void> {
  // Loaded only now: the server and the other commands do not need them.
  const [{ connectKube }, { createWay }, { startDashboard }] = await Promise.all([
    import("../kube/client.ts"),
    import("./dashboard-way.ts"),
    import("./dashboard-server.ts"),
  ]);
  const kube = connectKube(access(flags));
  try {
    const way = createWay({ kube, system: flags.systemNamespace });
    // Before the browser opens: a reason that a person can read, instead of an empty page.
    const first = await way.open("/", {}, AbortSignal.timeout(TIMEOUT_MS), true).catch((error: unknown) => {
      throw new Error(`the page cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
    });
    first.destroy();
    const dashboard = await startDashboard(way, flags.port).catch((error: NodeJS.ErrnoException) => {
      throw new Error(`port ${flags.port} cannot be used (${error.code ?? error.message}); choose another with --port`);
    });
    const address = `http://127.0.0.1:${dashboard.port}/`;
    process.stdout.write(`${address}  (^C ends it)\n`);
    if (flags.open) openBrowser(address);
    await new Promise<void>((resolve) => {
      process.once("SIGINT", resolve);
      process.once("SIGTERM", resolve);
    });
    await dashboard.close();
  } finally {
    kube.close();
  }
}

const access = ({ context, kubeconfig }: Flags): ConnectOptions => ({
  ...(kubeconfig === undefined ? {} : { kubeconfig }),
  ...(context === undefined ? {} : { context }),
  userAgent: `redis-ha-cli/${VERSION}`,
  timeoutMs: TIMEOUT_MS,
});

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError("use a port, 0 to 65535.");
  return port;
}

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ["open"],
  win32: ["cmd", "/c", "start", ""],
};

/** Where there is no browser the printed address has to do. */
function openBrowser(address: string): void {
  const [command = "xdg-open", ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  const opening = spawn(command, [...args, address], { stdio: "ignore", detached: true });
  opening.on("error", () => undefined);
  opening.unref();
}
