/** The connection's states against a real redis-server: what each fault looks like, and how fast. */
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeAll, expect, test } from "vitest";
import { Link, LinkError, type LinkState } from "../../../handlers/observe/link.ts";
import { freePort, redisServer, startServer, type TestServer } from "./server.ts";

let binary = "";
beforeAll(async () => {
  binary = await redisServer();
}, 120_000);

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0).reverse()) clean();
});

async function server(port: number, options: readonly string[] = []): Promise<TestServer> {
  const started = await startServer(binary, port, options);
  cleanups.push(() => started.stop());
  return started;
}

interface Watched {
  readonly link: Link;
  /** all states since the start, with the time of each change */
  readonly seen: { state: LinkState; at: number }[];
  until(state: LinkState, withinMs?: number): Promise<number>;
}

function watch(port: number, password?: string): Watched {
  const seen: { state: LinkState; at: number }[] = [];
  const waiting = new Set<() => void>();
  const link = new Link({
    host: "127.0.0.1",
    port,
    password,
    name: "test",
    onChange: () => {
      seen.push({ state: link.state, at: performance.now() });
      for (const check of waiting) check();
    },
  });
  cleanups.push(() => link.close());
  return {
    link,
    seen,
    until: (state, withinMs = 3000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`not ${state} in ${withinMs} ms but ${seen.map((one) => one.state).join(", ")}`)),
          withinMs,
        );
        const check = (): void => {
          if (link.state !== state) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(performance.now());
        };
        waiting.add(check);
        check();
      }),
  };
}

test("answers while it is up, and the server's refusals are the server's words", async () => {
  const { port } = await server(await freePort());
  const { link, until } = watch(port);
  await until("up");
  expect(await link.call(["PING"])).toBe("PONG");
  expect(await link.all([["SET", "a", "1"], ["GET", "a"], ["NONSENSE"]])).toEqual(["OK", "1", expect.any(Error)]);
  await expect(link.call(["INCR"])).rejects.toThrow(/wrong number of arguments/);
  // RESP2: a map comes flat
  expect(await link.call(["CONFIG", "GET", "appendonly"])).toEqual(["appendonly", "no"]);
});

test("kill -9: the closed connection is followed by a refusal within milliseconds", async () => {
  const started = await server(await freePort());
  const { until, seen } = watch(started.port);
  await until("up");
  const killed = performance.now();
  started.signal("SIGKILL");
  const refused = await until("refused");
  expect(seen.map(({ state }) => state)).toEqual(["up", "connecting", "refused"]);
  // 1–3 ms on an idle machine; a loaded one schedules us late
  expect(refused - killed).toBeLessThan(1000);
});

test("a server that comes back is up again", async () => {
  const port = await freePort();
  const first = await server(port);
  const { until } = watch(port);
  await until("up");
  first.signal("SIGKILL");
  await until("refused");
  await server(port);
  await until("up");
});

test("a wrong password is denied, and right again after it was put right", async () => {
  const { port } = await server(await freePort(), ["--requirepass", "secret"]);
  const wrong = watch(port, "wrong");
  const none = watch(port);
  const right = watch(port, "secret");
  await Promise.all([wrong.until("denied"), none.until("denied"), right.until("up")]);
  await right.link.call(["CONFIG", "SET", "requirepass", "wrong"]);
  await wrong.until("up");
});

