import { Redis } from "ioredis";
import type { Bed } from "./bed.ts";

/** Nobody on loopback needs longer for an answer, ms. */
const ANSWER_MS = 3000;

/**
 * One command on a connection of its own; the reply as lines, as redis-cli prints it: nested replies flat, the server's errors as their text. Rejects where
 * nobody answers.
 */
export async function ask(host: string, port: number, { password, tls }: Bed, words: readonly string[]): Promise<string[]> {
  const redis = new Redis({
    host,
    port,
    ...(password === "" ? {} : { password }),
    ...(tls === undefined ? {} : { tls: { ca: tls.authority, servername: tls.name } }),
    protocol: 2,
    lazyConnect: true,
    enableReadyCheck: false,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
    retryStrategy: null,
  });
  redis.on("error", () => undefined); // told by the rejected command
  const [name = "", ...args] = words;
  try {
    await redis.connect();
    return lines(await redis.call(name, ...args));
  } catch (error) {
    if (error instanceof Error && error.name === "ReplyError") return [error.message];
    throw error;
  } finally {
    redis.disconnect();
  }
}

function lines(reply: unknown): string[] {
  if (Array.isArray(reply)) return reply.flatMap(lines);
  return reply === null ? [""] : String(reply).replace(/\n$/, "").split("\n");
}
