/**
 * `npm run page`: the page with a feed that is made up, for those who work on its looks. Its groups are in every state that there is; the first one
 * loses its master every 20 seconds.
 */
import { parseArgs } from "node:util";
import fastify from "fastify";
import type { GroupView } from "../../handlers/group.ts";
import { REASON } from "../../model/reasons.ts";
import { createNews } from "../../page/server/news.ts";
import { servePage } from "../../page/server/routes.ts";
import type { PageSource } from "../../page/server/stream.ts";
import type { Situation } from "../scenarios/expand.ts";
import { failover, handover, reign, viewOf } from "./story.ts";

const A = "cache-6f9d7b5c4-x8k2a";
const B = "cache-6f9d7b5c4-m4t7b";
const C = "cache-6f9d7b5c4-q9w3c";
const ROUND_MS = 20_000;

export interface Feed extends PageSource {
  /** changes the groups now; called four times a second by the command, and by tests when they want it */
  step(now: number): void;
}

/** A feed whose first group begins its first round at `start`, with the master dying 8 s later. */
export function madeUpFeed(start: number): Feed {
  const news = createNews(() => time);
  let time = start;
  let views: GroupView[] = [];
  let told = -1;
  const tell = (reason: keyof typeof REASON, message: string, cluster = "cache", namespace = "shop"): void =>
    news.heard({ reason: REASON[reason], message, namespace, cluster });

  tell(
    "HaltedManualRecovery",
    "recovery is manual: the freshest is ledger-0 (offset 88 120 of the last master’s history)",
    "ledger",
    "billing",
  );
  tell(
    "HandedOver",
    `${A} took over from ${C} (${C} is being deleted); 14 connections cut; paused 0.9, equal 1.7, voted 4.4, routed 96.3 ms`,
  );
  tell("ReplicaAttached", `${C} follows ${A}`);

  const step = (now: number): void => {
    time = now;
    const round = Math.floor((now - start) / ROUND_MS);
    const within = (now - start) % ROUND_MS;
    // Odd rounds go back to where it began.
    const [from, to] = round % 2 === 0 ? [A, B] : [B, A];
    const offset = 184_220_113 + Math.floor((now - start) * 3.7);
    const phase = within < 8000 ? 0 : within < 9200 ? 1 : within < 12_500 ? 2 : 3;
    const at = round * 4 + phase;
    const change = start + round * ROUND_MS + 9150;
    if (at !== told) {
      told = at;
      if (phase === 1)
        tell("MasterDead", `${from} is dead: it refuses connections, and 2 of its 2 replicas lost their link to it`);
      if (phase === 2)
        tell(
          "FailedOver",
          `${from} is dead; ${to} is master now (voted 3.1, promoted 4.6, agreed 12.8, patched 21.4, endpoint 58.2 ms)`,
        );
      if (phase === 3) tell("ReplicaAttached", `${from} follows ${to}`);
    }
    const rounds = Array.from({ length: round + (phase >= 2 ? 1 : 0) }, (_, n) => n).reverse();
    views = [
      viewOf(
        {
          namespace: "shop",
          cluster: "cache",
          situation: situations(from, to, offset)[phase] ?? {},
          since:
            phase >= 2
              ? { at: change, reason: REASON.FailedOver }
              : round > 0
                ? { at: change - ROUND_MS, reason: REASON.FailedOver }
                : { at: start - 8_040_000, reason: REASON.HandedOver },
          history: [reign(C, start - 93_000_000, REASON.FailedOver, 6), reign(A, start - 261_000_000, REASON.Bootstrapped, 1)],
          timelines: [
            ...rounds.map((n) => failover(start + n * ROUND_MS + 9100, n % 2 === 0 ? A : B, n % 2 === 0 ? B : A)),
            handover(start - 8_040_400, C, A),
          ],
        },
        now,
      ),
      ...others(now),
    ];
  };
  step(start);
  return {
    replica: () => ({
      pod: "redis-ha-7c5d8f9b6-tz4kq",
      version: "0.1.0",
      startedAt: start - 9_000_000,
      leads: true,
      leader: "redis-ha-7c5d8f9b6-tz4kq",
      handlers: true,
    }),
    groups: () => views,
    news,
    failed: (error) => {
      throw error;
    },
    step,
  };
}

