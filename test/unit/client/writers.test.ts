/** The neutral client says how much of a gap was its own standstill. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Writers } from "../../client/writers.ts";

const PAUSE_MS = 500;
/** What a busy machine may add, ms. */
const BUSY_MS = 400;

let server: Server | undefined;
let writers: Writers | undefined;
afterEach(async () => {
  await writers?.stop();
  server?.close();
});

/** A server that takes every write, but while it is silent; and writers that go on since a moment. */
async function writing(): Promise<{ writers: Writers; silent: (yes: boolean) => void }> {
  let isSilent = false;
  const held: Socket[] = [];
  server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => (isSilent ? held.push(socket) : socket.write("+OK\r\n")));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  writers = new Writers({ host: "127.0.0.1", port, writers: 2, pauseMs: 5, timeoutMs: 5000 });
  await sleep(50);
  writers.window(true);
  await sleep(50);
  const silent = (yes: boolean): void => {
    isSilent = yes;
    for (const socket of held.splice(0)) socket.write("+OK\r\n");
  };
  return { writers, silent };
}

function standStill(): void {
  const until = performance.now() + PAUSE_MS;
  while (performance.now() < until);
}

test("a gap in which the client stood still is its own", async () => {
  const { writers } = await writing();
  standStill();
  await sleep(50);
  const { gapMs, gapStallMs } = writers.window(false);
  expect(gapMs).toBeGreaterThanOrEqual(PAUSE_MS);
  expect(gapMs - gapStallMs).toBeLessThan(BUSY_MS);
});

test("a gap of the server's is not, whatever came before and after it", async () => {
  const { writers, silent } = await writing();
  standStill();
  await sleep(50);
  silent(true);
  await sleep(2 * PAUSE_MS);
  silent(false);
  await sleep(50);
  standStill();
  await sleep(50);
  const { gapMs, gapStallMs, stallMs } = writers.window(false);
  expect(gapMs, "the server's").toBeGreaterThan(PAUSE_MS + BUSY_MS);
  expect(stallMs).toBeGreaterThan(PAUSE_MS - BUSY_MS);
  expect(gapStallMs).toBeLessThan(BUSY_MS);
});
