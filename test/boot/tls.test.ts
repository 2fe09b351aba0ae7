/** Groups with TLS: the scripts, the servers and the sentinels speak nothing else, and take up a renewed certificate, also one of another CA. */
import { mkdir, mkdtemp, rename, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { beforeAll, expect, test } from "vitest";
import { issueLeaf, makeAuthority } from "../../certs/authority.ts";
import { SENTINEL_PORT, TLS_FILES } from "../../model/names.ts";
import { type ServerBinary, serverBinaries } from "../servers/install.ts";
import { serverBinary } from "../servers/supported.ts";
import { Bed, PASSWORD } from "./bed.ts";
import { GROUP, type Pod } from "./pod.ts";
import { until } from "./wait.ts";

const NAME = "cache-master.default.svc";
const HOUR_MS = 3_600_000;
/** Four turns of a sentinel's restart, as short as they can be. */
const TURN = { REDIS_HA_TURN_S: "5" };

let servers: readonly ServerBinary[] = [];
beforeAll(async () => {
  servers = await serverBinaries();
});

/** A new CA and what it signed, in a folder that all pods see. The files change all at once, as the kubelet does it: by a link. */
async function renew(bed: Bed, link: string, lifeMs = HOUR_MS): Promise<void> {
  const authority = await makeAuthority(HOUR_MS, Date.now());
  // For servers only, as public CAs issue them: replicas and sentinels must not need more.
  const leaf = await issueLeaf(authority, [NAME], lifeMs, Date.now());
  const folder = await mkdtemp(`${link}-`);
  await writeFile(join(folder, TLS_FILES.certificate), leaf.cert);
  await writeFile(join(folder, TLS_FILES.key), leaf.key);
  await writeFile(join(folder, TLS_FILES.authority), authority.cert);
  await symlink(folder, `${link}.new`);
  await rename(`${link}.new`, link);
  bed.tls = { folder: link, name: NAME, authority: authority.cert };
}

/** Whether a server shows a certificate that the newest CA has signed. */
function isNew(pod: Pod, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connectTls({ host: pod.ip, port, ca: pod.bed.tls?.authority, servername: NAME });
    const end = (verdict: boolean): void => {
      socket.destroy();
      resolve(verdict);
    };
    socket.once("secureConnect", () => end(true));
    socket.once("error", () => end(false));
  });
}

/** What a client without TLS gets for a PING: nothing. */
function bare(ip: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: ip, port }, () => socket.write("PING\r\n"));
    let text = "";
    socket.on("data", (chunk) => {
      text += String(chunk);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
    socket.setTimeout(2000, () => socket.destroy());
  });
}

async function calm(pods: readonly Pod[], master: Pod): Promise<void> {
  for (const pod of pods) {
    await until(`the sentinel ${pod.ip} to see all`, async () => {
      const known = await pod.monitored();
      return (
        known.ip === master.ip && known.flags === "master" && known["num-other-sentinels"] === "2" && known["num-slaves"] === "2"
      );
    });
    if (pod !== master)
      await until(`the link of ${pod.ip}`, async () => (await pod.role()) === `slave ${master.ip} 6379 connected`);
  }
}

test.concurrent.each([
  ["redis", "7.0"],
  ["redis", "8.0"],
  ["valkey", "8."],
  ["valkey", "9."],
] as const)(
  "%s %s: replication, sentinels, a renewed certificate of another CA, and a hand-over",
  async (name, version) => {
    const bed = await Bed.make(await serverBinary(`${name} ${version}`), name === "valkey" ? "ash" : "dash");
    try {
      const pods = [await bed.pod("0"), await bed.pod("1"), await bed.pod("2")] as const;
      const [first, second, third] = pods;
      await renew(bed, join(first.home, "certificates"));
      await bed.publish(pods);
      for (const pod of pods) {
        pod.startSentinel(TURN);
        pod.startRedis([]);
      }
      for (const pod of pods) expect(await pod.up()).toMatch(/^slave .* 6378 connect/);
      await first.call("replicaof", "no", "one");
      for (const pod of [second, third]) await pod.call("replicaof", first.ip, "6379");
      for (const pod of pods) {
        expect(await pod.callSentinel("sentinel", "monitor", GROUP, first.ip, "6379", "2")).toEqual(["OK"]);
        expect(await pod.callSentinel("sentinel", "set", GROUP, "auth-pass", PASSWORD)).toEqual(["OK"]);
      }
      await calm(pods, first);
      expect(await bare(first.ip, 6379)).not.toContain("PONG");
      expect(await bare(first.ip, SENTINEL_PORT)).not.toContain("PONG");

      await renew(bed, join(first.home, "certificates"));
      for (const pod of pods) await until(`the new certificate of ${pod.ip}`, () => isNew(pod, 6379), 20_000);
      let left: Pod[] = [...pods];
      while (left.length > 0) {
        const ended = await until(
          "a sentinel to end",
          async () => left.find(({ sentinel }) => sentinel.code !== undefined),
          30_000,
        );
        expect(
          left.filter(({ sentinel }) => sentinel.code !== undefined),
          "one at a time",
        ).toEqual([ended]);
        // as the kubelet does
        ended.startSentinel(TURN);
        await until(`the new certificate of the sentinel ${ended.ip}`, () => isNew(ended, SENTINEL_PORT));
        left = left.filter((pod) => pod !== ended);
      }
      await calm(pods, first);
      expect((await first.monitored())["config-epoch"], "nobody was failed over").toBe("0");

      await first.seesElectable();
      await first.call("set", "key", "value");
      const { code, log } = await first.preStop({ REDIS_HA_PRESTOP_HANDLERS_S: "0" });
      expect(code, log).toBe(0);
      expect(await first.role()).toMatch(/^slave /);
      const master = (await second.role()) === "master" ? second : third;
      expect(await master.call("get", "key")).toEqual(["value"]);
    } finally {
      await bed.close();
    }
  },
  150_000,
);

test("a certificate that has ended, and is renewed late, is taken up all the same", async () => {
  const [binary] = servers;
  if (binary === undefined) throw new Error("no server");
  const bed = await Bed.make(binary);
  try {
    const pod = await bed.pod("0");
    await renew(bed, join(pod.home, "certificates"), 8000);
    pod.startSentinel(TURN);
    pod.startRedis([]);
    await pod.up();
    await until("its end", async () => !(await isNew(pod, 6379)), 20_000);
    await renew(bed, join(pod.home, "certificates"));
    await until("the new certificate of the server", () => isNew(pod, 6379), 20_000);
    await until("the sentinel to end", async () => pod.sentinel.code !== undefined, 30_000);
  } finally {
    await bed.close();
  }
}, 90_000);

test("what is missing is said, and nothing is started", async () => {
  const [binary] = servers;
  if (binary === undefined) throw new Error("no server");
  const bed = await Bed.make(binary);
  try {
    const pod = await bed.pod("0");
    const folder = join(pod.home, "certificates");
    await mkdir(folder);
    await writeFile(join(folder, TLS_FILES.certificate), "");
    bed.tls = { folder, name: NAME, authority: "" };
    pod.startRedis([]);
    pod.startSentinel();
    expect(await pod.redis.ended).toBe(1);
    expect(await pod.sentinel.ended).toBe(1);
    for (const running of [pod.redis, pod.sentinel])
      expect(await running.log()).toContain(
        `cannot read ${folder}/tls.key as user 0: does the Secret of the annotation redis-ha.io/tls have the key tls.key?`,
      );
  } finally {
    await bed.close();
  }
});
