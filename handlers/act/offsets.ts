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
  return await untilEqual(context, old, candidates, (equal) => {
    const first = equal[0];
    return first !== undefined && (first === candidates[0] || performance.now() > patience) ? first : undefined;
  });
}

/** True once every one of the members has the paused master's offset, false after EQUAL_MS. */
export async function allEqual(context: ActContext, old: Link, members: readonly MemberFact[]): Promise<boolean> {
  const done = await untilEqual(context, old, members, (equal) => (equal.length === members.length ? true : undefined));
  return done === true;
}

/** Whether each has the master's offset, asked once. */
export async function areEqual(context: ActContext, old: Link, members: readonly MemberFact[]): Promise<boolean> {
  return (await equalNow(context, old, members))?.length === members.length;
}

async function untilEqual<T>(
  context: ActContext,
  old: Link,
  members: readonly MemberFact[],
  choose: (equal: readonly MemberFact[]) => T | undefined,
): Promise<T | undefined> {
  const deadline = performance.now() + EQUAL_MS;
  for (;;) {
    const equal = await equalNow(context, old, members);
    if (equal === undefined) return undefined;
    const chosen = choose(equal);
    if (chosen !== undefined || performance.now() > deadline) return chosen;
    await sleep(1);
  }
}

/** Those that have the master's offset; undefined: the master does not answer. */
async function equalNow(context: ActContext, old: Link, members: readonly MemberFact[]): Promise<MemberFact[] | undefined> {
  const [target, ...reached] = await Promise.all([
    offset(old, "master_repl_offset"),
    ...members.map((member) => offset(redisLink(context, member), "slave_repl_offset")),
  ]);
  return target === undefined ? undefined : members.filter((_, at) => (reached[at] ?? -1) >= target);
}

async function offset(link: Link | undefined, field: string): Promise<number | undefined> {
  const info = await link?.call(["INFO", "replication"]).catch(() => undefined);
  const text = info === undefined ? undefined : infoFields(info).get(field);
  return text === undefined ? undefined : Number(text);
}
