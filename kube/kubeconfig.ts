/**
 * Reads a kubeconfig, as kubectl does: KUBECONFIG may name several files, the first one that says something wins.
 * Not client-node's reader: with its generated models it is 20 MB of code, and loading that costs most of a second and 80 MB before the first request.
 */

import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import type { Access, Credentials } from "./access.ts";
import { type ExecConfig, execCredential } from "./exec-plugin.ts";

interface Cluster {
  server?: string;
  "certificate-authority"?: string;
  "certificate-authority-data"?: string;
  "insecure-skip-tls-verify"?: boolean;
  "tls-server-name"?: string;
}

interface User {
  "client-certificate"?: string;
  "client-certificate-data"?: string;
  "client-key"?: string;
  "client-key-data"?: string;
  token?: string;
  tokenFile?: string;
  username?: string;
  password?: string;
  exec?: ExecConfig;
  "auth-provider"?: { name?: string };
}

interface Context {
  cluster?: string;
  user?: string;
  namespace?: string;
}

interface KubeconfigFile {
  "current-context"?: string;
  clusters?: { name: string; cluster: Cluster }[] | null;
  users?: { name: string; user: User }[] | null;
  contexts?: { name: string; context: Context }[] | null;
}

/** The files that are read when none is named. */
export function kubeconfigFiles(env: NodeJS.ProcessEnv = process.env): string[] {
  const named = (env.KUBECONFIG ?? "").split(delimiter).filter((file) => file !== "");
  return (named.length > 0 ? named : [join(homedir(), ".kube", "config")]).filter((file) => existsSync(file));
}

/** The access that the files describe. Throws a sentence for people when they do not. */
export function kubeconfigAccess(files: readonly string[], contextName?: string): Access {
  if (files.length === 0) throw new Error("there is no kubeconfig: set KUBECONFIG or use --kubeconfig");
  const parsed = files.map((file) => ({ file, config: (parse(readFileSync(file, "utf8")) ?? {}) as KubeconfigFile }));
  const wanted = contextName ?? parsed.find(({ config }) => config["current-context"])?.config["current-context"];
  if (wanted === undefined) throw new Error(`no context is chosen in ${files.join(", ")}`);
  const context = find(parsed, "contexts", wanted).value.context;
  const cluster = find(parsed, "clusters", context.cluster ?? "");
  const user = context.user ? find(parsed, "users", context.user) : undefined;
  const server = cluster.value.cluster.server;
  if (!server) throw new Error(`the cluster "${cluster.value.name}" has no server`);
  return {
    server,
    load: () =>
      credentials(cluster.value.cluster, dirname(cluster.file), user?.value.user ?? {}, dirname(user?.file ?? "."), server),
  };
}

/** The namespace that the context chooses; undefined where it says none, or where the files cannot be read (the access then says why). */
export function kubeconfigNamespace(files: readonly string[], contextName?: string): string | undefined {
  try {
    const parsed = files.map((file) => ({ file, config: (parse(readFileSync(file, "utf8")) ?? {}) as KubeconfigFile }));
    const wanted = contextName ?? parsed.find(({ config }) => config["current-context"])?.config["current-context"];
    return wanted === undefined ? undefined : find(parsed, "contexts", wanted).value.context.namespace;
  } catch {
    return undefined;
  }
}

type Parsed = readonly { file: string; config: KubeconfigFile }[];
type ItemOf<Key extends "clusters" | "users" | "contexts"> = NonNullable<KubeconfigFile[Key]>[number];

function find<Key extends "clusters" | "users" | "contexts">(
  parsed: Parsed,
  key: Key,
  name: string,
): { file: string; value: ItemOf<Key> } {
  for (const { file, config } of parsed) {
    const items = (config[key] ?? []) as ItemOf<Key>[];
    const value = items.find((item) => item.name === name);
    if (value) return { file, value };
  }
  const known = parsed.flatMap(({ config }) => (config[key] ?? []).map((item) => item.name)).join(", ");
  throw new Error(`the kubeconfig has no entry "${name}" in ${key}; it has ${known === "" ? "none" : known}`);
}

async function credentials(
  cluster: Cluster,
  clusterDir: string,
  user: User,
  userDir: string,
  server: string,
): Promise<Credentials> {
  const provider = user["auth-provider"]?.name;
  if (provider !== undefined)
    throw new Error(`the kubeconfig uses the auth-provider "${provider}", which kubectl dropped too: use an exec plugin`);
  const plugin = user.exec
    ? await execCredential(user.exec, userDir, { server, ca: cluster["certificate-authority-data"] })
    : undefined;
  const [ca, cert, key, tokenFile] = await Promise.all([
    content(cluster["certificate-authority-data"], cluster["certificate-authority"], clusterDir),
    content(user["client-certificate-data"], user["client-certificate"], userDir),
    content(user["client-key-data"], user["client-key"], userDir),
    content(undefined, user.tokenFile, userDir),
  ]);
  const tls: Credentials["tls"] = {};
  if (ca) tls.ca = ca;
  if (cert ?? plugin?.cert) tls.cert = cert ?? plugin?.cert ?? "";
  if (key ?? plugin?.key) tls.key = key ?? plugin?.key ?? "";
  if (cluster["insecure-skip-tls-verify"]) tls.rejectUnauthorized = false;
  if (cluster["tls-server-name"]) tls.servername = cluster["tls-server-name"];
  const token = tokenFile?.toString().trim() || user.token || plugin?.token;
  const basic = user.username ? `Basic ${Buffer.from(`${user.username}:${user.password ?? ""}`).toString("base64")}` : undefined;
  const authorization = token ? `Bearer ${token}` : basic;
  return { tls, headers: authorization === undefined ? {} : { authorization } };
}

/** Data in the file itself, else the file that it names, relative to where the name stands. */
async function content(data: string | undefined, file: string | undefined, directory: string): Promise<Buffer | undefined> {
  if (data) return Buffer.from(data, "base64");
  return file ? readFile(resolve(directory, file)) : undefined;
}
