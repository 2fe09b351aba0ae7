import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { API_PORT, type Layout } from "./layout.ts";

/** Writes a kubeconfig for one of the certificates in the cluster's certs folder. JSON is YAML, so every tool reads it. */
export function writeKubeconfig(layout: Layout, certificate: string, server: string, file: string): void {
  const data = (name: string): string => readFileSync(join(layout.certs, name)).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": layout.name,
    clusters: [{ name: layout.name, cluster: { server, "certificate-authority-data": data("ca.crt") } }],
    users: [
      {
        name: certificate,
        user: { "client-certificate-data": data(`${certificate}.crt`), "client-key-data": data(`${certificate}.key`) },
      },
    ],
    contexts: [{ name: layout.name, context: { cluster: layout.name, user: certificate } }],
  };
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
}

/** The API server's address inside the cluster's network. */
export function innerServer(layout: Layout): string {
  return `https://${layout.controlPlane.address}:${API_PORT}`;
}

/** The API server's address for programs on the host. */
export function hostServer(layout: Layout): string {
  return `https://${layout.hostLink.controlPlane}:${API_PORT}`;
}
