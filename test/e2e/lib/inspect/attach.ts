/**
 * Runs inside a pod's network (nsenter): makes the Node process there stand still when a failover or a handover has reached a step.
 *   node attach.ts KIND STEP    writes "armed", then "reached"; a line "resume" lets it go on. Ends when its connection does.
 * The process is the one that is shipped: a breakpoint with a condition, set through its inspector, which SIGUSR1 opens.
 */
import { stdin, stdout } from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const INSPECTOR = "http://127.0.0.1:9229/json/list";
const OPEN_MS = 10_000;
/** The one place that every step passes: Stopwatch.mark in handlers/act/timeline.ts. */
const MARK = /\bmark\(step\)\s*\{\s*/;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly url?: string; readonly scriptId?: string };
  readonly result?: { readonly scriptSource?: string };
  readonly error?: { readonly message: string };
}

const [kind, step] = process.argv.slice(2);
const socket = new WebSocket(await debuggerUrl());
const waiting = new Map<number, { resolve: (result: Message["result"]) => void; reject: (error: Error) => void }>();
let last = 0;

socket.addEventListener("close", () => process.exit(0));
socket.addEventListener("message", ({ data }) => {
  const message = JSON.parse(String(data)) as Message;
  const asked = message.id === undefined ? undefined : waiting.get(message.id);
  if (message.error !== undefined) asked?.reject(new Error(message.error.message));
  else asked?.resolve(message.result);
  if (message.method === "Debugger.paused") stdout.write("reached\n");
  const { url = "", scriptId } = message.params ?? {};
  if (message.method === "Debugger.scriptParsed" && url.endsWith("/redis-ha.cjs") && scriptId !== undefined)
    void arm(scriptId, url);
});
await new Promise((resolve) => socket.addEventListener("open", resolve));
createInterface({ input: stdin }).on("line", () => void ask("Debugger.disable"));
await ask("Debugger.enable");

function ask(method: string, params: object = {}): Promise<Message["result"]> {
  last += 1;
  const id = last;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    socket.send(JSON.stringify({ id, method, params }));
  });
}

async function arm(scriptId: string, url: string): Promise<void> {
  const source = (await ask("Debugger.getScriptSource", { scriptId }))?.scriptSource ?? "";
  const found = MARK.exec(source);
  if (found === null) throw new Error("the bundle has no Stopwatch.mark");
  // The bundle has no white space to speak of: the first statement is found by its column.
  const before = source.slice(0, found.index + found[0].length).split("\n");
  const lineNumber = before.length - 1;
  const columnNumber = before.at(-1)?.length ?? 0;
  const condition = `step === ${JSON.stringify(step)} && this.timeline.kind === ${JSON.stringify(kind)}`;
  await ask("Debugger.setBreakpointByUrl", { url, lineNumber, columnNumber, condition });
  stdout.write("armed\n");
}

/** The inspector opens a moment after the signal. */
async function debuggerUrl(): Promise<string> {
  const deadline = performance.now() + OPEN_MS;
  for (;;) {
    try {
      const [target] = (await (await fetch(INSPECTOR)).json()) as { webSocketDebuggerUrl: string }[];
      if (target !== undefined) return target.webSocketDebuggerUrl;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(50);
  }
}
