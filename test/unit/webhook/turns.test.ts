/** Turns: what may be in memory at once. And the server's own use of them: many large reviews from many callers, one that never ends, one that goes. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { JsonObject } from "../../../webhook/json.ts";
import { createTurns, type Turn } from "../../../webhook/turns.ts";
import { connect } from "./client.ts";
import { review } from "./review.ts";
import { type Served, startServed } from "./served.ts";
import { redisPod } from "./support.ts";

describe("turns", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  const PATIENCE_MS = 1000;
  /** Takes turns of these sizes and notes the order in which they begin. */
  function taken(room: number, sizes: readonly number[]): { begun: number[]; turns: Turn[] } {
    const take = createTurns(room, PATIENCE_MS);
    const begun: number[] = [];
    const turns = sizes.map((bytes, index) => {
      const turn = take(bytes);
      if (turn.begun === undefined) begun.push(index);
      else void turn.begun.then(() => begun.push(index));
      return turn;
    });
    return { begun, turns };
  }

  test("begin at once while there is room, then in the order in which they came", async () => {
    const { begun, turns } = taken(10, [4, 6, 5, 1]);
    expect(begun).toEqual([0, 1]);
    turns[0]?.end();
    await vi.advanceTimersByTimeAsync(0);
    // The last one would fit, but a small one that came later must not keep a large one waiting for ever.
    expect(begun).toEqual([0, 1]);
    turns[1]?.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual([0, 1, 2, 3]);
  });

  test("one that is larger than the room goes alone", async () => {
    const { begun, turns } = taken(10, [50, 1]);
    expect(begun).toEqual([0]);
    turns[0]?.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual([0, 1]);
  });

  test("ended twice gives room once", async () => {
    const { begun, turns } = taken(10, [10, 10, 10]);
    turns[0]?.end();
    turns[0]?.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual([0, 1]);
  });

  test("one that gives up waiting is passed over", async () => {
    const { begun, turns } = taken(10, [10, 10, 10]);
    turns[1]?.end();
    turns[0]?.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual([0, 2]);
  });

  test("a slow one holds up the others no longer than the patience, and its end gives no room a second time", async () => {
    const { begun, turns } = taken(10, [10, 10, 10]);
    await vi.advanceTimersByTimeAsync(PATIENCE_MS);
    expect(begun).toEqual([0, 1]);
    turns[0]?.end();
    await vi.advanceTimersByTimeAsync(0);
    expect(begun).toEqual([0, 1]);
  });
});

describe("large reviews", () => {
  const MIB = 1024 * 1024;
  let served: Served;
  beforeEach(async () => {
    served = await startServed();
  });
  afterEach(async () => await served.close());

  const largeReview = (bytes = 1.5 * MIB): JsonObject => {
    const pod = redisPod();
    return review({
      ...pod,
      metadata: { ...(pod.metadata as object), managedFields: [{ big: "x".repeat(bytes) }] },
    } as JsonObject);
  };
  /** Announces a large body, and sends only its first byte. */
  async function begin({ webhook, authority } = served): Promise<TLSSocket> {
    const { port } = webhook.app.server.address() as AddressInfo;
    const socket = connectTls({ host: "localhost", port, ca: authority.ca });
    socket.on("error", () => undefined);
    const reached = once(webhook.app.server, "request");
    socket.write(
      `POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${2 * MIB}\r\n\r\n{`,
    );
    await reached;
    return socket;
  }

  test("from many callers at once are all answered", async () => {
    const callers = Array.from({ length: 6 }, () => connect(served.webhook, served.authority.ca));
    const answers = await Promise.all(callers.map(({ post }) => post("/mutate/pods", largeReview())));
    for (const caller of callers) caller.close();
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(answers.every(({ body }) => body.includes('"patchType":"JSONPatch"'))).toBe(true);
  });

  test("are answered although another one was begun and does not go on, and usual ones do not wait for that", async () => {
    const slow = await begin();
    const other = connect(served.webhook, served.authority.ca);
    const order: string[] = [];
    const one = async (name: string, answer: Promise<{ readonly status: number }>): Promise<void> => {
      expect((await answer).status).toBe(200);
      order.push(name);
    };
    await Promise.all([
      one("large", other.post("/mutate/pods", largeReview())),
      one("usual", served.client.post("/mutate/pods", review(redisPod()))),
    ]);
    expect(order).toEqual(["usual", "large"]);
    other.close();
    slow.destroy();
  });

  describe("with so much patience that a turn that is not given back is never got again", () => {
    let patient: Served;
    beforeEach(async () => {
      patient = await startServed({ patienceMs: 600_000 });
    });
    afterEach(async () => await patient.close());

    test("a caller that goes, while it is read or while it waits, gives its turn back", async () => {
      const gone = [await begin(patient), await begin(patient), await begin(patient)];
      for (const socket of gone) socket.destroy();
      expect((await patient.client.post("/mutate/pods", largeReview())).status).toBe(200);
    });

    test("refused ones give their turn back", async () => {
      for (let time = 0; time < 3; time += 1)
        expect((await patient.client.post("/mutate/pods", "{".repeat(1.5 * MIB))).status).toBe(400);
      expect((await patient.client.post("/mutate/pods", largeReview())).status).toBe(200);
    });
  });
});
