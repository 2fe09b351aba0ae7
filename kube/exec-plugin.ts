/** Credentials from a program that the kubeconfig names (client.authentication.k8s.io), as cloud providers have it. */

import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { promisify } from "node:util";

export interface ExecConfig {
  apiVersion?: string;
  command: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
  provideClusterInfo?: boolean;
  installHint?: string;
}

export interface ExecCredential {
  token?: string;
  cert?: string;
  key?: string;
}

interface Answer {
  status?: { token?: string; clientCertificateData?: string; clientKeyData?: string; expirationTimestamp?: string };
}

const run = promisify(execFile);
/** Long enough for a login in a browser. */
const EXEC_MS = 60_000;
/** A token is asked for anew so long before it ends. */
const EARLY_MS = 60_000;

const cache = new WeakMap<ExecConfig, { credential: ExecCredential; until: number }>();

/** Runs the plugin, or gives its last answer while that is valid. A command with a slash is relative to the kubeconfig. */
export async function execCredential(
  config: ExecConfig,
  directory: string,
  cluster: { server: string; ca?: string | undefined },
): Promise<ExecCredential> {
  const known = cache.get(config);
  if (known && known.until > Date.now()) return known.credential;
  const apiVersion = config.apiVersion ?? "client.authentication.k8s.io/v1";
  const info = {
    apiVersion,
    kind: "ExecCredential",
    spec: {
      interactive: false,
      ...(config.provideClusterInfo ? { cluster: { server: cluster.server, "certificate-authority-data": cluster.ca } } : {}),
    },
  };
  const env: NodeJS.ProcessEnv = { ...process.env, KUBERNETES_EXEC_INFO: JSON.stringify(info) };
  for (const { name, value } of config.env ?? []) env[name] = value;
  const command = config.command.includes("/") ? resolve(directory, config.command) : config.command;
  const { stdout } = await run(command, config.args ?? [], { env, timeout: EXEC_MS, maxBuffer: 1 << 20 }).catch(
    (error: Error) => {
      const hint = config.installHint ? `\n${config.installHint}` : "";
      throw new Error(`the kubeconfig's login program ${config.command} failed: ${error.message}${hint}`);
    },
  );
  const { status } = JSON.parse(stdout) as Answer;
  const credential: ExecCredential = {};
  if (status?.token) credential.token = status.token;
  if (status?.clientCertificateData) credential.cert = status.clientCertificateData;
  if (status?.clientKeyData) credential.key = status.clientKeyData;
  const ends = status?.expirationTimestamp ? Date.parse(status.expirationTimestamp) - EARLY_MS : Number.POSITIVE_INFINITY;
  cache.set(config, { credential, until: ends });
  return credential;
}
