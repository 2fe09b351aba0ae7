import fc from "fast-check";
import { expect, test } from "vitest";
import { asRecord, serviceFact } from "../../../handlers/watch/service-fact.ts";
import type { Service } from "../../../kube/types.ts";

const RECORD = {
  pod: "a",
  uid: "u",
  instance: "i",
  ip: "10.0.0.1",
  epoch: 7,
  since: "2026-01-01T00:00:00Z",
  reason: "FailedOver",
};

function service(annotations: Record<string, string>): Service {
  return {
    metadata: { name: "cache-master", uid: "s", resourceVersion: "12", annotations },
    spec: { selector: { "redis-ha.io/instance": "i" } },
  };
}

test("what the master Service remembers", () => {
  const older = { ...RECORD, pod: "b", epoch: 6, volume: "data-0", replid: "h" };
  const fact = serviceFact(
    service({
      "redis-ha.io/master": JSON.stringify(RECORD),
      "redis-ha.io/history": JSON.stringify([older, { pod: "half" }]),
      "redis-ha.io/halted": "HaltedDataMissing: x",
      "redis-ha.io/handover": "b",
      "redis-ha.io/original-selector": '{"app":"cache","n":7}',
    }),
  );
  expect(fact).toEqual({
    name: "cache-master",
    uid: "s",
    resourceVersion: "12",
    type: "ClusterIP",
    selector: { "redis-ha.io/instance": "i" },
    record: RECORD,
    history: [older],
    originalSelector: { app: "cache" },
    halted: "HaltedDataMissing: x",
    requests: { handover: "b" },
  });
});

test("a new one remembers nothing", () => {
  const fact = serviceFact({ metadata: { name: "cache-master", uid: "s", resourceVersion: "1" } });
  expect(fact).toMatchObject({ selector: {}, record: undefined, history: [], halted: undefined, requests: {} });
});

test.each(["", "{", "null", "[]", "7", '"text"', "{}", JSON.stringify({ ...RECORD, epoch: "7" })])(
  "a record that reads %j counts as absent",
  (text) => {
    expect(serviceFact(service({ "redis-ha.io/master": text, "redis-ha.io/history": text }))).toMatchObject({
      record: undefined,
      history: [],
    });
  },
);

test("nothing that a person writes is an exception, and each record is whole", () => {
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.record({ pod: fc.anything(), uid: fc.anything(), epoch: fc.anything() })), (value) => {
      const record = asRecord(value);
      if (record !== undefined) expect(typeof record.epoch).toBe("number");
    }),
  );
});
