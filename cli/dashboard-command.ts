/** `redis-ha dashboard`: the page of the handlers, on this machine and in the browser. */
import { spawn } from "node:child_process";
import { Command, InvalidArgumentError, Option } from "commander";
import { startDashboard } from "./dashboard-server.ts";
import { createWay } from "./dashboard-way.ts";
import { ending, Problem } from "./exit.ts";
import { print, progress } from "./paper.ts";
import { onCluster, type TargetFlags, withCluster } from "./target.ts";

interface Flags extends TargetFlags {
  port: number;
  open: boolean;
}

export function dashboardCommand(): Command {
  return withCluster(new Command("dashboard"))
    .description("show the page: all groups, live, in the browser; until ^C")
    .addOption(new Option("--port <port>", "on this machine").default(0, "any that is free").argParser(portNumber))
    .option("--no-open", "only print the address")
    .action((flags: Flags) =>
      ending(async () => {
        await onCluster(flags, async (target) => {
          const way = createWay(target);
          // Before the browser opens: a reason that a person can read, instead of an empty page.
          const opening = way.open("/", {}, AbortSignal.timeout(15_000), true).catch((error: unknown) => {
            throw new Problem(`the page cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
          });
          const first = await progress("looking for the page", opening);
          first.destroy();
          const dashboard = await startDashboard(way, flags.port).catch((error: NodeJS.ErrnoException) => {
            throw new Problem(`port ${flags.port} cannot be used (${error.code ?? error.message}); choose another with --port`);
          });
          const address = `http://127.0.0.1:${dashboard.port}/`;
          print(`${address}  (^C ends it)`);
          if (flags.open) openBrowser(address);
          await new Promise<void>((resolve) => {
            process.once("SIGINT", resolve);
            process.once("SIGTERM", resolve);
          });
          await dashboard.close();
        });
        return undefined;
      }),
    );
}

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
