/** What a group tells people, and who of the replicas writes it as an Event. */
import { expect, test } from "vitest";
import type { GroupOptions } from "../../../handlers/group/source.ts";
import { GroupVoice } from "../../../handlers/group/voice.ts";
import { REASON } from "../../../model/reasons.ts";
import type { Occurrence } from "../../../report/report.ts";

const SERVICE = { apiVersion: "v1", kind: "Service", name: "cache-master" };
const HALTED = { reason: REASON.HaltedDataMissing, message: "nobody has data" };
const WAITING = { reason: REASON.WaitingForPods, message: "no redis answers yet" };

function voice() {
  const said: Occurrence[] = [];
  let leading = false;
  const source = { leading: () => leading, involved: () => [SERVICE] };
  const options = {
    group: { namespace: "shop", cluster: "cache" },
    source,
    reporter: { report: (one: Occurrence) => said.push(one) },
  };
  const own = new GroupVoice(options as unknown as GroupOptions);
  const lead = (): void => {
    leading = true;
  };
  return { own, lead, said, events: () => said.flatMap(({ reason, involved = [] }) => (involved.length > 0 ? [reason] : [])) };
}

test("a warning that was told before anybody led becomes an Event once somebody does; once", () => {
  const { own, lead, said, events } = voice();
  own.tell([HALTED, WAITING]);
  own.tell([HALTED, WAITING]);
  expect(events()).toEqual([]);
  lead();
  own.tell([HALTED, WAITING]);
  own.tell([HALTED, WAITING]);
  expect(events()).toEqual([HALTED.reason]);
  expect(said.map(({ reason }) => reason)).toEqual([HALTED.reason, WAITING.reason, HALTED.reason]);
});

test("a notice is told once, again with another text, and again when it was gone", () => {
  const { own, lead, said } = voice();
  lead();
  for (const notices of [[HALTED], [HALTED], [{ ...HALTED, message: "other" }], [], [HALTED]]) own.tell(notices);
  expect(said.map(({ message }) => message)).toEqual(["nobody has data", "other", "nobody has data"]);
});

test("of two notices with one reason the last one counts, and is told once", () => {
  const { own, lead, said } = voice();
  lead();
  const two = [HALTED, { ...HALTED, message: "other" }];
  own.tell(two);
  own.tell(two);
  expect(said.map(({ message }) => message)).toEqual(["other"]);
});

test("conditions of several subjects do not drive each other out, and end one by one", () => {
  const { own, lead, said } = voice();
  lead();
  const wrong = (name: string) =>
    own.stands({ reason: REASON.GroupCertificateUnusable, message: `Secret ${name} is wrong` }, name);
  wrong("a");
  wrong("b");
  own.tell([]);
  wrong("a");
  wrong("b");
  expect(said).toHaveLength(2);
  own.over(REASON.GroupCertificateUnusable, "a");
  wrong("a");
  wrong("b");
  expect(said.map(({ message }) => message)).toEqual(["Secret a is wrong", "Secret b is wrong", "Secret a is wrong"]);
});

test("a replica that does not lead writes an Event of what it has done, and of no more", () => {
  const { own, said, events } = voice();
  own.tell([REASON.MasterDead, REASON.MasterRouted, REASON.SelectorRepaired].map((reason) => ({ reason, message: "x" })));
  expect(events(), "notices").toEqual([REASON.MasterRouted, REASON.SelectorRepaired]);
  own.say(REASON.FailedOver, "x");
  own.say(REASON.ConnectionsCut, "x");
  expect(events(), "acts").toEqual([REASON.MasterRouted, REASON.SelectorRepaired, REASON.FailedOver]);
  expect(said, "all are counted and in the log").toHaveLength(5);
});
