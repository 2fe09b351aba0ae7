/** The flags of `redis-ha serve`. */

import { Command, InvalidArgumentError, Option } from "commander";
import { DEFAULT_CERT_CONFIG } from "../certs/plan.ts";
import { ADMIN_PORT, SYSTEM_NAMESPACE, WEBHOOK_CONFIGURATION } from "../model/names.ts";
import type { LogLevel } from "../report/log.ts";
import { type InjectFlags, injectOptions } from "../webhook/config.ts";

export interface ServeFlags extends InjectFlags {
  webhook: boolean;
  handlers: boolean;
  namespace: string;
  watchNamespace?: string;
  adminPort: number;
  webhookPort: number;
  drainMs: number;
  publishCa: boolean;
  certsDir?: string;
  configurationName: string;
  clientCa?: string;
  clientNames?: string[];
  caLifeMs: number;
  leafLifeMs: number;
  propagationMs: number;
  logLevel: LogLevel;
  kubeconfig?: string;
  context?: string;
}

/** The levels of report/log.ts; repeated so that `--help` need not load the logger. */
const LEVELS: LogLevel[] = ["trace", "debug", "info", "warn", "error", "silent"];

export function serveCommand(): Command {
  const command = new Command("serve")
    .description("run the webhook and the handlers (in the cluster; flags run them apart)")
    .option("--no-webhook", "do not answer admissions")
    .option("--no-handlers", "do not look after groups")
    .addOption(
      new Option("--namespace <name>", "where redis-ha itself lives: its Secret and its Lease")
        .env("POD_NAMESPACE")
        .default(SYSTEM_NAMESPACE),
    )
    .addOption(new Option("--watch-namespace <name>", "look after groups of this namespace only").env("REDIS_HA_WATCH_NAMESPACE"))
    // No variables for ports: Kubernetes itself sets REDIS_HA_WEBHOOK_PORT where a Service has that name, and to an address.
    .addOption(
      new Option("--admin-port <port>", "plain HTTP: the page, /healthz /readyz /metrics /groups")
        .default(ADMIN_PORT)
        .argParser(wholeNumber),
    )
    .addOption(new Option("--webhook-port <port>", "HTTPS, for the API server").default(8443).argParser(wholeNumber))
    .addOption(
      new Option("--drain-ms <ms>", "on SIGTERM, answer for so long while asking callers to connect elsewhere")
        .default(2000)
        .argParser(wholeNumber),
    )
    .addOption(
      new Option("--ca-life-ms <ms>", "of the webhook's own CA").default(DEFAULT_CERT_CONFIG.caLifeMs).argParser(wholeNumber),
    )
    .addOption(
      new Option("--leaf-life-ms <ms>", "of its certificate").default(DEFAULT_CERT_CONFIG.leafLifeMs).argParser(wholeNumber),
    )
    .addOption(
      new Option("--propagation-ms <ms>", "from publishing a new CA to using it")
        .default(DEFAULT_CERT_CONFIG.propagationMs)
        .argParser(wholeNumber),
    )
    .addOption(
      new Option(
        "--certs-dir <dir>",
        "serve with tls.crt and tls.key of this directory (cert-manager), instead of keeping our own",
      ).env("REDIS_HA_CERTS_DIR"),
    )
    .option("--no-publish-ca", "somebody else writes the caBundle of the webhook configuration (an installation with Roles only)")
    .addOption(
      new Option("--configuration-name <name>", "of our MutatingWebhookConfiguration")
        .env("REDIS_HA_CONFIGURATION_NAME")
        .default(WEBHOOK_CONFIGURATION),
    )
    .addOption(
      new Option("--client-ca <file>", "answer only callers with a client certificate of this CA (the API server's)").env(
        "REDIS_HA_CLIENT_CA",
      ),
    )
    .addOption(
      new Option("--client-names <names>", "and only those with one of these common names (comma-separated)")
        .env("REDIS_HA_CLIENT_NAMES")
        .argParser((text) => text.split(",").flatMap((name) => name.trim() || [])),
    )
    .addOption(new Option("--log-level <level>").choices(LEVELS).default("info").env("REDIS_HA_LOG_LEVEL"))
    .option("--kubeconfig <file>", "instead of the pod's service account")
    .option("--context <name>", "of the kubeconfig");
  for (const option of injectOptions()) command.addOption(option);
  return command.action(async (flags: ServeFlags) => {
    const { runServer } = await import("./run.ts");
    await runServer(flags);
  });
}

function wholeNumber(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError("use a whole number.");
  return Number(text);
}
