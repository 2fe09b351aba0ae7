/**
 * How bodies are read: as plain JSON, and within a bound of memory. The sizes that a caller announces decide who is read now and who waits; a body that
 * waits stays with its sender, since nobody reads its connection. So no number of reviews, however large, grows this process over its limit, and none is refused.
 */
import type { Server } from "node:https";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { createTurns, type Turn } from "./turns.ts";

/** As controller-runtime: an object of at most 3 MiB comes twice (object and oldObject). */
export const BODY_LIMIT = 7 * 1024 * 1024;
/** Nearly all pods are far smaller: they never wait behind a large one. */
const LARGE = 128 * 1024;
/** At once: the largest that etcd stores, one after another; of the usual ones hundreds. */
const LARGE_ROOM = 2 * 1024 * 1024;
const USUAL_ROOM = 4 * 1024 * 1024;
/** An API server sends the largest body in a small part of this. */
const PATIENCE_MS = 1000;

/** @param patienceMs how long a body that comes slowly may hold up others */
export function readBodies(app: FastifyInstance<Server>, patienceMs: number = PATIENCE_MS): void {
  const usual = createTurns(USUAL_ROOM, patienceMs);
  const large = createTurns(LARGE_ROOM, patienceMs);
  const largeTurns = new WeakMap<FastifyRequest, Turn>();

  app.addHook("preParsing", async (request, reply, payload) => {
    const { "content-length": length, "transfer-encoding": encoding } = request.headers;
    if (length === undefined && encoding === undefined) return payload;
    // Without a length (chunked) it may be as large as is allowed; one that says more is refused unread.
    const bytes = Number(length ?? BODY_LIMIT);
    if (bytes > BODY_LIMIT) return payload;
    const turn = bytes > LARGE ? large(bytes) : usual(bytes);
    if (bytes > LARGE) largeTurns.set(request, turn);
    // Also where the caller has gone, or the body was refused.
    reply.raw.once("close", turn.end);
    await turn.begun;
    return payload;
  });

  // Plain JSON.parse: fastify's own parser refuses keys such as `constructor`, which is a valid label; nothing here ever merges what it read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    const turn = largeTurns.get(request);
    if (turn !== undefined) setImmediate(afterLarge, turn);
    try {
      done(null, JSON.parse(String(body)));
    } catch {
      done(Object.assign(new Error("the body is not JSON"), { statusCode: 400 }), undefined);
    }
  });
}

/**
 * The answer is made by now and what is left of the review is garbage. V8 hardly sees how large: bodies and long texts lie outside of its heap, and a dozen of
 * them would be there before it collects. About a millisecond (--expose-gc in the manifest), beside ten for such a review.
 */
function afterLarge(turn: Turn): void {
  globalThis.gc?.({ type: "minor" });
  turn.end();
}
