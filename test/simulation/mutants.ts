/** The product with one law broken on purpose, each a change of its source text; the simulator has to catch every one (`npm run simulate:mutants`). */
import type { Change } from "./world/hooks.ts";

export interface Mutant {
  readonly name: string;
  /** what it breaks */
  readonly law: string;
  readonly changes: readonly Change[];
}

const change = (file: string, find: string, replace: string): Change => ({ file, find, replace });

export const MUTANTS: readonly Mutant[] = [
  {
    name: "an offset that is behind counts as equal",
    law: "a handover waits for every byte",
    changes: [
      change("handlers/act/offsets.ts", "(reached[at] ?? -1) >= target", "(reached[at] ?? -1) >= 0"),
      change("handlers/act/handover.ts", '["CLIENT", "PAUSE", String(PAUSE_MS), "WRITE"]', '["PING"]'),
    ],
  },
  {
    name: "a handover does not pause",
    law: "no write is taken between equal offsets and the promotion",
    changes: [change("handlers/act/handover.ts", '["CLIENT", "PAUSE", String(PAUSE_MS), "WRITE"]', '["PING"]')],
  },
  {
    name: "a handover does not demote",
    law: "the old master follows before its pause is lifted",
    changes: [change("handlers/act/handover.ts", ", pointTo(context, [action.from], master)]", "]")],
  },
  {
    name: "a pause is never lifted",
    law: "no paused master is left behind",
    changes: [
      change("handlers/act/handover.ts", "export const PAUSE_MS = 10_000;", "export const PAUSE_MS = 600_000;"),
      change("handlers/policies/inherit.ts", 'paused.map(({ member }) => ({ kind: "unpause", member }))', "[]"),
      change("handlers/act/handover.ts", 'await persist(old, ["CLIENT", "UNPAUSE"]);\n  context.say(', "context.say("),
    ],
  },
  {
    name: "silence is proof of death",
    law: "a timeout is never proof",
    changes: [
      change(
        "handlers/policies/proof.ts",
        "?? handedOver(member, begun);",
        '?? handedOver(member, begun) ?? (member?.redis?.state === "up" ? undefined : "silent");',
      ),
    ],
  },
  {
    name: "the stalest replica is promoted",
    law: "the freshest replica is promoted",
    changes: [
      change("handlers/act/promote.ts", "one.redis.offset > highest.redis.offset", "one.redis.offset < highest.redis.offset"),
    ],
  },
  {
    name: "the lowest epoch wins",
    law: "the highest config-epoch is the truth",
    changes: [
      change(
        "handlers/policies/truth.ts",
        "Math.max(...heard.map((voice) => voice.epoch))",
        "Math.min(...heard.map((voice) => voice.epoch))",
      ),
    ],
  },
  {
    name: "a named master need not say so itself",
    law: "the truth is verified by the server's own role",
    changes: [change("handlers/policies/truth.ts", 'up.redis.role === "master" && !up.redis.loading', "!up.redis.loading")],
  },
  {
    name: "no votes are needed",
    law: "no promotion without a majority of the sentinels",
    changes: [
      // Twice: too few who can vote are not even asked.
      change("handlers/act/votes.ts", "if (granted >= needed)", "if (granted >= 0)"),
      change("handlers/policies/failover.ts", "if (watching.length < majority(facts)) return", "if (watching.length < 1) return"),
    ],
  },
  {
    name: "a second master is left alone",
    law: "the fence",
    changes: [
      change("handlers/policies/fence.ts", "if (second.length === 0) return NOTHING;", "if (second.length >= 0) return NOTHING;"),
    ],
  },
  {
    name: "the confirmed master is fenced",
    law: "only a node that nobody names is demoted",
    changes: [change("handlers/policies/fence.ts", "member !== truth.member", "member === truth.member")],
  },
  {
    name: "a redis that knows no master starts as one",
    law: "law 1: a redis process never starts as master",
    changes: [
      change(
        "test/simulation/cluster/pod.ts",
        "disk: this.disk,\n        parameters,\n        replicaof,",
        'disk: this.disk,\n        parameters,\n        replicaof: replicaof.ip.startsWith("127.") ? undefined : replicaof,',
      ),
    ],
  },
  {
    name: "preStop does not wait",
    law: "a process that is to end is held until its role has moved",
    changes: [change("test/simulation/cluster/prestop.ts", "while (elapsed() < bound) {", "while (elapsed() < -1) {")],
  },
  {
    name: "the least data is recovered",
    law: "data before availability: the freshest data wins",
    changes: [
      change("handlers/policies/freshness.ts", "(right[at] ?? 0) - (left[at] ?? 0)", "(left[at] ?? 0) - (right[at] ?? 0)"),
    ],
  },
  {
    name: "every sentinel gets the first slot",
    law: "each sentinel has an identity of its own",
    changes: [
      change("handlers/policies/sentinels.ts", "while (taken.has(slot)) slot += 1;\n    taken.add(slot);", "taken.add(slot);"),
    ],
  },
  {
    name: "new sentinels are not told",
    law: "every sentinel watches the master",
    changes: [
      change(
        "handlers/policies/sentinels.ts",
        'actions.push({ kind: "monitor", member, master: truth.address, settings: wanted, replace: false });',
        "continue;",
      ),
    ],
  },
  {
    name: "events only, no back-stop",
    law: "law 2: missing any event costs at most a second",
    changes: [change("handlers/group.ts", "const BACKSTOP_MS = 1000;", "const BACKSTOP_MS = 10_000_000;")],
  },
  {
    name: "an isolated master writes on",
    law: "min-replicas-to-write stops a master that is cut off",
    changes: [change("handlers/policies/attach.ts", "redisCount >= 3 ? 1 : 0", "0")],
  },
  {
    name: "the Service is moved by nobody",
    law: "route first",
    changes: [
      change(
        "handlers/act/route.ts",
        "selector: selectorPatch(group.cluster, pod.instance, service.selector),",
        "selector: service.selector,",
      ),
    ],
  },
  {
    name: "a hello that is not newer",
    law: "the sentinels are told in a newer epoch",
    changes: [
      change(
        "handlers/act/hello.ts",
        "const message = [peer.ip, peer.port, peer.runId, epoch, context.links.masterName, master.ip, master.port, epoch];",
        "const message = [peer.ip, peer.port, peer.runId, 0, context.links.masterName, master.ip, master.port, 0];",
      ),
    ],
  },
  {
    name: "waiting replicas are left to themselves, and so are astray ones",
    law: "replicas follow the confirmed master",
    changes: [
      change(
        "handlers/policies/attach.ts",
        '.map(({ member }) => ({ kind: "attach", member, master: truth.address }));',
        '.map(({ member }) => ({ kind: "attach", member, master: { ip: "10.9.9.9", port: 6379 } }));',
      ),
    ],
  },
  {
    name: "a replica in the middle of a copy is as good as any",
    law: "only a replica in line is promoted",
    changes: [
      change(
        "handlers/policies/successor.ts",
        'if (redis.role !== "replica" || redis.loading || redis.offset <= NO_OFFSET) return false;\n  return replid === "" || redis.replid === replid || redis.replid2 === replid;',
        'return redis.role === "replica";',
      ),
      change("handlers/policies/successor.ts", "one.redis.linkDownMs <= lostFor + STALE_LINK_MS", "one.redis.offset >= 0"),
      change("handlers/act/promote.ts", "one.redis.offset > highest.redis.offset", "one.redis.keys < highest.redis.keys"),
    ],
  },
  {
    name: "a replica that INFO calls syncing is left out",
    law: "whoever has the master's data is a candidate",
    changes: [
      change(
        "handlers/policies/successor.ts",
        "redis.loading || redis.offset <= NO_OFFSET",
        "redis.loading || redis.syncing || redis.offset <= NO_OFFSET",
      ),
    ],
  },
  {
    name: "a handler leads for ever",
    law: "whoever does not hold the Lease changes nothing",
    changes: [
      change("kube/lease.ts", "if (!held) return;\n    held = false;", "return;"),
      change("kube/lease.ts", "return held && performance.now() < heldUntil;", "return held;"),
    ],
  },
  {
    name: "the pods' labels are swapped",
    law: "labels tell the role",
    changes: [
      change(
        "handlers/policies/marks.ts",
        'member === truth.member ? "master" : "replica"',
        'member === truth.member ? "replica" : "master"',
      ),
    ],
  },
  {
    name: "a claim is made without a condition, by whoever comes, and not remembered",
    law: "exactly one first master",
    changes: [
      change(
        "handlers/policies/bootstrap.ts",
        "if (claimed !== undefined && !overData) return promoteFirst(context, claimed);",
        "if (up[0] !== undefined) return promoteFirst(context, up[facts.at % up.length] ?? up[0]);",
      ),
    ],
  },
];
