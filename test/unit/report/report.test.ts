import { describe, expect, test } from "vitest";
import type { EventInput } from "../../../kube/events.ts";
import { createLog } from "../../../report/log.ts";
import { createMetrics } from "../../../report/metrics.ts";
import { createReporter } from "../../../report/report.ts";

function setup() {
  const lines: Record<string, unknown>[] = [];
  const { log } = createLog({ stream: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  const metrics = createMetrics();
  const events: EventInput[] = [];
  const reporter = createReporter({
    log,
    metrics,
    events: { record: (event) => void events.push(event), flush: async () => undefined },
  });
  return { lines, log, metrics, events, reporter };
}

describe("createReporter", () => {
  test("one occurrence: one line, one count, one Event for each object, one word", async () => {
    const { lines, metrics, events, reporter } = setup();
    const pod = { apiVersion: "v1", kind: "Pod", namespace: "ns", name: "a", uid: "1" };
    const service = { apiVersion: "v1", kind: "Service", namespace: "ns", name: "cache-master", uid: "2" };
    reporter.report({
      reason: "FailedOver",
      message: "a is master",
      namespace: "ns",
      cluster: "cache",
      involved: [pod, service],
      fields: { epoch: 7 },
    });
    expect(lines).toMatchObject([
      { level: "info", reason: "FailedOver", message: "a is master", namespace: "ns", cluster: "cache", epoch: 7 },
    ]);
    expect(events.map((event) => [event.involved.name, event.reason, event.type])).toEqual([
      ["a", "FailedOver", "Normal"],
      ["cache-master", "FailedOver", "Normal"],
    ]);
    expect(await metrics.registry.getSingleMetricAsString("redis_ha_events_total")).toContain(
      'redis_ha_events_total{reason="FailedOver"} 1',
    );
  });

  test("what needs a person is an error, what warns is a warning", () => {
    const { lines, events, reporter } = setup();
    const involved = [{ apiVersion: "v1", kind: "Pod", namespace: "ns", name: "a" }];
    reporter.report({ reason: "HaltedDataMissing", message: "x", involved });
    reporter.report({ reason: "QuorumLost", message: "x", involved });
    expect(lines.map((line) => line.level)).toEqual(["error", "warn"]);
    expect(events.map((event) => event.type)).toEqual(["Warning", "Warning"]);
  });
});

describe("createLog", () => {
  test("secrets do not reach the log, also not through an error of ioredis", () => {
    const { lines, log } = setup();
    const error = Object.assign(new Error("WRONGPASS"), { command: { name: "auth", args: ["hunter2"] } });
    log.info({ password: "hunter2", settings: { auth: "hunter2", deep: { masterauth: "hunter2" } }, err: error }, "connecting");
    expect(JSON.stringify(lines)).not.toContain("hunter2");
    expect(lines).toMatchObject([{ message: "connecting", err: { message: "WRONGPASS" } }]);
  });
});

describe("createMetrics", () => {
  test("every name has our prefix, a help text and a unit that Prometheus knows", async () => {
    const { registry } = createMetrics();
    for (const metric of await registry.getMetricsAsJSON()) {
      expect(metric.name).toMatch(/^redis_ha_[a-z_]+$/);
      expect(metric.help.length).toBeGreaterThan(10);
      if (String(metric.type) === "counter") expect(metric.name).toMatch(/_total$/);
      if (String(metric.type) === "histogram") expect(metric.name).toMatch(/_seconds$/);
    }
  });

  test("two registries do not share state", async () => {
    const [one, two] = [createMetrics(), createMetrics()];
    one.events.inc({ reason: "FailedOver" });
    expect(await two.registry.metrics()).not.toContain('reason="FailedOver"');
  });

  test("a change of master and lost writes are counted for their group", async () => {
    const { metrics, reporter } = setup();
    const group = { namespace: "ns", cluster: "cache" };
    reporter.report({ reason: "HandedOver", message: "a is master", ...group });
    reporter.report({ reason: "ReplicaAttached", message: "b follows", ...group });
    reporter.report({ reason: "WritesLost", message: "12 bytes", ...group, fields: { lostBytes: 12 } });
    expect((await metrics.masterChanges.get()).values).toEqual([
      { labels: { namespace: "ns", group: "cache", reason: "HandedOver" }, value: 1 },
    ]);
    expect((await metrics.lostBytes.get()).values).toEqual([{ labels: { namespace: "ns", group: "cache" }, value: 12 }]);
  });
});