test("only the connection was closed, by a CLIENT KILL: it is up again at once and was never refused", async () => {
  const { port } = await server(await freePort());
  const { until, seen } = watch(port);
  const other = watch(port);
  await Promise.all([until("up"), other.until("up")]);
  await other.link.call(["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
  await until("connecting");
  await until("up");
  expect(seen.map(({ state }) => state)).toEqual(["up", "connecting", "up"]);
});

test("SIGSTOP: silent, never refused; SIGCONT: up on the same connection", async () => {
  const started = await server(await freePort());
  const { link, until, seen } = watch(started.port);
  await until("up");
  started.signal("SIGSTOP");
  await expect(link.call(["PING"], 100)).rejects.toBeInstanceOf(LinkError);
  expect(link.state).toBe("timeout");
  await sleep(300);
  started.signal("SIGCONT");
  await until("up", 200);
  expect(seen.map(({ state }) => state)).toEqual(["up", "timeout", "up"]);
  expect(await link.call(["PING"])).toBe("PONG");
});

/** A network between us and a server, which can lose all that is under way: what exists stays silent, what is new gets through. */
async function network(to: number): Promise<{ port: number; lose(): void; taken: () => number }> {
  const open = new Set<Socket>();
  let taken = 0;
  const proxy = createServer((near) => {
    taken += 1;
    const far = connect(to, "127.0.0.1");
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => undefined);
    }
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    proxy.close();
    for (const socket of open) socket.destroy();
  });
  const address = proxy.address();
  return {
    port: address !== null && typeof address === "object" ? address.port : 0,
    lose: () => {
      for (const socket of open) socket.unpipe().pause();
    },
    taken: () => taken,
  };
}

test("a connection that the network lost: a new one takes its place long before TCP would notice", async () => {
  const { port } = await server(await freePort());
  const way = await network(port);
  const { link, until, seen } = watch(way.port);
  await until("up");
  way.lose();
  await expect(link.call(["PING"], 100)).rejects.toBeInstanceOf(LinkError);
  expect(link.state).toBe("timeout");
  await until("up", 3000);
  expect(await link.call(["PING"])).toBe("PONG");
  expect(seen.map(({ state }) => state)).toEqual(["up", "timeout", "up"]);
  // The silent one is closed, and nothing of it is left to say that the link is down.
  await sleep(400);
  expect(link.state).toBe("up");
  expect(way.taken()).toBe(2);
});

test("SIGSTOP for longer: second connections are tried, and the server is silent until it is woken", async () => {
  const started = await server(await freePort());
  const { link, until, seen } = watch(started.port);
  await until("up");
  started.signal("SIGSTOP");
  await link.call(["PING"], 50).catch(() => undefined);
  await sleep(1500);
  expect(seen.map(({ state }) => state)).toEqual(["up", "timeout"]);
  started.signal("SIGCONT");
  await until("up", 1000);
  expect(await link.call(["PING"])).toBe("PONG");
});

test("stopped before we connect: the kernel takes the connection, and it is silent all the same", async () => {
  const started = await server(await freePort(), ["--requirepass", "secret"]);
  started.signal("SIGSTOP");
  const { until, seen } = watch(started.port, "secret");
  await until("timeout", 2000);
  started.signal("SIGCONT");
  await until("up");
  expect(seen.map(({ state }) => state)).not.toContain("refused");
});

test("stopped, then killed: refused, since the kernel closes what it held", async () => {
  const started = await server(await freePort());
  const { link, until } = watch(started.port);
  await until("up");
  started.signal("SIGSTOP");
  await link.call(["PING"], 50).catch(() => undefined);
  expect(link.state).toBe("timeout");
  started.signal("SIGKILL");
  await until("refused", 500);
});

test("a server that says MASTERDOWN to everything is up", async () => {
  const options = ["--replicaof", "127.0.0.1 6378", "--replica-serve-stale-data", "no"];
  const { port } = await server(await freePort(), options);
  const { link, until } = watch(port);
  await until("up");
  await expect(link.call(["PING"])).rejects.toThrow(/MASTERDOWN/);
  expect(String(await link.call(["INFO", "replication"]))).toContain("role:slave");
});

test("somebody who accepts and never speaks is silent", async () => {
  const mute = createServer();
  await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => mute.close());
  const address = mute.address();
  const { until } = watch(address !== null && typeof address === "object" ? address.port : 0);
  await until("timeout", 2000);
});

test("a command on a link that is down is refused at once; a closed link says nothing more", async () => {
  const { link, until, seen } = watch(await freePort());
  await until("refused");
  await expect(link.call(["PING"])).rejects.toBeInstanceOf(LinkError);
  link.close();
  const before = seen.length;
  await sleep(100);
  expect(seen.length).toBe(before);
});
