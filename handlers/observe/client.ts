/** An ioredis client as a Link needs it: one connection, made when it is told to, which reports everything and repeats nothing. */
import type { ConnectionOptions } from "node:tls";
import { Redis } from "ioredis";

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly password: string | undefined;
  /** asked for each attempt, since certificates are renewed; absent: without TLS. Undefined: not known yet, so nobody is spoken to. */
  readonly tls?: () => ConnectionOptions | undefined;
  /** shown in CLIENT LIST */
  readonly name: string;
}

/** With TLS both sides compute in between, and on a busy node they wait for their turn several times: so many times as long. */
const TLS_FACTOR = 2.5;
/** The socket of a silent server is destroyed so long after it was closed, ms. */
const DISCONNECT_MS = 200;

/** How long this server is given for what one without TLS is given `ms`. */
export const patience = ({ tls }: Endpoint, ms: number): number => (tls === undefined ? ms : ms * TLS_FACTOR);

/** Not connected yet. Undefined: it should speak TLS, and nothing is there yet to speak it with. */
export function newClient(endpoint: Endpoint, connectTimeoutMs: number): Redis | undefined {
  const { host, port, password, name } = endpoint;
  const tls = endpoint.tls?.();
  if (endpoint.tls !== undefined && tls === undefined) return undefined;
  return new Redis({
    host,
    port,
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
    connectionName: name,
    protocol: 2,
    lazyConnect: true,
    connectTimeout: patience(endpoint, connectTimeoutMs),
    disconnectTimeout: DISCONNECT_MS,
    retryStrategy: () => null,
    reconnectOnError: null,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResubscribe: false,
    disableClientInfo: true,
    keepAlive: 5000,
  });
}
