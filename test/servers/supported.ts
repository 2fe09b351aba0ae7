/** The servers on which what we know of Redis and Sentinel is tried: one for each that docs/annotations.md supports. */
import { type ServerBinary, serverBinaries } from "./install.ts";

export const SUPPORTED = ["redis 7.0", "redis 8.0", "valkey 8.1", "valkey 9.1"] as const;

/** The installed one whose name and version begin so. Rejects when there is none. */
export async function serverBinary(wanted: string): Promise<ServerBinary> {
  const servers = await serverBinaries();
  const found = servers.find(({ name, version }) => `${name} ${version}`.startsWith(wanted));
  if (found === undefined)
    throw new Error(`there is no ${wanted} here, only ${servers.map((one) => `${one.name} ${one.version}`).join(", ")}`);
  return found;
}
