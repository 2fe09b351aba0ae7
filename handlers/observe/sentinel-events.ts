/** Listens to every event of one sentinel. Messages only wake; the two things taken from them are hints (docs/architecture.md, "The loop of a group"). */
import type { Address } from "../../model/facts.ts";
import { Link, type LinkOptions } from "./link.ts";

export interface SentinelEvent {
  readonly channel: string;
  readonly message: string;
}

/** `slave 10.0.0.2:6379 10.0.0.2 6379 @ ns.cache 10.0.0.1 6379` → the candidate's address and the group's name. */
export function candidateOf(message: string): { name: string; address: Address } | undefined {
  const words = message.split(" ");
  const at = words.indexOf("@");
  const [type, , ip, port] = words;
  const name = words[at + 1];
  if (type !== "slave" || ip === undefined || port === undefined || at < 0 || name === undefined) return undefined;
  return { name, address: { ip, port: Number(port) } };
}

/** `+new-epoch 7`, `+vote-for-leader RUNID 7`: the epoch that is spoken of, or undefined. */
export function epochOf(event: SentinelEvent): number | undefined {
  const words = event.message.split(" ");
  const text = event.channel === "+new-epoch" ? words[0] : event.channel === "+vote-for-leader" ? words[1] : undefined;
  const epoch = Number(text);
  return text === undefined || !Number.isInteger(epoch) ? undefined : epoch;
}

/** One connection with PSUBSCRIBE *; subscribes anew at every reconnect. Close it with close(). */
export function listen({
  onEvent,
  ...options
}: Pick<LinkOptions, "host" | "port" | "password" | "tls" | "onChange"> & { onEvent: (event: SentinelEvent) => void }): Link {
  return new Link({
    ...options,
    name: "redis-ha-events",
    onUp: (redis) => {
      redis.on("pmessage", (_pattern: string, channel: string, message: string) => onEvent({ channel, message }));
      redis.psubscribe("*").catch(() => redis.disconnect());
    },
  });
}
