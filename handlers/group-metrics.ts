/** What Prometheus is told of each group: read at the moment of the scrape from the same views that `status` shows. */
import { Gauge, type Registry } from "prom-client";
import type { GroupFacts, RedisUp } from "../model/facts.ts";
import type { Plan } from "../model/plan.ts";
import { HALTED } from "../model/reasons.ts";
import type { GroupView } from "./group.ts";
import { findTruth } from "./policies/truth.ts";
import { majority, redisMembers, redisUp, sentinelMembers, sentinelsUp } from "./policies/view.ts";

const STATES: readonly Plan["state"][] = ["ok", "degraded", "waiting", "masterless", "halted", "handover"];

/** One group as numbers. Pure; undefined while it was not read yet. */
export interface GroupNumbers {
  readonly state: Plan["state"];
  readonly redisPods: number;
  readonly replicasAttached: number;
  /** of the replica that is furthest behind; undefined without a confirmed master */
  readonly lagBytes: number | undefined;
  readonly lagSeconds: number | undefined;
  readonly sentinelsAnswering: number;
  readonly sentinelsNeeded: number;
  readonly sentinels: number;
  /** Unix time in seconds; undefined without a record */
  readonly masterSince: number | undefined;
  /** Unix time in seconds; undefined without TLS */
  readonly certificateExpiry: number | undefined;
}

export function groupNumbers({ facts, plan, certificateUntil }: GroupView): GroupNumbers | undefined {
  if (facts === undefined || plan === undefined) return undefined;
  const truth = findTruth(facts);
  const master = truth.kind === "confirmed" ? truth.redis : undefined;
  const since = Date.parse(facts.masterService?.record?.since ?? "");
  return {
    state: plan.state,
    redisPods: redisMembers(facts).length,
    replicasAttached: redisUp(facts).filter(({ redis }) => redis.role === "replica" && redis.linkUp).length,
    ...lagOf(facts, master),
    sentinelsAnswering: sentinelsUp(facts).length,
    sentinelsNeeded: majority(facts),
    sentinels: sentinelMembers(facts).length,
    masterSince: Number.isNaN(since) ? undefined : since / 1000,
    certificateExpiry: certificateUntil === undefined ? undefined : certificateUntil / 1000,
  };
}

/** A group that is halted before it could be read has this state and no numbers. */
export function stateOf({ halted, facts, plan }: GroupView): Plan["state"] | undefined {
  if (halted !== undefined && HALTED.has(halted.reason)) return "halted";
  return facts === undefined ? undefined : plan?.state;
}

/** By the master's own account of its replicas; one that is not attached is no lag but a missing replica. */
function lagOf(facts: GroupFacts, master: RedisUp | undefined): Pick<GroupNumbers, "lagBytes" | "lagSeconds"> {
  if (master === undefined) return { lagBytes: undefined, lagSeconds: undefined };
  const addresses = new Set(redisMembers(facts).map(({ pod }) => pod.ip));
  const seen = master.replicas.filter(({ ip, online }) => online && addresses.has(ip));
  return {
    lagBytes: Math.max(0, ...seen.map(({ offset }) => master.offset - offset)),
    lagSeconds: Math.max(0, ...seen.map(({ lagS }) => lagS)),
  };
}

type Field = Exclude<keyof GroupNumbers, "state">;

const GAUGES: Readonly<Record<Field, { readonly name: string; readonly help: string }>> = {
  redisPods: { name: "redis_ha_group_redis_pods", help: "Pods of the group that run, or will run, a Redis." },
  replicasAttached: { name: "redis_ha_group_replicas_attached", help: "Replicas whose link to their master is up." },
  lagBytes: {
    name: "redis_ha_group_replication_lag_bytes",
    help: "Bytes that the master has written and its slowest attached replica has not acknowledged.",
  },
  lagSeconds: {
    name: "redis_ha_group_replication_lag_seconds",
    help: "Seconds since the attached replica that is silent for longest last acknowledged.",
  },
  sentinels: { name: "redis_ha_group_sentinels", help: "Pods of the group that run, or will run, a sentinel." },
  sentinelsAnswering: { name: "redis_ha_group_sentinels_answering", help: "Sentinels that answer and are not in TILT." },
  sentinelsNeeded: {
    name: "redis_ha_group_sentinels_needed",
    help: "Votes that elect a master: a majority of all that are known.",
  },
  masterSince: {
    name: "redis_ha_group_master_since_timestamp_seconds",
    help: "Since when the present master is master, as Unix time.",
  },
  certificateExpiry: {
    name: "redis_ha_group_certificate_expiry_timestamp_seconds",
    help: "When the certificate in the Secret of a group with TLS ends, as Unix time.",
  },
};

/** Adds the gauges; `views` is asked at each scrape. */
export function registerGroupMetrics(registry: Registry, views: () => readonly GroupView[]): void {
  const labelNames = ["namespace", "group"] as const;
  const numbers = (): { readonly labels: { namespace: string; group: string }; readonly of: GroupNumbers }[] =>
    views().flatMap((view) => {
      const of = groupNumbers(view);
      return of === undefined ? [] : [{ labels: { namespace: view.group.namespace, group: view.group.cluster }, of }];
    });
  for (const [field, { name, help }] of Object.entries(GAUGES) as [Field, { name: string; help: string }][]) {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const { labels, of } of numbers()) {
          const value = of[field];
          if (value !== undefined) this.set(labels, value);
        }
      },
    });
  }
  new Gauge({
    name: "redis_ha_group_state",
    help: `1 for the state that the group is in, 0 for the others (${STATES.join(", ")}).`,
    labelNames: [...labelNames, "state"] as const,
    registers: [registry],
    collect() {
      this.reset();
      for (const view of views()) {
        const labels = { namespace: view.group.namespace, group: view.group.cluster };
        const now = stateOf(view);
        if (now !== undefined) for (const state of STATES) this.set({ ...labels, state }, now === state ? 1 : 0);
      }
    },
  });
}
