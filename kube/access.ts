/** Where the API server is and how we prove who we are: here for a pod, in kubeconfig.ts for people and tests. */

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
