/**
 * The Redis protocol in the few lines that a neutral client needs, on a plain socket: nothing retried, nothing pooled, nothing tuned.
 * No dependencies, so that the folder runs as it is in any container that has Node.
 */
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

/** An error reply of the server; `kind` is its first word (READONLY, NOREPLICAS, LOADING, …). */
export class ReplyError extends Error {
  readonly kind: string;

  constructor(text: string) {
    super(text);
    this.kind = text.split(" ", 1)[0] ?? "ERR";
  }
}

/** The connection is of no use any more; `kind` is ECONNREFUSED, connect-timeout, command-timeout, closed, …. */
export class ConnectionError extends Error {
  readonly kind: string;

  constructor(kind: string) {
    super(kind);
    this.kind = kind;
  }
}

export type Reply = string | number | null | ReplyError | Reply[];

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly password?: string;
  /** by whom the server's certificate must be signed (PEM), and for which name */
  readonly tls?: { readonly ca: string; readonly servername: string };
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
}

/** One connection. After any error it is closed and stays so. */
export class Connection {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  readonly #waiting: Waiting[] = [];
  #data: Buffer = Buffer.alloc(0);
  #broken: ConnectionError | undefined;
  readonly #closing = Promise.withResolvers<string>();

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error: NodeJS.ErrnoException) => this.#break(error.code ?? error.message));
    socket.on("close", () => this.#break("closed"));
  }

  /** Connects within `timeoutMs` and logs in; that, and every command after it, within `commandMs`. */
  static async open(target: Target, timeoutMs: number, commandMs = timeoutMs): Promise<Connection> {
    const { host, port, tls } = target;
    const socket = tls === undefined ? connect({ host, port }) : connectTls({ host, port, ...tls });
    socket.setNoDelay(true);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => fail("connect-timeout"), timeoutMs);
      const fail = (kind: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new ConnectionError(kind));
      };
      socket.once("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      socket.once(tls === undefined ? "connect" : "secureConnect", () => {
        clearTimeout(timer);
        socket.removeAllListeners("error");
        resolve();
      });
    });
    const connection = new Connection(socket, commandMs);
    if (target.password !== undefined) await connection.command(["AUTH", target.password]);
    return connection;
  }

  /** Sends one command; an error reply is thrown and leaves the connection open. */
  async command(words: readonly string[]): Promise<Reply> {
    if (this.#broken !== undefined) throw this.#broken;
    const timer = setTimeout(() => this.#break("command-timeout"), this.#timeoutMs);
    try {
      const reply = await new Promise<Reply>((resolve, reject) => {
        this.#waiting.push({ resolve, reject });
        this.#socket.write(encode(words));
      });
      if (reply instanceof ReplyError) throw reply;
      return reply;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    this.#break("closed");
  }

  /** Resolves when the connection is of no use any more, with the kind of the error. */
  get closed(): Promise<string> {
    return this.#closing.promise;
  }

  #break(kind: string): void {
    this.#broken ??= new ConnectionError(kind);
    this.#closing.resolve(this.#broken.kind);
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(this.#broken);
  }

  #read(chunk: Buffer): void {
    this.#data = this.#data.length === 0 ? chunk : Buffer.concat([this.#data, chunk]);
    for (;;) {
      const parsed = parse(this.#data, 0);
      if (parsed === undefined) return;
      this.#data = this.#data.subarray(parsed.end);
      this.#waiting.shift()?.resolve(parsed.reply);
    }
  }
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}

/** One reply (RESP2) from `at`, or undefined while it is not all there. */
function parse(data: Buffer, at: number): { reply: Reply; end: number } | undefined {
  const lineEnd = data.indexOf("\r\n", at);
  if (lineEnd < 0) return undefined;
  const rest = data.toString("utf8", at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(data[at] ?? 0)) {
    case "+":
      return { reply: rest, end };
    case "-":
      return { reply: new ReplyError(rest), end };
    case ":":
      return { reply: Number(rest), end };
    case "$":
      return bulk(data, Number(rest), end);
    case "*":
      return list(data, Number(rest), end);
    default:
      return { reply: new ReplyError(`not the Redis protocol: ${rest}`), end };
  }
}

function bulk(data: Buffer, length: number, start: number): { reply: Reply; end: number } | undefined {
  if (length < 0) return { reply: null, end: start };
  if (data.length < start + length + 2) return undefined;
  return { reply: data.toString("utf8", start, start + length), end: start + length + 2 };
}

function list(data: Buffer, count: number, start: number): { reply: Reply; end: number } | undefined {
  if (count < 0) return { reply: null, end: start };
  const replies: Reply[] = [];
  let end = start;
  for (let index = 0; index < count; index += 1) {
    const parsed = parse(data, end);
    if (parsed === undefined) return undefined;
    replies.push(parsed.reply);
    end = parsed.end;
  }
  return { reply: replies, end };
}
