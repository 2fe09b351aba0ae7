/** The page on the admin port: its files and its stream. It only reads, it asks for no address outside, and no other site may read it or frame it. */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { MESSAGE } from "../wire.ts";
import { type Asset, pageAssets } from "./assets.ts";
import { PAGE_FILES, PAGE_PATH } from "./paths.ts";
import { createStreams, type PageSource } from "./stream.ts";

/** No inline script or style, nothing from outside, no text that becomes code. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** On every answer with the page's files or data. There is no Access-Control-Allow-Origin: scripts of other sites get nothing. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

const compressBrotli = promisify(brotliCompress);
const compressGzip = promisify(gzip);

interface Prepared {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly br: Buffer;
  readonly gzip: Buffer;
}

/** Adds the page to the admin port. */
export function servePage(app: FastifyInstance, source: PageSource): void {
  const streams = createStreams(source);
  app.addHook("onSend", async (_request, reply) => {
    reply.headers(SECURITY_HEADERS);
  });
  app.addHook("onClose", async () => streams.close());
  let prepared: Promise<ReadonlyMap<string, Prepared>> | undefined;
  // Made when the first person asks: a replica whose page nobody reads pays nothing.
  const files = (): Promise<ReadonlyMap<string, Prepared>> => {
    prepared ??= prepare();
    return prepared;
  };
  for (const path of PAGE_FILES) {
    app.get(path, async (request, reply) => sendFile(request, reply, (await files()).get(path)));
  }
  app.get<{ Querystring: { group?: string } }>(PAGE_PATH.stream, (request, reply) => {
    const [namespace, cluster] = (request.query.group ?? "").split("/");
    const group = namespace && cluster ? { namespace, cluster } : undefined;
    const { raw } = reply;
    const sink = {
      write: (text: string): void => void raw.write(text),
      get pending() {
        return raw.writableLength;
      },
      drop: () => raw.destroy(),
    };
    reply.hijack();
    raw.writeHead(200, {
      ...SECURITY_HEADERS,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-store",
      // Proxies that would collect the answer before they pass it on.
      "x-accel-buffering": "no",
    });
    const gone = streams.add(sink, group);
    if (gone === undefined) raw.end(`event: ${MESSAGE.full}\ndata: {}\n\n`);
    else raw.on("close", gone);
  });
}

async function prepare(): Promise<ReadonlyMap<string, Prepared>> {
  const assets = await pageAssets();
  return new Map(await Promise.all(assets.map(async (asset) => [asset.path, await prepareOne(asset)] as const)));
}

async function prepareOne({ type, text }: Asset): Promise<Prepared> {
  const plain = Buffer.from(text);
  const [br, zipped] = await Promise.all([
    compressBrotli(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
    compressGzip(plain, { level: 9 }),
  ]);
  const etag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  return { type, etag, plain, br, gzip: zipped };
}

function sendFile(request: FastifyRequest, reply: FastifyReply, file: Prepared | undefined): FastifyReply {
  if (file === undefined) return reply.code(404).send();
  // Asked for again at every visit, so that page and server are always of one version.
  reply.headers({ etag: file.etag, "cache-control": "no-cache", vary: "accept-encoding" });
  if (request.headers["if-none-match"] === file.etag) return reply.code(304).send();
  reply.type(file.type);
  const accepted = String(request.headers["accept-encoding"] ?? "");
  // Not HTML: the API server's proxies, which rewrite links, close the body of HTML in an encoding that they do not know, and the connection breaks.
  if (/\bbr\b/.test(accepted) && !file.type.startsWith("text/html")) return reply.header("content-encoding", "br").send(file.br);
  if (/\bgzip\b/.test(accepted)) return reply.header("content-encoding", "gzip").send(file.gzip);
  return reply.send(file.plain);
}
