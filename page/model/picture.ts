/** The picture of one group: where the cards stand, where the Service's arrow and the replication links go. In pixels; text is HTML. Pure. */
import type { GroupDetail, MemberLine, RedisLine } from "../wire.ts";
import { bytes, duration, grouped } from "./text.ts";
import { downWord, type Tone } from "./words.ts";

export interface Card {
  readonly pod: string;
  /** top edge */
  readonly y: number;
  readonly height: number;
  readonly role: "master" | "replica" | "waiting" | "down" | "sentinel";
  readonly roleText: string;
  readonly tone: Tone;
  /** what it holds, or since when it does not answer */
  readonly facts: readonly string[];
  /** how far behind; for replicas */
  readonly lag: string | undefined;
  readonly sentinel: { readonly text: string; readonly tone: Tone } | undefined;
  /** badges about the pod itself */
  readonly badges: readonly string[];
}

export interface Link {
  readonly to: string;
  /** vertical middles of master and replica */
  readonly from: number;
  readonly at: number;
  /** how far right of the cards it runs */
  readonly reach: number;
  readonly state: "live" | "syncing" | "down";
}

export interface Arrow {
  /** the pod that the Service leads to */
  readonly to: string;
  readonly y: number;
  /** false: that pod is not confirmed as master */
  readonly good: boolean;
}

export interface Picture {
  readonly height: number;
  readonly cards: readonly Card[];
  readonly links: readonly Link[];
  readonly arrow: Arrow | undefined;
  /** all of it in words, for those who do not see it */
  readonly text: string;
}

/** The style sheet has the same. `low`: of a pod that only runs a sentinel. */
export const CARD = { height: 88, low: 62, gap: 14 } as const;
const REACH = { first: 18, each: 8, most: 38 } as const;

/** Redis pods first, each always in the same place; then pods that only run a sentinel. */
export function pictureOf(group: GroupDetail): Picture {
  const shown = [
    ...group.members.filter(({ redis }) => redis !== undefined),
    ...group.members.filter(({ redis }) => redis === undefined),
  ];
  const heights = shown.map(({ redis }) => (redis === undefined ? CARD.low : CARD.height));
  const yOf = (at: number): number => heights.slice(0, at).reduce((sum, height) => sum + height + CARD.gap, 0);
  const middle = (at: number): number => yOf(at) + (heights[at] ?? 0) / 2;
  const cards = shown.map((member, at) => ({ ...cardOf(member, group), y: yOf(at), height: heights[at] ?? 0 }));
  const masterAt = shown.findIndex(({ pod, redis }) => pod === group.master && redis !== undefined);
  const links: Link[] = [];
  shown.forEach(({ pod, redis }, at) => {
    if (masterAt < 0 || at === masterAt || redis?.state !== "up" || redis.role !== "replica" || redis.of !== group.master) return;
    const distance = Math.abs(at - masterAt) - 1;
    const reach = Math.min(REACH.first + REACH.each * distance, REACH.most);
    links.push({ to: pod, from: middle(masterAt), at: middle(at), reach, state: linkState(redis) });
  });
  const ledAt = shown.findIndex(({ pod }) => pod === group.service.leadsTo);
  const led = shown[ledAt];
  const arrow = led === undefined ? undefined : { to: led.pod, y: middle(ledAt), good: led.pod === group.master };
  return {
    height: Math.max(0, yOf(shown.length) - CARD.gap),
    cards,
    links,
    arrow,
    text: inWords(group, arrow, links),
  };
}

function linkState(redis: RedisLine): Link["state"] {
  if (redis.syncing) return "syncing";
  return redis.linkUp ? "live" : "down";
}

function cardOf(member: MemberLine, group: GroupDetail): Omit<Card, "y" | "height"> {
  const { pod, redis } = member;
  const badges = [
    member.terminating ? "ending" : "",
    member.orphan ? "pod object is gone" : "",
    member.ended ? "ended" : "",
    member.nodeGoing ? "its node is going" : "",
    member.restarts > 0 ? `restarted ${member.restarts}×` : "",
  ].filter((badge) => badge !== "");
  return { pod, badges, sentinel: sentinelOf(member, group), lag: undefined, ...roleOf(member, group, redis) };
}

