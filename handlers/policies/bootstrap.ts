/** A new group's first master. Exactly one, whatever the order in which pods come (issue: bootstrap). */
import type { MemberFact } from "../../model/facts.ts";
import { REASON } from "../../model/reasons.ts";
import { rankByData } from "./freshness.ts";
import { type Context, NOTHING, type Policy, type Step } from "./policy.ts";
import { readyWhileWaiting } from "./recover.ts";
import { CLAIMED } from "./route.ts";
import { firstMaster, highestEpoch, nameOf, type RedisMember, redisMembers, redisUp, sentinelsUp } from "./view.ts";

/** How long the others wait for the pod that the deterministic choice names before the next one is taken, ms. */
const PATIENCE_MS = 8000;
/** A StatefulSet makes its next pod well within this time after the last one was made and is Ready, ms. */
const NEXT_POD_MS = 15_000;

/**
 * The group has no record of a master on its Service and no sentinel names one. Two steps, each idempotent: a conditional write claims the choice
 * on the Service, then the claimed pod is promoted; whoever finds a claim finishes it.
 */
export const bootstrap: Policy = (context): Step => {
  const { facts, truth, memory } = context;
  const service = facts.masterService;
  if (service === undefined || !facts.leading) return NOTHING;
  const claim = service.record?.reason === CLAIMED ? service.record : undefined;
  if (service.record !== undefined && claim === undefined) return NOTHING;
  if (truth.kind === "confirmed" || (truth.kind === "named" && claim === undefined)) return NOTHING;

  const up = redisUp(facts).filter(({ member }) => !member.pod.orphan);
  const claimed =
    claim === undefined ? undefined : up.find(({ member }) => member.pod.uid === claim.uid && !member.pod.terminating);
  const loading = up.filter(({ redis }) => redis.loading);
  if (loading.length > 0) return waiting(`${loading.map(({ member }) => nameOf(member)).join(", ")} is loading its data`);
  const dataSomewhere = up.some(({ redis }) => redis.keys > 0);
  // An empty node that was claimed before one with data came up is not put over it: the choice is made again.
  const overData = claimed?.redis.keys === 0 && dataSomewhere;
  if (claimed !== undefined && !overData) return promoteFirst(context, claimed);
  const stillThere =
    claim !== undefined && facts.members.some(({ pod }) => pod.uid === claim.uid && !pod.terminating && !pod.ended);
  if (stillThere && !overData && facts.at - Date.parse(claim.since) < PATIENCE_MS) {
    return waiting(`the chosen first master ${claim.pod} does not answer yet`);
  }

  const masters = up.filter(({ redis }) => redis.role === "master" && (redis.keys > 0 || !dataSomewhere));
  const waitedMs = facts.at - memory.firstSeenAt;
  if (claim === undefined && masters.length === 0 && nextMayCome(context, up)) {
    const message =
      "pods have data on volumes, and nothing says who was the last master: those that are still to be made are waited for";
    return { ...waiting(message), actions: up.flatMap(readyWhileWaiting) };
  }
  const choice = rankByData(masters, undefined)[0] ?? chooseFirst(context, up, waitedMs);
  if (choice === undefined) return waiting(whyNot(redisMembers(facts)));
  return { actions: [{ kind: "claim", pod: choice.member.pod }], state: "waiting", stop: true };
};

/**
 * Role master first, then auto, by age and name; never role replica. Data decides before all: an empty node is never put over one that has some.
 * The first by this order is waited for, PATIENCE_MS at most, and no further than that if another can be had.
 */
function chooseFirst({ facts }: Context, up: readonly RedisMember[], waitedMs: number): RedisMember | undefined {
  const members = redisMembers(facts);
  const withData = up.filter(({ redis, member }) => redis.keys > 0 && !member.pod.terminating);
  if (withData.length > 0) {
    // Somebody removed the Service and with it the record: a pod that is not up yet may hold fresher data.
    if (up.length < members.length && waitedMs < facts.settings.recoveryWaitMs) return undefined;
    return rankByData(withData, undefined)[0];
  }
  if (up.some(({ redis }) => redis.keys > 0)) return undefined; // only a pod that is being deleted has data: nobody is put over it
  const order = (member: MemberFact): number => (member.pod.role === "master" ? 0 : 1);
  const wanted = members
    .filter(({ pod }) => pod.role !== "replica" && !pod.terminating && !pod.orphan)
    .sort((a, b) => order(a) - order(b) || a.pod.createdAt - b.pod.createdAt || (a.pod.name < b.pod.name ? -1 : 1));
  const ready = wanted.flatMap((member) => up.filter((one) => one.member === member));
  const first = ready[0];
  if (first === undefined) return undefined;
  const patient = waitedMs < PATIENCE_MS && first.member !== wanted[0];
  return patient ? undefined : first;
}

/**
 * Data on a volume, and no record of a master: the Service was deleted while all was down. Pods are made one after the other perhaps, each when the one before is
 * Ready, and the first to come may be stale.
 */
function nextMayCome({ facts }: Context, up: readonly RedisMember[]): boolean {
  if (!up.some(({ redis, member }) => redis.keys > 0 && member.pod.volume !== undefined)) return false;
  return redisMembers(facts).some(({ pod }) => facts.at - pod.createdAt < NEXT_POD_MS);
}

function promoteFirst({ facts }: Context, chosen: RedisMember): Step {
  return {
    actions: [
      {
        kind: "promote",
        cause: "bootstrap",
        candidates: [chosen.member],
        old: undefined,
        votes: 0,
        epoch: highestEpoch(facts),
        others: redisUp(facts)
          .filter(({ member, redis }) => member !== chosen.member && redis.role === "replica")
          .map(({ member }) => member),
        sentinels: sentinelsUp(facts).map(({ member }) => member),
        reason: REASON.Bootstrapped,
        message: firstMaster(chosen.member.pod),
      },
    ],
    state: "waiting",
    stop: true,
  };
}

function waiting(message: string): Step {
  return { actions: [], notices: [{ reason: REASON.WaitingForPods, message }], state: "waiting", stop: true };
}

function whyNot(members: readonly MemberFact[]): string {
  if (members.length === 0) return "the group has no redis pod yet, only sentinels";
  if (members.every(({ pod }) => pod.role === "replica")) {
    return "all redis pods have role replica; a pod with role master or auto is needed as first master";
  }
  // Without the pods' addresses: while they start the text would change every moment, and each change is an Event.
  return "no redis of the group answers yet";
}
