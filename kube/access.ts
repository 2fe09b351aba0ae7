/**
 * Where the API server is and how we prove who we are.
 * Inside a pod this needs no library (client-node takes a quarter of a second to load, and a restart should not wait for it);
 * a kubeconfig, with its exec plugins and identity providers, is left to client-node.
 */

import { readFile } from "node:fs/promises";
import type { SecureContextOptions } from "node:tls";

/** Credentials at one moment. */
export interface Credentials {
  tls: Pick<SecureContextOptions, "ca" | "cert" | "key" | "passphrase"> & { rejectUnauthorized?: boolean; servername?: string };
  headers: Readonly<Record<string, string>>;
}

export interface Access {
  /** Base address, for example https://10.96.0.1:443; a path prefix is kept. */
  readonly server: string;
  /** Reads the credentials anew: service account tokens rotate, exec plugins' tokens expire. */
  load(): Promise<Credentials>;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The access of a pod's service account, or undefined outside a pod. */
export function inClusterAccess(env: NodeJS.ProcessEnv = process.env, root = SERVICE_ACCOUNT): Access | undefined {
  const host = env.KUBERNETES_SERVICE_HOST;
  const port = env.KUBERNETES_SERVICE_PORT;
  if (!host || !port) return undefined;
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    load: async () => {
      const [ca, token] = await Promise.all([readFile(`${root}/ca.crt`), readFile(`${root}/token`, "utf8")]);
      return { tls: { ca }, headers: { authorization: `Bearer ${token.trim()}` } };
    },
  };
}

/** The access that a kubeconfig describes: the given file, else KUBECONFIG, else ~/.kube/config. */
export async function kubeconfigAccess(file?: string, context?: string): Promise<Access> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  if (file === undefined) config.loadFromDefault();
  else config.loadFromFile(file);
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error(`the kubeconfig names no cluster for the context "${config.getCurrentContext()}"`);
  return { server: cluster.server, load: () => credentialsOf(config) };
}

async function credentialsOf(config: import("@kubernetes/client-node").KubeConfig): Promise<Credentials> {
  const options: import("node:https").RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value);
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  const tls: Credentials["tls"] = {};
  if (options.ca !== undefined) tls.ca = options.ca;
  if (options.cert !== undefined) tls.cert = options.cert;
  if (options.key !== undefined) tls.key = options.key;
  if (options.passphrase !== undefined) tls.passphrase = options.passphrase;
  if (options.rejectUnauthorized !== undefined) tls.rejectUnauthorized = options.rejectUnauthorized;
  if (options.servername !== undefined) tls.servername = options.servername;
  return { tls, headers };
}
