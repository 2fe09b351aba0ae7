/** Equal offsets: what makes a change of master lossless, asked of the servers themselves while the master's writes are paused. */
import { setTimeout as sleep } from "node:timers/promises";
import type { MemberFact } from "../../model/facts.ts";
import type { Link } from "../observe/link.ts";
import { infoFields } from "../observe/replies.ts";
import { type ActContext, redisLink } from "./context.ts";

/** Equal offsets take under 1 ms on a healthy link; a replica that needs longer than this is not in a state to take over, ms. */
export const EQUAL_MS = 1500;

/** The first candidate, in the order given, whose offset is the paused master's; all are asked in each round. Undefined: none within EQUAL_MS. */
export async function firstEqual(
  context: ActContext,
  old: Link,
  candidates: readonly MemberFact[],
): Promise<MemberFact | undefined> {
  // A preferred candidate (newest revision, staying) gets a head start; after that any that is equal will do.
  const patience = performance.now() + EQUAL_MS / 3;
  const at = await askUntil(old, linksOf(context, candidates), (equal) => {
    const first = equal.indexOf(true);
    return first === 0 || (first > 0 && performance.now() > patience) ? first : undefined;
  });
  return at === undefined ? undefined : candidates[at];
}

/** True once every one of the members has the paused master's offset, false after EQUAL_MS. */
export async function allEqual(context: ActContext, old: Link, members: readonly MemberFact[]): Promise<boolean> {
  return (await askUntil(old, linksOf(context, members), all)) === true;
}

/** Whether each has the master's offset, asked once. */
export async function areEqual(context: ActContext, old: Link, members: readonly MemberFact[]): Promise<boolean> {
  return all((await equalNow(old, linksOf(context, members))) ?? [false]) === true;
}

/** The same for one that need not be of the group: true once it has the paused master's offset, false after EQUAL_MS. */
export async function untilEqual(old: Link, replica: Link): Promise<boolean> {
  return (await askUntil(old, [replica], all)) === true;
}

const all = (equal: readonly boolean[]): true | undefined => (equal.includes(false) ? undefined : true);

const linksOf = (context: ActContext, members: readonly MemberFact[]): (Link | undefined)[] =>
  members.map((member) => redisLink(context, member));

async function askUntil<T>(
  old: Link,
  replicas: readonly (Link | undefined)[],
  choose: (equal: readonly boolean[]) => T | undefined,
): Promise<T | undefined> {
  const deadline = performance.now() + EQUAL_MS;
  for (;;) {
    const equal = await equalNow(old, replicas);
    if (equal === undefined) return undefined;
    const chosen = choose(equal);
    if (chosen !== undefined || performance.now() > deadline) return chosen;
    await sleep(1);
  }
}

/** Whether each has the master's offset; undefined: the master does not answer. */
async function equalNow(old: Link, replicas: readonly (Link | undefined)[]): Promise<boolean[] | undefined> {
  const [target, ...reached] = await Promise.all([
    offset(old, "master_repl_offset"),
    ...replicas.map((link) => offset(link, "slave_repl_offset")),
  ]);
  return target === undefined ? undefined : replicas.map((_, at) => (reached[at] ?? -1) >= target);
}

async function offset(link: Link | undefined, field: string): Promise<number | undefined> {
  const info = await link?.call(["INFO", "replication"]).catch(() => undefined);
  const text = info === undefined ? undefined : infoFields(info).get(field);
  return text === undefined ? undefined : Number(text);
}
