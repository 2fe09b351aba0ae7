/**
 * What our promotion rests on (handlers/act/votes.ts, hello.ts; facts of sentinel.c), proven on every supported server: if a new version breaks one of these
 * rules, this fails, and not a promotion in production.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { agrees, makeAgree, sayHello } from "../../handlers/act/hello.ts";
import { rivalElected } from "../../handlers/act/rival.ts";
import { sentinelFailover, setSentinel } from "../../handlers/act/sentinels.ts";
import { winVotes } from "../../handlers/act/votes.ts";
import { inLine } from "../../handlers/policies/successor.ts";
import type { Address, MemberFact } from "../../model/facts.ts";
import { REDIS_PORT } from "../../model/names.ts";
import { until } from "../boot/wait.ts";
import { SUPPORTED, serverBinary } from "../servers/supported.ts";
import { type Access, NAME, ProtocolBed, sentinelOf } from "./bed.ts";

const MAJORITY = 2;
const RIVAL = "f".repeat(40);
const ACCESS: readonly Access[] = ["passwords", "acl"];

const addressOf = (member: MemberFact | undefined): Address => ({ ip: member?.pod.ip ?? "", port: REDIS_PORT });
const epochs = (members: readonly MemberFact[]): number[] => members.map((member) => sentinelOf(member).master.configEpoch);
const masters = (members: readonly MemberFact[]): string[] => members.map((member) => sentinelOf(member).master.address.ip);

describe.concurrent.each(SUPPORTED.flatMap((version) => ACCESS.map((access) => ({ version, access }))))(
  "$version with $access",
  ({ version, access }) => {
    let bed: ProtocolBed;
    beforeAll(async () => {
      bed = await ProtocolBed.make(await serverBinary(version), access);
    });
    afterAll(async () => await bed?.close());

    /** The bare question for a vote, as any candidate asks it. */
    async function vote(member: MemberFact, epoch: number, candidate: string, about?: Address): Promise<[string, number]> {
      const { ip, port } = about ?? sentinelOf(member).master.address;
      const reply = await bed
        .sentinelLink(member)
        .call(["SENTINEL", "IS-MASTER-DOWN-BY-ADDR", ip, String(port), String(epoch), candidate], 2000);
      if (!Array.isArray(reply)) throw new Error(`not a ballot: ${reply}`);
      return [String(reply[1]), Number(reply[2])];
    }

    async function publish(member: MemberFact, message: readonly (string | number)[]): Promise<void> {
      await bed.sentinelLink(member).call(["PUBLISH", "__sentinel__:hello", message.join(",")], 2000);
    }

    // One story, told in order: the tests of a group build on each other.
    test.sequential("votes: a majority for one epoch; whoever asks later for that epoch gets none", async () => {
      const members = await bed.read();
      const election = await winVotes(bed.context, members, MAJORITY, 1);
      if (!election.won) throw new Error(`no votes: ${JSON.stringify(election)}`);
      const ballots = await Promise.all(members.map(async (member) => await vote(member, election.epoch, RIVAL)));
      const leaders = ballots.map(([leader]) => leader);
      expect(leaders).not.toContain(RIVAL);
      expect(ballots.filter(([, epoch]) => epoch === election.epoch).length).toBeGreaterThanOrEqual(MAJORITY);
      expect(new Set(leaders).size, "all votes went to one candidate").toBe(1);
      const older = await Promise.all(members.map(async (member) => await vote(member, election.epoch - 1, RIVAL)));
      expect(older.map(([leader]) => leader)).not.toContain(RIVAL);
      // A vote is no promotion: nobody's master has changed.
      const after = await bed.read();
      expect(masters(after)).toEqual(masters(members));
      expect(epochs(after)).toEqual(epochs(members));
    });

    test.sequential("votes: of two candidates at once never both win the same epoch", async () => {
      const members = await bed.read();
      const elections = await Promise.all([1, 2].map(async () => await winVotes(bed.context, members, MAJORITY, 50)));
      const won = elections.filter((one) => one.won).map(({ epoch }) => epoch);
      expect(won.length).toBeGreaterThanOrEqual(1);
      expect(new Set(won).size).toBe(won.length);
    });

    test.sequential("votes: none for a master that the sentinels do not know", async () => {
      const members = await bed.read();
      const [first] = members;
      if (first === undefined) throw new Error("no member");
      expect(await vote(first, 900, RIVAL, { ip: "192.0.2.1", port: REDIS_PORT })).toEqual(["*", 0]);
      const strangers = members.map((member) => {
        const sentinel = sentinelOf(member);
        return { ...member, sentinel: { ...sentinel, master: { ...sentinel.master, address: { ip: "192.0.2.1", port: 1 } } } };
      });
      expect(await winVotes(bed.context, strangers, MAJORITY, 900)).toMatchObject({ won: false, electing: false, granted: 0 });
    });

    test.sequential("hello: every sentinel takes the new master and the epoch, and keeps its peers", async () => {
      const members = await bed.read();
      const election = await winVotes(bed.context, members, MAJORITY, 100);
      if (!election.won) throw new Error("no votes");
      const [, successor, other] = members;
      if (successor === undefined || other === undefined) throw new Error("no replica");
      const master = addressOf(successor);
      await bed.redisLink(successor).call(["REPLICAOF", "NO", "ONE"]);
      for (const member of members.filter((one) => one !== successor)) {
        await bed.redisLink(member).call(["REPLICAOF", master.ip, String(master.port)]);
      }
      const agreed = await makeAgree(bed.context, members, master, election.epoch, members.length, 3000);
      expect(agreed).toBe(members.length);
      const after = await bed.read();
      expect(masters(after)).toEqual(members.map(() => master.ip));
      expect(epochs(after)).toEqual(members.map(() => election.epoch));
      for (const member of after) {
        const { sentinels, replicas } = sentinelOf(member).master;
        expect(sentinels, "no ghost, nobody forgotten").toHaveLength(2);
        expect(replicas.map(({ ip }) => ip).sort()).toEqual(
          members
            .filter((one) => one !== successor)
            .map(({ pod }) => pod.ip)
            .sort(),
        );
      }
      const quorum = await Promise.all(
        after.map(async (member) => String(await bed.sentinelLink(member).call(["SENTINEL", "CKQUORUM", NAME], 2000))),
      );
      expect(quorum.every((one) => one.startsWith("OK 3"))).toBe(true);
    });

    test.sequential("hello: an older epoch and the same epoch change nothing", async () => {
      const members = await bed.read();
      const [first] = members;
      const [epoch] = epochs(members);
      const [before] = masters(members);
      if (first === undefined || epoch === undefined) throw new Error("no member");
      for (const stale of [epoch - 1, epoch]) {
        for (const member of members) {
          expect(await sayHello(bed.context, member, addressOf(first), stale), "it is answered all the same").toBe(true);
          expect(await agrees(bed.context, member, addressOf(first), stale)).toBe(false);
        }
      }
      expect(masters(await bed.read())).toEqual(members.map(() => before));
    });

    test.sequential("hello: for another group's name, and to the name of nobody, nothing happens", async () => {
      const members = await bed.read();
      const [first, second] = members;
      if (first === undefined || second === undefined) throw new Error("no member");
      const peer = sentinelOf(first).master.sentinels[0];
      if (peer === undefined) throw new Error("no peer");
      await publish(first, [peer.ip, peer.port, peer.runId, 9000, "other.group", addressOf(first).ip, REDIS_PORT, 9000]);
      const after = await bed.read();
      expect(masters(after)).toEqual(masters(members));
      expect(epochs(after)).toEqual(epochs(members));
      await expect(bed.sentinelLink(first).call(["SENTINEL", "MASTER", "other.group"], 2000)).rejects.toThrow("No such master");
    });

    test.sequential("hello: a sender that the receiver does not know becomes a ghost: why ours is always a peer from its own list", async () => {
      const [first] = await bed.read();
      if (first === undefined) throw new Error("no member");
      const { address, configEpoch } = sentinelOf(first).master;
      await publish(first, ["192.0.2.7", 26379, RIVAL, configEpoch, NAME, address.ip, address.port, configEpoch]);
      const ids = async (): Promise<string[]> => {
        const [now] = await bed.read();
        return now === undefined ? [] : sentinelOf(now).master.sentinels.map(({ runId }) => runId);
      };
      expect(await ids()).toContain(RIVAL);
      // RESET is what takes it away again (sentinels.ts, forget); the peers' own hellos bring those back.
      await bed.sentinelLink(first).call(["SENTINEL", "RESET", NAME], 2000);
      await until("the peers again", async () => (await ids()).length === 2, 10_000);
      expect(await ids()).not.toContain(RIVAL);
    });

    test.sequential("a sentinel's own failover that began after our look is seen once the votes are ours, and until it has ended", async () => {
      const members = await bed.read();
      const [, leader] = members;
      if (leader === undefined) throw new Error("no member");
      const [before] = masters(members);
      expect(await rivalElected(bed.context, members)).toBe(false);
      // NOGOODSLAVE until it has heard of both replicas since the last change.
      const command = ["SENTINEL", "FAILOVER", NAME];
      await until(
        "its failover",
        async () => (await bed.sentinelLink(leader).call(command, 2000).catch(String)) === "OK",
        15_000,
      );
      const election = await winVotes(bed.context, members, MAJORITY, Math.max(...epochs(members)) + 1);
      expect(election.won || election.electing).toBe(true);
      expect(await rivalElected(bed.context, members)).toBe(true);
      await until(
        "the end of it",
        async () => {
          const after = masters(await bed.read());
          return new Set(after).size === 1 && after[0] !== before && !(await rivalElected(bed.context, members));
        },
        15_000,
      );
    });

    test.sequential("FH: votes for one sentinel, its failover, and its candidate told on in its epoch: the others agree though it dies before it tells them", async () => {
      // As the handlers set it: NOGOODSLAVE until it has heard of both replicas since the last change.
      for (const member of await bed.read())
        await bed.sentinelLink(member).call(["SENTINEL", "DEBUG", "info-period", "1000"], 2000);
      const { sentinel, voters } = await until("its failover", async () => {
        const members = await bed.read();
        const [one, other, asked] = members;
        if (one === undefined || other === undefined || asked === undefined) throw new Error("no member");
        const epoch = Math.max(bed.news.epochHeard, ...epochs(members)) + 1;
        const action = { kind: "sentinel-failover", sentinel: asked, voters: [one, other], epoch, message: "asked" } as const;
        return (await sentinelFailover(bed.context, action)).outcome === "done" ? action : undefined;
      });
      const members = [...voters, sentinel];
      const candidate = await until("its candidate to be master", async () => {
        const ip = bed.news.hint(Date.now())?.address.ip;
        const named = members.find(({ pod }) => pod.ip === ip);
        // Its promotion closes all connections to it, ours as well.
        const role =
          named === undefined
            ? undefined
            : await bed
                .redisLink(named)
                .call(["ROLE"])
                .catch(() => undefined);
        return Array.isArray(role) && role[0] === "master" ? named : undefined;
      });
      bed.signalSentinel(sentinel, "SIGSTOP");
      const master = addressOf(candidate);
      expect(masters(members), "another one than before").not.toContain(master.ip);
      const epoch = bed.news.epochHeard;
      expect(await makeAgree(bed.context, voters, master, epoch, voters.length, 3000)).toBe(voters.length);
      bed.signalSentinel(sentinel, "SIGCONT");
      for (const member of members.filter((one) => one !== candidate)) {
        const command = ["REPLICAOF", master.ip, String(master.port)];
        await until(
          "it to follow",
          async () =>
            await bed
              .redisLink(member)
              .call(command)
              .then(
                () => true,
                () => false,
              ),
        );
      }
      // It finds its own promotion done and says the same; nobody moves on.
      const after = await until("all to agree, and nothing under way", async () => {
        const now = await bed.read();
        const up = now.every((member) => member.sentinel?.state === "up" && member.sentinel.master !== undefined);
        return up && new Set(masters(now)).size === 1 && !(await rivalElected(bed.context, now)) ? now : undefined;
      });
      expect(masters(after)).toEqual(members.map(() => master.ip));
      expect(epochs(after)).toEqual(members.map(() => epoch));
    });

    test.sequential("TILT: seen in the facts, so its word on the master does not count; votes and hellos work on as before", async () => {
      const members = await bed.read();
      const sleeper = members[2];
      if (sleeper === undefined) throw new Error("no member");
      bed.signalSentinel(sleeper, "SIGSTOP");
      // TILT begins when its timer was late by more than 2 s (SENTINEL_TILT_TRIGGER).
      await new Promise((resolve) => setTimeout(resolve, 2300));
      bed.signalSentinel(sleeper, "SIGCONT");
      const tilted = await until("TILT", async () => {
        const now = await bed.read();
        const seen = now[2]?.sentinel;
        return seen?.state === "up" && seen.tilt && seen.master !== undefined ? now : undefined;
      });
      expect(tilted.slice(0, 2).map((member) => sentinelOf(member).tilt)).toEqual([false, false]);
      const election = await winVotes(bed.context, tilted, tilted.length, 500);
      expect(election).toMatchObject({ won: true });
      const master = addressOf(tilted[0]);
      for (const member of tilted)
        await bed
          .redisLink(member)
          .call(member === tilted[0] ? ["REPLICAOF", "NO", "ONE"] : ["REPLICAOF", master.ip, String(master.port)]);
      expect(await makeAgree(bed.context, tilted, master, election.epoch, tilted.length, 3000)).toBe(tilted.length);
    });

    // With users of their own the sentinels have another password than the handlers, who don't set it.
    if (access === "passwords")
      test.sequential("a MONITOR that was cut off from its SET: the sentinel gets the password with its settings", async () => {
        const members = await bed.read();
        const [first, , last] = members;
        if (first === undefined || last === undefined) throw new Error("no member");
        const link = bed.sentinelLink(last);
        await link.call(["SENTINEL", "REMOVE", NAME]);
        await link.call(["SENTINEL", "MONITOR", NAME, addressOf(first).ip, String(REDIS_PORT), "2"]);
        // Every question is refused, and its links are never up: nothing tells it of a replica.
        const seen = async () => sentinelOf((await bed.read())[2] as MemberFact).master;
        expect(await seen()).toMatchObject({ flags: expect.arrayContaining(["disconnected"]), replicas: [] });
        const settings = { quorum: 2, downAfterMs: 60_000, failoverTimeoutMs: 10_000, parallelSyncs: 1 };
        expect(await setSentinel(bed.context, { kind: "set-sentinel", member: last, settings, periods: {} })).toEqual({
          outcome: "done",
        });
        await until(
          "a sentinel that sees the group",
          async () => {
            const master = await seen();
            return master.flags.join() === "master" && master.replicas.length === 2 && master.sentinels.length === 2;
          },
          20_000,
        );
      });

    const replicas = async () =>
      (await bed.read()).slice(1).flatMap((member) => (member.redis?.state === "up" ? { member, redis: member.redis } : []));
    const inStep = async () =>
      await until("two replicas in step", async () => {
        const now = await replicas();
        return now.length === 2 && now.every(({ redis }) => redis.linkUp && redis.offset > 1) ? now : undefined;
      });

    test.sequential("a replica in a full copy keeps its data, offset and history until it loads", async () => {
      const [first] = await bed.read();
      if (first === undefined) throw new Error("no member");
      const link = bed.redisLink(first);
      const before = await inStep();
      // A slow copy, 50 ms for each key.
      await link.call(["CONFIG", "SET", "rdb-key-save-delay", "50000", "repl-backlog-size", "16384"]);
      const writes = "for i = 1, 40 do redis.call('set', 'big:' .. i, string.rep('x', 50000)) end return 'done'";
      // Cut off, and more written than the backlog holds before they are back; one that was quicker goes on where it was, and is cut off again.
      const cutOff = async (): Promise<void> => {
        const commands = [
          ["CLIENT", "KILL", "TYPE", "replica"],
          ["EVAL", writes, "0"],
        ];
        expect((await link.all(commands, 3000))[1]).toBe("done");
      };
      await cutOff();
      const copied = new Set<string>();
      const each = async (): Promise<boolean> => {
        const now = await replicas();
        if (now.length === 2 && now.every(({ redis }) => redis.linkUp)) await cutOff();
        for (const one of now.filter(({ redis }) => redis.syncing && !redis.loading)) {
          copied.add(one.member.pod.uid);
          const known = before.find(({ member }) => member.pod.uid === one.member.pod.uid);
          expect(one.redis.offset).toBeGreaterThanOrEqual(known?.redis.offset ?? Number.POSITIVE_INFINITY);
          expect(inLine(one, known?.redis.replid ?? "")).toBe(true);
        }
        return copied.size === 2;
      };
      await until("each of them to copy", each, 20_000);
      await inStep();
    });

    // The last of the story: it leaves the group without a master.
    test.sequential("a master that was started anew and waits: INFO calls its replicas syncing, but they keep their offset and are in line", async () => {
      const before = await inStep();
      const [first] = await bed.read();
      const replid = before[0]?.redis.replid ?? "";
      if (first === undefined || replid === "") throw new Error("no master");
      // As the boot script starts it (docker/boot/config.sh).
      await bed.redisLink(first).call(["CONFIG", "SET", "replica-serve-stale-data", "no"]);
      await bed.redisLink(first).call(["REPLICAOF", "127.0.0.1", "1"]);
      await bed.redisLink(first).call(["CLIENT", "KILL", "TYPE", "replica"]);
      await until("a replica that seems to copy", async () => {
        const now = await replicas();
        for (const [at, { redis }] of now.entries()) expect(redis.offset).toBeGreaterThanOrEqual(before[at]?.redis.offset ?? 0);
        expect(now.map((one) => inLine(one, replid))).toEqual([true, true]);
        return now.some(({ redis }) => redis.syncing && !redis.linkUp);
      });
    });
  },
);
