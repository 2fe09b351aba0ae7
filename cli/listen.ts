/** Listening on all addresses of the machine, whichever families it has. */

import type { AddressInfo } from "node:net";

interface Listener {
  listen(options: { port: number; host: string }): Promise<string>;
}

/** "::" serves IPv4 too, except where the kernel has no IPv6 at all. */
export async function listen(app: Listener, port: number): Promise<void> {
  try {
    await app.listen({ port, host: "::" });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw error;
    await app.listen({ port, host: "0.0.0.0" });
  }
}

/** The port that was taken, where 0 was asked for. */
export const portOf = (address: AddressInfo | string | null): number =>
  typeof address === "object" && address ? address.port : 0;
