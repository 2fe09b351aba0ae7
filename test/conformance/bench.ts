/** What a script needs of a world with two redis and three sentinels, be they real or simulated. */

export type ServerName = "r1" | "r2" | "s1" | "s2" | "s3";

/** A reply as text: what both worlds must say alike. Errors begin with "-". */
export type Said = string;

export interface Wire {
  /** "(no answer)" after `withinMs` */
  send(command: string, withinMs?: number): Promise<Said>;
  /** the answer to a command that had none before */
  late(withinMs: number): Promise<Said>;
  readonly closed: boolean;
  /** channels of what was pushed so far */
  readonly heard: readonly string[];
  close(): void;
}

export interface Bench {
  /** where a server listens; the name stands for it in what is said */
  ip(server: ServerName): string;
  wire(server: ServerName): Promise<Wire>;
  wait(ms: number): Promise<void>;
  kill(server: ServerName): void;
  freeze(server: ServerName): void;
  thaw(server: ServerName): void;
  end(): Promise<void>;
}

export const NO_ANSWER = "(no answer)";
export const GROUP = "default.cache";

/** A reply in one line: nested lists flat, errors by their first word. */
export function asText(reply: unknown): Said {
  if (reply instanceof Error) return `-${/^[A-Z]+/.exec(reply.message)?.[0] ?? reply.message}`;
  if (Array.isArray(reply)) return reply.map(asText).join(" ");
  return String(reply);
}

/** Polls a question until the answer is as wanted; "(never)" after `ms`. */
export async function until(bench: Bench, wanted: string | RegExp, ask: () => Promise<Said>, ms = 15_000): Promise<Said> {
  const step = 100;
  let last = "";
  for (let waited = 0; waited <= ms; waited += step) {
    last = await ask();
    if (typeof wanted === "string" ? last === wanted : wanted.test(last)) return last;
    await bench.wait(step);
  }
  return `(never ${String(wanted)}, at last ${last})`;
}

/** One value of INFO. */
export async function info(wire: Wire, key: string): Promise<Said> {
  const text = await wire.send("INFO");
  return new RegExp(`^${key}:(.*?)\\r?$`, "m").exec(text)?.[1] ?? "(none)";
}

/** One value of SENTINEL MASTER. */
export async function watched(wire: Wire, key: string): Promise<Said> {
  const words = (await wire.send(`SENTINEL MASTER ${GROUP}`)).split(" ");
  const at = words.indexOf(key);
  return at < 0 ? "(none)" : (words[at + 1] ?? "(none)");
}
