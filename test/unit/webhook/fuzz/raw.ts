/** Raw bytes over TLS: what no client library would send. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";

export interface RawTarget {
  readonly port: number;
  readonly ca: string;
}

const head = (length: number | string, more = ""): string =>
  `POST /mutate/pods HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n${more}\r\n`;
const chunked =
  "POST /mutate/pods HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
const whole = (body: string | Buffer): readonly (string | Buffer)[] => [head(Buffer.byteLength(body)), body];

/** Those that end in the middle of a request: the server waits for the rest, for REQUEST_MS of server.ts, and then answers 408 or hangs up. */
export const UNFINISHED: ReadonlySet<string> = new Set(["truncated", "slow", "nothing at all"]);
/** All others are answered at once; a busy machine may take a while. */
const ANSWER_MS = 15_000;

/** By name: the parts that are sent, one after the other, a little apart. */
export function rawCases(review: string): Readonly<Record<string, readonly (string | Buffer)[]>> {
  const half = review.slice(0, review.length / 2);
  const inProto = review.replace(
    '"request":',
    '"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"request":',
  );
  return {
    truncated: [head(review.length + 1000), half],
    "truncated and wrong length": [head(half.length), half],
    slow: [head(review.length), ...[...review.slice(0, 20)]],
    huge: [head(8 * 1024 * 1024), Buffer.alloc(1024 * 1024, 32)],
    "huge, and says nothing of it": [chunked, ...Array.from({ length: 9 }, () => `100000\r\n${" ".repeat(1024 * 1024)}\r\n`)],
    "random bytes as body": whole(randomBytes(2000)),
    "random bytes as request": [randomBytes(500)],
    "invalid UTF-8": whole(Buffer.from(review.replace("redis", "\u00ff\u00fe"), "latin1")),
    "byte order mark": whole(`\ufeff${review}`),
    empty: whole(""),
    array: whole("[]"),
    number: whole("1e999"),
    null: whole("null"),
    text: whole('"AdmissionReview"'),
    "nested arrays": whole("[".repeat(200_000)),
    "nested objects": whole(review.replace('"object":{', `"deep":${'{"a":'.repeat(5000)}1${"}".repeat(5000)},"object":{`)),
    "prototype keys": whole(inProto),
    "a key twice": whole(review.replace('"uid":', '"uid":"first","uid":')),
    "bad chunk size": [chunked, "zz\r\n"],
    "negative length": [head("-5"), "x"],
    "two lengths": [head(5, "Content-Length: 6\r\n"), "123456"],
    "long header": [head(2, `X-Long: ${"x".repeat(40_000)}\r\n`), "{}"],
    "old protocol": ["POST /mutate/pods HTTP/0.9\r\n\r\n"],
    "compressed, it says": [head(review.length, "Content-Encoding: gzip\r\n"), review],
    "another method": ["GET /mutate/pods HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    "upgrade wish": ["GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"],
    "two requests at once": [head(review.length) + review + head(review.length) + review],
    "nothing at all": [],
  };
}

/** Sends the parts, waits for an answer, and hangs up. Returns the status, 0 when there was none. */
export async function sendRaw(
  { port, ca }: RawTarget,
  parts: readonly (string | Buffer)[],
  waitMs: number = ANSWER_MS,
): Promise<number> {
  const socket: TLSSocket = connect({ host: "localhost", port, ca });
  const answered = Promise.withResolvers<number>();
  let text = "";
  socket.on("error", () => answered.resolve(statusOf(text)));
  socket.on("close", () => answered.resolve(statusOf(text)));
  socket.setEncoding("latin1").on("data", (chunk) => {
    text += chunk;
    answered.resolve(statusOf(text));
  });
  for (const part of parts) {
    if (socket.destroyed) break;
    socket.write(part);
    if (parts.length > 3) await sleep(1);
  }
  const status = await Promise.race([answered.promise, sleep(waitMs, 0)]);
  socket.destroy();
  return status;
}

const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
