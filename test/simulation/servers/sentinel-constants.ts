/** Numbers and names of sentinel.c. */

export const HELLO = "__sentinel__:hello";
/** sentinel.c L84–103, ms */
export const PERIOD = { info: 10_000, ping: 1000, ask: 1000, publish: 2000, tilt: 30_000, tiltTrigger: 2000, reconnect: 15_000 };
