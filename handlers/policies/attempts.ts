/** In which way a failover is tried, and when the next try may be: ours, then Sentinel's public command, then Sentinel alone. Pure. */
import type { GroupSettings } from "../../model/settings.ts";

/**
 * votes: we promote ("H": votes, REPLICAOF NO ONE, hello). ask: SENTINEL FAILOVER on one sentinel, with votes for it before and a hello after ("FH").
 * After both nobody is asked for anything for a while, so that Sentinel's natural failover gets its chance: each try of ours keeps the voters from
 * electing by themselves for 2 × failover-timeout.
 */
export type Way = "votes" | "ask";

const BY_VOTES = 2;
const BY_ASKING = 2;
/** After that many tries it begins again. */
const TRIES = BY_VOTES + BY_ASKING;

/** @param tried how often it was tried since there was a master */
export function wayOf(tried: number, settings: Pick<GroupSettings, "promotion">): Way {
  return settings.promotion === "sentinel" || tried % TRIES >= BY_VOTES ? "ask" : "votes";
}

/** A promotion of ours either holds within this time or was refused, ms. */
const VOTES_AGAIN_MS = 150;
/** SENTINEL FAILOVER promotes within 0.3 s and tells it a second later, ms. */
const ASK_AGAIN_MS = 3000;
/** What Sentinel's own election takes after all its waiting, ms. */
const ELECTION_MS = 5000;

/** How long after try number `tried` (the first is 1) the next one waits, ms: after the last way for as long as a natural failover may take. */
export function nextTryAfterMs(
  tried: number,
  settings: Pick<GroupSettings, "promotion" | "downAfterMs" | "failoverTimeoutMs">,
): number {
  if (tried % TRIES === 0) return settings.downAfterMs + 2 * settings.failoverTimeoutMs + ELECTION_MS;
  return wayOf(tried - 1, settings) === "ask" ? ASK_AGAIN_MS : VOTES_AGAIN_MS;
}
