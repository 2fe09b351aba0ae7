import { expect, test } from "vitest";
import { candidateOf, epochOf } from "../../../handlers/observe/sentinel-events.ts";

test("the candidate of a failover, and of which group", () => {
  expect(candidateOf("slave 10.0.0.2:6379 10.0.0.2 6379 @ shop.cache 10.0.0.1 6379")).toEqual({
    name: "shop.cache",
    address: { ip: "10.0.0.2", port: 6379 },
  });
  // with resolve-hostnames or IPv6 the name holds colons of its own
  expect(candidateOf("slave [fd00::2]:6379 fd00::2 6379 @ shop.cache fd00::1 6379")?.address.ip).toBe("fd00::2");
});

test.each(["", "master shop.cache 10.0.0.1 6379", "slave a 10.0.0.2 6379", "slave a 10.0.0.2 6379 @", "@ shop.cache"])(
  "no candidate: %j",
  (message) => {
    expect(candidateOf(message)).toBeUndefined();
  },
);

test.each([
  ["+new-epoch", "7", 7],
  ["+vote-for-leader", "3b1f00 12", 12],
  ["+new-epoch", "x", undefined],
  ["+vote-for-leader", "3b1f00", undefined],
  ["+sdown", "master shop.cache 10.0.0.1 6379", undefined],
])("%s %j speaks of epoch %s", (channel, message, epoch) => {
  expect(epochOf({ channel, message })).toBe(epoch);
});
