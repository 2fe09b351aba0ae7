/** When a former master's clients are cut: never before the Service leads elsewhere, and again for those that a slow proxy still let through. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { ActContext } from "../../../handlers/act/context.ts";
import { letGo, untilRouted } from "../../../handlers/act/cut.ts";
import type { Link } from "../../../handlers/observe/link.ts";
import { EndpointsView } from "../../../handlers/watch/endpoints.ts";
import type { Kube } from "../../../kube/client.ts";
import type { EndpointSlice } from "../../../kube/types.ts";
import { silentLog } from "../../../report/log.ts";
import { expand } from "../../scenarios/expand.ts";

const OLD = "10.0.0.1";
const NEW = "10.0.0.2";
const sliceOf = (...addresses: string[]): EndpointSlice => ({
  addressType: "IPv4",
  metadata: { name: "s" },
  endpoints: [{ addresses }],
});

/** A server that notes what it is told; its role, and what the watch and the API server say, can be changed. */
class Bench {
  role = "slave";
  readonly told: string[] = [];
  watched: EndpointSlice[] = [sliceOf(OLD)];
  asked: EndpointSlice[] = [sliceOf(OLD)];
  readonly view = new EndpointsView(() => this.watched);
  readonly startedAt = performance.now();

  readonly link = {
    state: "up",
    call: (command: readonly string[]) => {
      if (command[0] === "ROLE") return Promise.resolve([this.role]);
      this.told.push(`${this.now()} ${command.slice(0, 2).join(" ")}`);
      return Promise.resolve("OK");
    },
    all: () => {
      this.told.push(`${this.now()} CLIENT KILL`);
      return Promise.resolve([3, 0]);
    },
  } as unknown as Link;

  readonly context: ActContext = {
    kube: { list: () => Promise.resolve({ items: this.asked }) } as unknown as Kube,
    group: { namespace: "n", cluster: "cache" },
    links: undefined as never,
    log: silentLog(),
    endpoints: this.view,
    leading: () => true,
    say: () => undefined,
    recordTimeline: () => undefined,
    learnService: () => undefined,
    background: () => undefined,
    facts: expand({ redis: { a: "replica b 1000", b: "master 1000" }, service: { selects: "b" } }),
  };

  now(): number {
    return Math.round(performance.now() - this.startedAt);
  }

  /** The Service moves, and the watch tells. */
  move(): void {
    this.watched = [sliceOf(NEW)];
    this.asked = this.watched;
    this.view.changed();
  }

  kills(): number[] {
    return this.told.filter((line) => line.endsWith("KILL")).map((line) => Number(line.split(" ")[0]));
  }
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] }));
afterEach(() => void vi.useRealTimers());

/** timers/promises is not faked by itself. */
vi.mock("node:timers/promises", () => ({
  setTimeout: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
}));

const former = (bench: Bench, returned = false) => ({ link: bench.link, from: OLD, to: NEW, returned });

test("cut now, four times within 400 ms, then writes are held back no longer; and again when every proxy has followed", async () => {
  const bench = new Bench();
  void letGo(bench.context, former(bench), true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(bench.told).toEqual([
    "0 CLIENT KILL",
    "60 CLIENT KILL",
    "150 CLIENT KILL",
    "400 CLIENT KILL",
    "400 CLIENT UNPAUSE",
    "1300 CLIENT KILL",
    "2800 CLIENT KILL",
  ]);
});

test("one that came back is asked again and again: its own node's proxy may hear late", async () => {
  const bench = new Bench();
  void letGo(bench.context, former(bench, true), true);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(bench.kills()).toEqual([0, 60, 150, 400, 1300, 2300, 4300, 8300, 16_300, 32_300, 64_300]);
});

test("not before the Service has moved, but held back no longer either", async () => {
  const bench = new Bench();
  void letGo(bench.context, former(bench), false);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(bench.told).toEqual(["0 CLIENT UNPAUSE"]);
  bench.move();
  await vi.advanceTimersByTimeAsync(5000);
  expect(bench.kills()[0]).toBe(20_030);
});

test("a master's clients are never cut, also if it became one in between", async () => {
  const bench = new Bench();
  bench.role = "master";
  void letGo(bench.context, former(bench), true);
  await vi.advanceTimersByTimeAsync(5000);
  expect(bench.kills()).toEqual([]);
  bench.role = "slave";
  void letGo(bench.context, former(bench), true);
  await vi.advanceTimersByTimeAsync(100);
  bench.role = "master";
  await vi.advanceTimersByTimeAsync(5000);
  expect(bench.kills()).toHaveLength(2);
});

test("routed as soon as the watch tells, and the proxies' lag", async () => {
  const bench = new Bench();
  const moved = untilRouted(bench.context, NEW, OLD);
  await vi.advanceTimersByTimeAsync(100);
  bench.move();
  await vi.advanceTimersByTimeAsync(30);
  expect(await moved).toBe(true);
});

test("a watch that tells nothing: the API server is asked", async () => {
  const bench = new Bench();
  const moved = untilRouted(bench.context, NEW, OLD);
  bench.asked = [sliceOf(NEW)];
  await vi.advanceTimersByTimeAsync(1030);
  expect(await moved).toBe(true);
});

test("not moved in time", async () => {
  const bench = new Bench();
  const moved = untilRouted(bench.context, NEW, OLD);
  await vi.advanceTimersByTimeAsync(3000);
  expect(await moved).toBe(false);
});
