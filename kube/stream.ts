/** Answers that come line by line and may last for minutes: watches. */

import { errorFromAnswer, KubeError } from "./error.ts";
import type { Transport } from "./transport.ts";

export interface LineStream {
  /** Path and query. */
  path: string;
  /** For another form of the objects. Default JSON of the whole. */
  accept?: string;
  onLine: (line: string) => void;
  /** The head of the answer is there. */
  onOpen?: () => void;
  signal: AbortSignal;
  /** Break the stream when nothing came for so long: its peer may be gone without a word. */
  silentMs: number;
  /** Until the head of the answer is there. */
  openMs?: number;
}

/** Resolves when the server ends the stream, rejects with a KubeError when it breaks, falls silent or is stopped. */
export async function streamLines(transport: Transport, stream: LineStream): Promise<void> {
  const message = await transport.open({
    method: "GET",
    path: stream.path,
    timeoutMs: stream.openMs ?? 5000,
    signal: stream.signal,
    ...(stream.accept === undefined ? {} : { headers: { accept: stream.accept } }),
  });
  message.setEncoding("utf8");
  const status = message.statusCode ?? 0;
  if (status !== 200) {
    let body = "";
    for await (const chunk of message) body += chunk;
    throw errorFromAnswer(`GET ${stream.path.split("?")[0]}`, status, body, message.headers["retry-after"]);
  }
  stream.onOpen?.();
  await new Promise<void>((resolve, reject) => {
    const give = (error: unknown): void => {
      message.destroy();
      reject(error);
    };
    const fail = (reason: string, text: string): void => give(new KubeError({ status: 0, reason, message: text }));
    const silent = setTimeout(() => fail("Timeout", `nothing came for ${stream.silentMs} ms`), stream.silentMs);
    let rest = "";
    message.on("data", (chunk: string) => {
      silent.refresh();
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      try {
        for (const line of lines) if (line !== "") stream.onLine(line);
      } catch (error) {
        give(error);
      }
    });
    message.on("end", resolve);
    message.on("error", (error) => fail(stream.signal.aborted ? "Stopped" : "ConnectionFailed", error.message));
    message.on("close", () => {
      clearTimeout(silent);
      fail("ConnectionFailed", "the stream was closed");
    });
  });
}