function situations(from: string, to: string, offset: number): Situation[] {
  const watching = (pod: string, epoch: number): Record<string, string> => ({
    [A]: `${pod} ${epoch}`,
    [B]: `${pod} ${epoch}`,
    [C]: `${pod} ${epoch}`,
  });
  const service = { selects: from, record: `${from} epoch 7` };
  return [
    {
      redis: {
        [from]: `master ${offset} keys=48211`,
        [to]: `replica ${from} ${offset - 96} keys=48211`,
        [C]: `replica ${from} ${offset} keys=48211`,
      },
      sentinels: watching(from, 7),
      service,
    },
    {
      redis: {
        [from]: "refused",
        [to]: `replica ${from} ${offset} down=1s keys=48211`,
        [C]: `replica ${from} ${offset} down=1s keys=48211`,
      },
      sentinels: { ...watching(`${from}`, 7), [B]: `${from} 7 s_down`, [C]: `${from} 7 s_down`, [A]: `${from} 7` },
      service,
    },
    {
      redis: { [from]: "refused", [to]: `master ${offset} keys=48211`, [C]: `replica ${to} ${offset} keys=48211` },
      sentinels: watching(to, 8),
      service: { selects: to, record: `${to} epoch 8` },
    },
    {
      redis: {
        [from]: `replica ${to} ${offset - 310} keys=48211`,
        [to]: `master ${offset} keys=48211`,
        [C]: `replica ${to} ${offset} keys=48211`,
      },
      sentinels: watching(to, 8),
      service: { selects: to, record: `${to} epoch 8` },
    },
  ];
}

/** One group for each of the other states. */
function others(now: number): GroupView[] {
  const HOUR = 3_600_000;
  const halted = viewOf(
    {
      namespace: "billing",
      cluster: "ledger",
      situation: {
        settings: { recovery: "manual" },
        redis: { "ledger-a": "replica nobody 88120 keys=9120 rdb=-60s", "ledger-b": "replica nobody 88040 keys=9118 rdb=-90s" },
        pods: { "ledger-a": "volume=data-ledger-a", "ledger-b": "volume=data-ledger-b" },
        sentinels: { "ledger-a": "idle", "ledger-b": "idle" },
        service: { record: "ledger-c epoch 3 volume=data-ledger-c", halted: "HaltedManualRecovery: recovery is manual" },
      },
      since: { at: now - 50 * HOUR, reason: REASON.Bootstrapped },
    },
    now,
  );
  const copying = viewOf(
    {
      namespace: "search",
      cluster: "index",
      situation: {
        redis: {
          "index-a": "master 5200100 keys=310442",
          "index-b": "replica index-a 4100200 syncing",
          "index-c": "refused for=41s",
        },
        sentinels: { "index-a": "index-a 4", "index-b": "index-a 4", "index-c": "refused" },
        service: { selects: "index-a", record: "index-a epoch 4" },
      },
      since: { at: now - 26 * HOUR, reason: REASON.HandedOver },
    },
    now,
  );
  const three = viewOf(
    {
      namespace: "shop",
      cluster: "sessions",
      situation: {
        redis: {
          "sessions-first-a": "master 91200 keys=820",
          "sessions-replica-b": "replica sessions-first-a 91200 keys=820",
          "sessions-replica-c": "replica sessions-first-a 91200 keys=820",
        },
        sentinels: {
          "sessions-sentinel-d": "sessions-first-a 1",
          "sessions-sentinel-e": "sessions-first-a 1",
          "sessions-sentinel-f": "sessions-first-a 1",
        },
        service: { selects: "sessions-first-a", record: "sessions-first-a epoch 1" },
      },
      since: { at: now - 500 * HOUR, reason: REASON.Bootstrapped },
    },
    now,
  );
  const silent = viewOf(
    {
      namespace: "legacy",
      cluster: "queue",
      situation: {
        redis: {
          "queue-a": "timeout for=3s",
          "queue-b": "replica queue-a 777 down=3s",
          "queue-c": "replica queue-a 777 down=3s",
        },
        sentinels: { "queue-a": "timeout", "queue-b": "queue-a 2 s_down", "queue-c": "queue-a 2" },
        service: { selects: "queue-a", record: "queue-a epoch 2" },
      },
      since: { at: now - 90 * HOUR, reason: REASON.MasterRouted },
    },
    now,
  );
  const begin: GroupView = { group: { namespace: "team-b", cluster: "new" }, facts: undefined, plan: undefined, timelines: [] };
  const old = viewOf(
    {
      namespace: "team-b",
      cluster: "hanging",
      situation: {
        redis: { "hanging-a": "master 400 keys=12", "hanging-b": "replica hanging-a 400 keys=12" },
        sentinels: { "hanging-a": "hanging-a 1", "hanging-b": "hanging-a 1" },
        service: { selects: "hanging-a", record: "hanging-a epoch 1" },
      },
      since: { at: now - HOUR, reason: REASON.Bootstrapped },
    },
    now - 42_000,
  );
  return [halted, copying, three, silent, begin, old];
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { port: { type: "string", default: "8090" } } });
  const feed = madeUpFeed(Date.now());
  const app = fastify({ forceCloseConnections: true });
  servePage(app, feed);
  setInterval(() => feed.step(Date.now()), 250);
  console.log(`a made-up feed: ${await app.listen({ port: Number(values.port), host: "127.0.0.1" })}/`);
}
