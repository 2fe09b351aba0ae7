/**
 * A neutral client of Redis that runs in a pod and is told over HTTP what to do: single commands, writers whose acknowledged writes are remembered, and connections that
 * are held open.
 * It knows nothing of redis-ha: a host name, a port and a password are all it gets.
 */
import { createServer, type IncomingMessage } from "node:http";
import { argv } from "node:process";
import { Holders, type HoldersOptions } from "./holders.ts";
import type { Where } from "./locate.ts";
import { Connection, ConnectionError, type Reply, ReplyError, type Target } from "./resp.ts";
import { Writers, type WritersOptions } from "./writers.ts";

const PORT = Number(argv[2] ?? 8099);
const COMMAND_MS = 1000;

let writers: Writers | undefined;
let holders: Holders | undefined;

type Handler = (body: never) => Promise<unknown>;

const needed = (): Writers => {
  if (writers === undefined) throw new Error("no writers were started");
  return writers;
};

/** Commands run one after the other on a connection of their own; an error reply is an answer like others: {error}. */
async function commands(body: Target & { commands: string[][]; timeoutMs?: number }): Promise<unknown> {
  const connection = await Connection.open(body, body.timeoutMs ?? COMMAND_MS);
  try {
    const answers: unknown[] = [];
    for (const words of body.commands) {
      answers.push(
        await connection.command(words).then(
          (reply) => ({ reply: plain(reply) }),
          (error: unknown) => {
            if (error instanceof ReplyError) return { error: error.message };
            throw error;
          },
        ),
      );
    }
    return answers;
  } finally {
    connection.close();
  }
}

function plain(reply: Reply): unknown {
  if (reply instanceof ReplyError) return { error: reply.message };
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

const ROUTES: Readonly<Record<string, Handler>> = {
  "/commands": commands,
  "/ping": async () => ({}),
  "/writers/start": async (body: WritersOptions) => {
    await writers?.stop();
    writers = new Writers(body);
    return {};
  },
  "/writers/window": async (body: { reset?: boolean }) => needed().window(body.reset === true),
  "/writers/stop": async () => await needed().stop(),
  "/holders/start": async (body: HoldersOptions) => {
    holders?.stop();
    holders = new Holders(body);
    return {};
  },
  "/holders": async () => holders?.state() ?? [],
  "/writers/verify": async (body: Where) => await needed().verify(body),
};

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

createServer((request, response) => {
  const answer = (status: number, value: unknown): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };
  if (request.url === "/healthz") {
    answer(200, {});
    return;
  }
  const route = ROUTES[request.url ?? ""];
  if (route === undefined) {
    answer(404, { error: `no ${request.url}` });
    return;
  }
  read(request)
    .then((text) => route((text === "" ? {} : JSON.parse(text)) as never))
    .then((value) => answer(200, value))
    .catch((error: unknown) => {
      const kind = error instanceof ConnectionError || error instanceof ReplyError ? error.kind : "client";
      answer(200, { failed: error instanceof Error ? error.message : String(error), kind });
    });
}).listen(PORT, () => console.log(`client: listening on ${PORT}`));

// The first process of a container has no default handling of signals.
process.on("SIGTERM", () => process.exit(0));
