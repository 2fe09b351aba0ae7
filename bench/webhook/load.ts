/** Admissions over kept-alive TLS connections, with as little work as possible on the client's side: it must not be what is measured. */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";

export interface Target {
  readonly port: number;
  readonly ca: string;
}

/** One connection; a request at a time. */
class Connection {
  readonly #socket: TLSSocket;
  readonly #parts: Buffer[] = [];
  #size = 0;
  #wanted = -1;
  #resolve: ((answer: Buffer) => void) | undefined;
  #reject: ((error: Error) => void) | undefined;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => this.#reject?.(error));
    socket.on("close", () => this.#reject?.(new Error("the connection was closed")));
  }

  static async open({ port, ca }: Target): Promise<Connection> {
    const socket = connect({ host: "127.0.0.1", port, ca, servername: "localhost" });
    await once(socket, "secureConnect");
    socket.setNoDelay(true);
    return new Connection(socket);
  }

  send(head: Buffer, body: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#socket.cork();
      this.#socket.write(head);
      this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  #receive(chunk: Buffer): void {
    this.#parts.push(chunk);
    this.#size += chunk.length;
    if (this.#wanted < 0) {
      const all = Buffer.concat(this.#parts);
      const end = all.indexOf("\r\n\r\n");
      if (end < 0) return;
      const length = /content-length: (\d+)/i.exec(all.toString("latin1", 0, end))?.[1];
      // Without a length: chunked, as Go answers when the answer is not small.
      this.#wanted = length === undefined ? Number.POSITIVE_INFINITY : end + 4 + Number(length);
    }
    const whole = Number.isFinite(this.#wanted) ? this.#size >= this.#wanted : endsChunked(chunk);
    if (!whole) return;
    const answer = Buffer.concat(this.#parts);
    this.#parts.length = 0;
    this.#size = 0;
    this.#wanted = -1;
    this.#resolve?.(answer);
  }

  close(): void {
    this.#reject = undefined;
    this.#socket.destroy();
  }
}

/** No JSON text has this within. */
const endsChunked = (chunk: Buffer): boolean => chunk.length >= 5 && chunk.toString("latin1", chunk.length - 5) === "0\r\n\r\n";

export interface Run {
  readonly seconds: number;
  readonly rate: number | undefined;
  readonly latenciesMs: readonly number[];
  /** how much later than due this process began to send, where a connection was free */
  readonly lateMs: readonly number[];
  readonly patchBytes: number;
}

export interface Drive {
  readonly connections: number;
  readonly forMs: number;
  /** requests a second; kept whatever the answers' delays, as far as connections are free. Default: as fast as it goes. */
  readonly rate?: number;
}

const headOf = (body: Buffer): Buffer =>
  Buffer.from(
    `POST /mutate/pods?timeout=5s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  );

/** Sends one review again and again. At a rate (an open loop) a delay counts from when the request was due, also if no connection was free then. */
export async function drive(target: Target, body: Buffer, { connections, forMs, rate }: Drive): Promise<Run> {
  const pool = await Promise.all(Array.from({ length: connections }, async () => await Connection.open(target)));
  const head = headOf(body);
  const latenciesMs: number[] = [];
  const lateMs: number[] = [];
  const startedAt = performance.now();
  const endAt = startedAt + forMs;
  let begun = 0;
  let patchBytes = 0;
  await Promise.all(
    pool.map(async (connection) => {
      for (;;) {
        const freeAt = performance.now();
        const dueAt = rate === undefined ? freeAt : startedAt + (begun * 1000) / rate;
        begun += 1;
        if (dueAt > endAt || freeAt > endAt) break;
        const idle = dueAt > freeAt;
        if (idle) await sleep(dueAt - freeAt);
        const sentAt = performance.now();
        if (idle) lateMs.push(sentAt - dueAt);
        const answer = await connection.send(head, body);
        // A late timer of ours is not the server's delay.
        latenciesMs.push(performance.now() - (idle ? sentAt : dueAt));
        if (patchBytes === 0) patchBytes = patchLength(answer);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  for (const connection of pool) connection.close();
  return { seconds, rate, latenciesMs, lateMs, patchBytes };
}

function patchLength(answer: Buffer): number {
  const text = answer.toString();
  const body = text.slice(text.indexOf("\r\n\r\n") + 4);
  const chunked = /transfer-encoding: chunked/i.test(text.slice(0, text.indexOf("\r\n\r\n")));
  const { response } = JSON.parse(chunked ? dechunk(body) : body) as { response: { allowed: boolean; patch?: string } };
  if (!response.allowed || response.patch === undefined) throw new Error(`no patch: ${text.slice(0, 500)}`);
  return Buffer.from(response.patch, "base64").length;
}

function dechunk(text: string): string {
  const size = Number.parseInt(text, 16);
  const from = text.indexOf("\r\n") + 2;
  return size === 0 ? "" : text.slice(from, from + size) + dechunk(text.slice(from + size + 2));
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
