import { request } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import fastify, { type FastifyInstance } from "fastify";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { pageAssets } from "../../../page/server/assets.ts";
import { PAGE_FILES } from "../../../page/server/paths.ts";
import { CONTENT_SECURITY_POLICY, servePage } from "../../../page/server/routes.ts";
import { createStreams, type Sink } from "../../../page/server/stream.ts";
import { type Feed, madeUpFeed } from "../../page/feed.ts";

const MOST_BYTES = 60_000;
const START = Date.parse("2026-03-01T12:00:00Z");

let app: FastifyInstance | undefined;

beforeAll(async () => {
  await pageAssets();
});

afterEach(async () => {
  await app?.close();
  app = undefined;
});

const served = (): FastifyInstance => {
  app = fastify({ forceCloseConnections: true });
  servePage(app, madeUpFeed(START));
  return app;
};

describe("the page's files", () => {
  test("are 60 kB compressed at most, all together", async () => {
    const server = served();
    let total = 0;
    for (const url of PAGE_FILES) {
      const answer = await server.inject({ url, headers: { "accept-encoding": "gzip" } });
      expect(answer.headers["content-encoding"], url).toBe("gzip");
      total += answer.rawPayload.length;
    }
    expect(total).toBeLessThanOrEqual(MOST_BYTES);
    expect(total).toBeGreaterThan(5000);
  });

  test("name no address outside", async () => {
    for (const { path, text } of await pageAssets()) {
      const addresses = text.match(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}[^\s"'`)]*/gi) ?? [];
      // An XML namespace is a name, not an address that anybody asks for.
      expect(
        addresses.filter((address) => !address.includes("www.w3.org/2000/svg")),
        path,
      ).toEqual([]);
    }
  });

  test("have no inline script or style: the policy would forbid them", async () => {
    const html = (await pageAssets()).find(({ path }) => path === "/")?.text ?? "";
    expect(html).not.toMatch(/<style|style=|\son[a-z]+=|<script(?![^>]*\ssrc=)/i);
    expect(html).not.toMatch(/(src|href)="\//);
  });

  test("HTML never comes as brotli: the API server's proxies break on it", async () => {
    const { headers } = await served().inject({ url: "/", headers: { "accept-encoding": "gzip, deflate, br, zstd" } });
    expect(headers["content-encoding"]).toBe("gzip");
  });

  test("come compressed as the browser likes, and not again while they are the same", async () => {
    const server = served();
    const plain = await server.inject({ url: "/page/app.js" });
    const br = await server.inject({ url: "/page/app.js", headers: { "accept-encoding": "gzip, br" } });
    const zipped = await server.inject({ url: "/page/app.js", headers: { "accept-encoding": "gzip" } });
    expect(brotliDecompressSync(br.rawPayload).toString()).toBe(plain.payload);
    expect(gunzipSync(zipped.rawPayload).toString()).toBe(plain.payload);
    const again = await server.inject({ url: "/page/app.js", headers: { "if-none-match": String(plain.headers.etag) } });
    expect([again.statusCode, again.payload]).toEqual([304, ""]);
  });
});

describe("what the port answers", () => {
  test("always with the security headers, and never with leave for other sites", async () => {
    const server = served();
    for (const url of [...PAGE_FILES, "/nothing-here"]) {
      const { headers } = await server.inject({ url, headers: { origin: "https://elsewhere.example" } });
      expect(headers, url).toMatchObject({
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "cross-origin-resource-policy": "same-origin",
      });
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
    expect(CONTENT_SECURITY_POLICY).not.toContain("unsafe");
  });

  test("only to those who read", async () => {
    const server = served();
    for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
      for (const url of [...PAGE_FILES, "/page/stream"]) expect((await server.inject({ method, url })).statusCode).toBe(404);
    }
  });

  test("the stream of one group: overview, the group, the news, a tick", async () => {
    const server = served();
    const address = new URL(await server.listen({ port: 0, host: "127.0.0.1" }));
    const { headers, text } = await firstOf(new URL("/page/stream?group=shop%2Fcache", address));
    expect(headers).toMatchObject({
      "content-type": "text/event-stream; charset=utf-8",
      "content-security-policy": CONTENT_SECURITY_POLICY,
      "cache-control": "no-store",
    });
    const messages = parse(text);
    expect(messages.map(({ name }) => name)).toEqual(["overview", "group", "news", "tick"]);
    expect(messages[1]?.data).toMatchObject({ namespace: "shop", group: { state: "ok", master: expect.any(String) } });
  });
});

/** The first piece of an endless answer. */
function firstOf(url: URL): Promise<{ headers: object; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(url, (answer) => {
      answer.once("data", (chunk: Buffer) => {
        resolve({ headers: answer.headers, text: chunk.toString() });
        asked.destroy();
      });
    });
    asked.on("error", reject);
    asked.end();
  });
}

