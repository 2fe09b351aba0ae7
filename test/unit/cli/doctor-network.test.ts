import { describe, expect, test } from "vitest";
import { blocking, blockingEgress, type End, type NetworkPolicy } from "../../../cli/doctor/network.ts";
import { selects } from "../../../kube/selector.ts";

describe("NetworkPolicies", () => {
  const handlers: End = { namespace: "sys", namespaceLabels: { name: "sys" }, labels: { app: "redis-ha" } };
  const pod: End = { namespace: "shop", namespaceLabels: { name: "shop" }, labels: { app: "cache" } };
  const policy = (spec: NetworkPolicy["spec"], namespace = "shop"): NetworkPolicy => ({
    metadata: { name: "p", namespace },
    spec: { podSelector: {}, ...spec },
  });
  const open = (policies: NetworkPolicy[], from = handlers, port = 6379): boolean =>
    blocking(policies, from, pod, port).length === 0;

  test("none, or one that selects other pods, or of another namespace, keeps nobody away", () => {
    expect(open([])).toBe(true);
    expect(open([policy({ podSelector: { matchLabels: { app: "web" } }, ingress: [] })])).toBe(true);
    expect(open([policy({ ingress: [] }, "other")])).toBe(true);
  });

  test("they add up: one that allows is enough", () => {
    const deny = policy({ ingress: [] });
    const allow = policy({
      ingress: [{ from: [{ namespaceSelector: { matchLabels: { name: "sys" } } }], ports: [{ port: 6379 }] }],
    });
    expect(open([deny])).toBe(false);
    expect(open([deny, allow])).toBe(true);
    expect(open([deny, allow], handlers, 26379)).toBe(false);
    expect(open([deny, allow], pod)).toBe(false);
  });

  test("a podSelector alone means the policy's own namespace", () => {
    const own = policy({ ingress: [{ from: [{ podSelector: {} }] }] });
    expect(open([own], pod)).toBe(true);
    expect(open([own], handlers)).toBe(false);
  });

  test("ranges of ports, names of ports and address blocks", () => {
    expect(open([policy({ ingress: [{ ports: [{ port: 6000, endPort: 7000 }] }] })])).toBe(true);
    expect(open([policy({ ingress: [{ ports: [{ port: "redis" }] }] })])).toBe(true);
    expect(open([policy({ ingress: [{ ports: [{ port: 6379, protocol: "UDP" }] }] })])).toBe(false);
    expect(open([policy({ ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }] })])).toBe(true);
  });

  test("egress is only limited where a policy says so", () => {
    expect(blockingEgress([policy({ ingress: [] }, "sys")], handlers, pod, 6379)).toEqual([]);
    expect(
      blockingEgress(
        [policy({ policyTypes: ["Egress"], egress: [{ to: [{ namespaceSelector: { matchLabels: { name: "db" } } }] }] }, "sys")],
        handlers,
        pod,
        6379,
      ),
    ).toEqual(["p"]);
  });

  test.each([
    [{ key: "app", operator: "In", values: ["cache", "web"] }, true],
    [{ key: "app", operator: "NotIn", values: ["cache"] }, false],
    [{ key: "app", operator: "Exists" }, true],
    [{ key: "tier", operator: "DoesNotExist" }, true],
  ])("expression %j", (expression, expected) => {
    expect(selects({ matchExpressions: [expression] }, { app: "cache" })).toBe(expected);
  });
});
