/** Many keys at once, and how many of them are still there: writes of a person who loads data, beside those of the writers. */
import type { ClientPod, Target } from "./client-pod.ts";
import type { Group } from "./group.ts";
import { waitUntil } from "./wait.ts";

const BATCH = 5000;
/** How long a script over many keys may take, ms. */
const SCRIPT_MS = 5000;
const WRITTEN_MS = 15_000;
const REPLICATED_MS = 30_000;

/** Writes `count` keys `kind:1` … with this value, one command each, and waits until `replicas` of the replicas have them. */
export async function seed(group: Group, kind: string, count: number, value: string, replicas: number): Promise<void> {
  const target = await group.throughService();
  const script = "for i = tonumber(ARGV[2]), tonumber(ARGV[3]) do redis.call('set', ARGV[1] .. ':' .. i, ARGV[4]) end";
  const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, at) => [
    at * BATCH + 1,
    Math.min(count, (at + 1) * BATCH),
  ]);
  const commands = batches.map((ends) => ["EVAL", script, "0", kind, ...ends.map(String), value]);
  // Again from the start where the connection still led to a former master, and was cut.
  await waitUntil(`${kind} to be written`, WRITTEN_MS, async () => {
    const answers = await group.client.commands(target, commands, SCRIPT_MS);
    const problem = answers.find((answer) => "error" in answer);
    if (problem !== undefined) throw new Error(JSON.stringify(problem));
  });
  await waitUntil(`${replicas} replicas to have ${kind}`, REPLICATED_MS, async () => {
    const [, waited] = await group.client.commands(target, [
      ["SET", `${kind}:seeded`, value],
      ["WAIT", String(replicas), "500"],
    ]);
    const acknowledged = waited !== undefined && "reply" in waited ? Number(waited.reply) : 0;
    if (acknowledged < replicas) throw new Error(`${acknowledged} have it`);
  });
}

/** What a script answers that looks at many keys: longer than other commands may take. */
export async function script(client: ClientPod, target: Target, text: string, ...args: readonly string[]): Promise<unknown> {
  const [answer] = await client.commands(target, [["EVAL", text, "0", ...args]], SCRIPT_MS);
  if (answer === undefined || "error" in answer) throw new Error(`${text}: ${answer?.error ?? "no answer"}`);
  return answer.reply;
}

/** How many of the keys `kind:1` … `kind:count` have this value at `target`. */
export async function countOf(group: Group, kind: string, count: number, value: string, target?: Target): Promise<number> {
  const counted =
    "local n = 0 for i = 1, tonumber(ARGV[2]) do if redis.call('get', ARGV[1] .. ':' .. i) == ARGV[3] then n = n + 1 end end return n";
  const where = target ?? (await group.throughService());
  return Number(await script(group.client, where, counted, kind, String(count), value));
}
