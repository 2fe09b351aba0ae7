import { busyboxBinary, serverBinaries } from "../servers/install.ts";

/** Fetches the servers before the first test, so that no test waits for a download. */
export async function setup(): Promise<void> {
  await serverBinaries();
  await busyboxBinary();
}
