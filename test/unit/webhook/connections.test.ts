/** Sizes, certificates and connections of the server. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect as connectTcp } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JsonObject } from "../../../webhook/json.ts";
import { type Client, connect } from "./client.ts";
import { review } from "./review.ts";
import { type Served, startServed } from "./served.ts";
import { redisPod } from "./support.ts";

let served: Served;
let client: Client;

beforeEach(async () => {
  served = await startServed();
  client = served.client;
});

afterEach(async () => await served.close());

describe("size", () => {
  test("an object of 3 MiB, twice in one review, is taken", async () => {
    const pod = redisPod();
    const big = {
      ...pod,
      metadata: { ...(pod.metadata as object), managedFields: [{ big: "x".repeat(3 * 1024 * 1024) }] },
    } as JsonObject;
    const { status } = await client.post("/mutate/pods", review(big, { oldObject: big }));
    expect(status).toBe(200);
  });

  test("more than 7 MiB is refused", async () => {
    const outcome = await client.post("/mutate/pods", `"${"x".repeat(7 * 1024 * 1024)}"`).then(
      ({ status }) => status,
      () => "closed",
    );
    expect([413, "closed"]).toContain(outcome);
  });

  test("hostile nesting is no crash", async () => {
    const { status } = await client.post("/mutate/pods", `${"[".repeat(200_000)}${"]".repeat(200_000)}`);
    expect(status).toBe(400);
    expect((await client.post("/mutate/pods", review(redisPod()))).status).toBe(200);
  });
});

describe("certificates", () => {
  test("a new pair is served on new connections, and open connections live on", async () => {
    const before = await client.post("/mutate/pods", review(redisPod()));
    expect(before.certificate).toBe("first");
    served.webhook.reloadCertificates(await served.authority.issue("second"));
    const kept = await client.post("/mutate/pods", review(redisPod()));
    expect(kept.port).toBe(before.port);
    const other = connect(served.webhook, served.authority.ca);
    expect((await other.post("/mutate/pods", review(redisPod()))).certificate).toBe("second");
    other.close();
  });

  test("a pair that does not match is refused, and the old one stays", async () => {
    const second = await served.authority.issue("second");
    expect(() => served.webhook.reloadCertificates({ cert: second.cert, key: served.pair.key })).toThrow();
    expect(() => served.webhook.reloadCertificates({ cert: "", key: "" })).toThrow();
    expect((await client.post("/mutate/pods", review(redisPod()))).certificate).toBe("first");
  });

  test("with a client CA only its certificates are answered", async () => {
    const strict = await startServed({ clientCa: served.authority.ca });
    const stranger = connect(strict.webhook, served.authority.ca);
    await expect(stranger.post("/mutate/pods", review(redisPod()))).rejects.toThrow();
    strict.webhook.reloadCertificates(await served.authority.issue("second"));
    const known = connect(strict.webhook, served.authority.ca, await served.authority.issue("kube-apiserver"));
    expect((await known.post("/mutate/pods", review(redisPod()))).status).toBe(200);
    await expect(stranger.post("/mutate/pods", review(redisPod()))).rejects.toThrow();
    stranger.close();
    known.close();
    await strict.close();
  });
});

test("with client names, another certificate of the same CA (a kubelet's) is refused", async () => {
  const strict = await startServed({ clientCa: served.authority.ca, clientNames: ["kube-apiserver"] });
  const clients = await Promise.all(
    ["kube-apiserver", "kubelet"].map(async (name) =>
      connect(strict.webhook, served.authority.ca, await served.authority.issue(name)),
    ),
  );
  const answers = await Promise.all(clients.map(({ post }) => post("/mutate/pods", review(redisPod()))));
  expect(answers.map(({ status }) => status)).toEqual([200, 403]);
  for (const one of clients) one.close();
  await strict.close();
});

describe("connections", () => {
  test("are kept", async () => {
    const first = await client.post("/mutate/pods", review(redisPod()));
    const second = await client.post("/mutate/pods", review(redisPod()));
    expect(second.port).toBe(first.port);
    expect(served.webhook.app.server.keepAliveTimeout).toBe(90_000);
  });

  test("while closing, a request in flight is answered and told to go elsewhere (kubernetes#127335)", async () => {
    await client.post("/mutate/pods", review(redisPod()));
    const { port } = served.webhook.app.server.address() as AddressInfo;
    const socket = connectTls({ host: "localhost", port, ca: served.authority.ca });
    const answered = read(socket);
    const begun = once(served.webhook.app.server, "request");
    const body = JSON.stringify(review(redisPod()));
    socket.write(
      `POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body.slice(0, 10));
    await begun;
    const closed = served.webhook.app.close();
    socket.write(body.slice(10));
    const text = await answered;
    expect(text).toMatch(/^HTTP\/1\.1 200/);
    expect(text.toLowerCase()).toContain("connection: close");
    await closed;
  });

  test("while draining, each answer gives its connection up", async () => {
    served.webhook.drain();
    const first = await client.post("/mutate/pods", review(redisPod()));
    const second = await client.post("/mutate/pods", review(redisPod()));
    expect([first, second]).toMatchObject([
      { status: 200, connection: "close" },
      { status: 200, connection: "close" },
    ]);
    expect(second.port).not.toBe(first.port);
  });

  test("a request that never ends is given up, and others are answered meanwhile", async () => {
    const { port } = served.webhook.app.server.address() as AddressInfo;
    const socket = connectTls({ host: "localhost", port, ca: served.authority.ca });
    const answered = read(socket);
    socket.write(
      "POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
    );
    expect((await client.post("/mutate/pods", review(redisPod()))).status).toBe(200);
    expect(await answered).toMatch(/^HTTP\/1\.1 408/);
  }, 60_000);

  test("rubbish instead of TLS does no harm", async () => {
    const { port } = served.webhook.app.server.address() as AddressInfo;
    for (const bytes of ["GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff", "\0".repeat(5_000)]) {
      await new Promise<void>((resolve) => {
        const socket = connectTcp(port, "localhost", () => socket.end(bytes));
        socket.on("error", () => undefined);
        socket.on("close", () => resolve());
        socket.resume();
      });
    }
    expect((await client.post("/mutate/pods", review(redisPod()))).status).toBe(200);
  });
});

function read(socket: TLSSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("end", () => resolve(Buffer.concat(chunks).toString()));
    socket.on("error", reject);
  });
}