type RolePart = Pick<Card, "role" | "roleText" | "tone" | "facts"> & { readonly lag?: string };

function roleOf({ pod }: MemberLine, group: GroupDetail, redis: MemberLine["redis"]): RolePart {
  if (redis === undefined) return { role: "sentinel", roleText: "Sentinel", tone: "mute", facts: [] };
  if (redis.state !== "up") {
    return {
      role: "down",
      roleText: redis.state === "unknown" ? "Unknown" : "Down",
      tone: redis.state === "unknown" ? "mute" : "bad",
      facts: [downWord(redis.state)],
    };
  }
  const held = [`${grouped(redis.keys)} ${redis.keys === 1 ? "key" : "keys"}`, `offset ${grouped(redis.offset)}`];
  if (redis.loading) return { role: "waiting", roleText: "Loading", tone: "warn", facts: ["reads its data from disk"] };
  if (redis.role === "master") {
    return pod === group.master
      ? { role: "master", roleText: "Master", tone: "ok", facts: held }
      : { role: "down", roleText: "Says master", tone: "bad", facts: ["nobody names it: it is being fenced"] };
  }
  if (redis.of === undefined)
    return { role: "waiting", roleText: "Waiting", tone: "warn", facts: ["read-only, for a master", ...held] };
  const lag = lagText(redis);
  return {
    role: "replica",
    roleText: "Replica",
    tone: redis.linkUp ? "ok" : "warn",
    facts: redis.of === group.master ? held : [`follows ${redis.of}`, ...held],
    ...(lag === undefined ? {} : { lag }),
  };
}

/** `in step`, `1.2 kB behind`, `1.2 kB behind, last heard 3 s ago`, `copying everything`, `link down` */
export function lagText(redis: RedisLine): string | undefined {
  if (redis.of === undefined) return undefined;
  if (redis.syncing) return "copying everything";
  if (!redis.linkUp) return "link down";
  if (redis.lagBytes === undefined) return undefined;
  const behind = redis.lagBytes === 0 ? "in step" : `${bytes(redis.lagBytes)} behind`;
  return redis.lagSeconds !== undefined && redis.lagSeconds > 1
    ? `${behind}, heard ${duration(redis.lagSeconds * 1000)} ago`
    : behind;
}

function sentinelOf({ sentinel }: MemberLine, group: GroupDetail): Card["sentinel"] {
  if (sentinel === undefined) return undefined;
  if (sentinel.state !== "up")
    return { text: `sentinel ${downWord(sentinel.state)}`, tone: sentinel.state === "unknown" ? "mute" : "bad" };
  if (sentinel.tilt) return { text: "sentinel in TILT: its clock jumped", tone: "warn" };
  if (sentinel.electing) return { text: "sentinel is electing", tone: "warn" };
  if (sentinel.names === undefined) return { text: "sentinel watches nobody yet", tone: "warn" };
  if (sentinel.suspects) return { text: `sentinel misses ${short(sentinel.names, group)}`, tone: "warn" };
  if (sentinel.names !== group.master) return { text: `sentinel names ${sentinel.names}`, tone: "warn" };
  return { text: "sentinel agrees", tone: "ok" };
}

const short = (name: string, group: GroupDetail): string => (name === group.master ? "the master" : name);

function inWords(group: GroupDetail, arrow: Arrow | undefined, links: readonly Link[]): string {
  const leads =
    arrow === undefined
      ? `Service ${group.service.name} leads nowhere.`
      : `Service ${group.service.name} leads to ${arrow.to}${arrow.good ? ", the master" : ", which is not confirmed as master"}.`;
  const live = links.filter(({ state }) => state === "live").length;
  const follow = links.length === 0 ? "No replica follows." : `${live} of ${links.length} replication links are up.`;
  const { up, all, needed } = group.sentinels;
  return `${leads} ${follow} ${up} of ${all} sentinels answer, ${needed} are needed.`;
}