const parse = (text: string): { name: string; data: unknown }[] =>
  text
    .split("\n\n")
    .filter((part) => part !== "")
    .map((part) => {
      const [name = "", data = ""] = part.split("\n");
      return { name: name.replace("event: ", ""), data: JSON.parse(data.replace("data: ", "")) as unknown };
    });

describe("streams", () => {
  class Reader implements Sink {
    text = "";
    pending = 0;
    dropped = false;
    write(text: string): void {
      this.text += text;
    }
    drop(): void {
      this.dropped = true;
    }
    names(): string[] {
      return parse(this.text).map(({ name }) => name);
    }
  }

  /** Streams over a made-up feed with a clock of the test's own; `look` makes what a timer would do. */
  function bed() {
    let now = START;
    const feed: Feed = madeUpFeed(START);
    const streams = createStreams(feed, () => now);
    return {
      streams,
      feed,
      to: (ms: number) => {
        now = START + ms;
        feed.step(now);
        streams.look();
      },
    };
  }

  test("what has not changed is not sent again; the tick is", () => {
    const { streams, to } = bed();
    const reader = new Reader();
    streams.add(reader, { namespace: "team-b", cluster: "new" });
    expect(reader.names()).toEqual(["overview", "group", "news", "tick"]);
    reader.text = "";
    to(500);
    expect(reader.names()).not.toContain("group");
    to(2000);
    expect(reader.names().filter((name) => name === "tick")).toHaveLength(1);
    streams.close();
  });

  test("a change of master reaches the reader of that group at the next look", () => {
    const { streams, to } = bed();
    const reader = new Reader();
    streams.add(reader, { namespace: "shop", cluster: "cache" });
    const leads = (): unknown => parse(reader.text).findLast(({ name }) => name === "group")?.data;
    const service = (pod: string) => ({ group: { service: { leadsTo: expect.stringContaining(pod) } } });
    expect(leads()).toMatchObject(service("x8k2a"));
    to(10_000);
    expect(leads()).toMatchObject(service("m4t7b"));
    expect(parse(reader.text).findLast(({ name }) => name === "news")?.data).toMatchObject([{ reason: "FailedOver" }]);
    streams.close();
  });

  test("a group that is not known is told as such", () => {
    const { streams } = bed();
    const reader = new Reader();
    streams.add(reader, { namespace: "shop", cluster: "gone" });
    expect(parse(reader.text)[1]?.data).toEqual({ namespace: "shop", cluster: "gone", group: null });
    streams.close();
  });

  test("a reader that does not take what it gets is dropped, the others go on", () => {
    const { streams, to } = bed();
    const [slow, quick] = [new Reader(), new Reader()];
    streams.add(slow, undefined);
    streams.add(quick, undefined);
    slow.pending = 2 * 1024 * 1024;
    quick.text = "";
    to(3000);
    expect([slow.dropped, quick.dropped]).toEqual([true, false]);
    expect(quick.names()).toContain("tick");
    streams.close();
  });

  test("a mistake of the page is told once, and never reaches the handlers", () => {
    const failures: unknown[] = [];
    const groups = (): never => {
      throw new Error("a view that cannot be summarised");
    };
    const streams = createStreams({ ...madeUpFeed(START), groups, failed: (error) => failures.push(error) });
    const reader = new Reader();
    expect(streams.add(reader, undefined)).toBeDefined();
    streams.look();
    expect(failures).toHaveLength(1);
    expect(reader.text).toBe("");
    streams.close();
  });

  test("there is a bound to their number, and who goes makes room", () => {
    const { streams } = bed();
    const gone = Array.from({ length: 64 }, () => streams.add(new Reader(), undefined));
    expect(gone).not.toContain(undefined);
    expect(streams.add(new Reader(), undefined)).toBeUndefined();
    gone[0]?.();
    expect(streams.add(new Reader(), undefined)).toBeDefined();
    streams.close();
  });
});
