/** Whether NetworkPolicies let one pod reach a port of another: the rules of networking.k8s.io/v1, for pod and namespace selectors. Pure. */

import { type Labels, type Selector, selects } from "../../kube/selector.ts";

interface Peer {
  readonly podSelector?: Selector;
  readonly namespaceSelector?: Selector;
  readonly ipBlock?: object;
}

interface Port {
  readonly port?: number | string;
  readonly endPort?: number;
  readonly protocol?: string;
}

interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports?: readonly Port[];
}

export interface NetworkPolicy {
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
  readonly spec?: {
    readonly podSelector?: Selector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly Rule[];
    readonly egress?: readonly Rule[];
  };
}

/** One end of a connection. */
export interface End {
  readonly namespace: string;
  readonly namespaceLabels: Labels;
  readonly labels: Labels;
}

/** @returns the policies that keep `from` away from `port` of `to` on the side of `to`; empty when it may connect */
export function blocking(policies: readonly NetworkPolicy[], from: End, to: End, port: number): string[] {
  return blocked(policies, "Ingress", to, from, port);
}

/** The same on the side of `from`. */
export function blockingEgress(policies: readonly NetworkPolicy[], from: End, to: End, port: number): string[] {
  return blocked(policies, "Egress", from, to, port);
}

/** Policies add up: one that allows is enough, and without any that selects the pod everything is allowed. */
function blocked(policies: readonly NetworkPolicy[], type: "Ingress" | "Egress", pod: End, peer: End, port: number): string[] {
  const own = policies.filter(
    ({ metadata, spec }) =>
      metadata?.namespace === pod.namespace && typesOf(spec).includes(type) && selects(spec?.podSelector, pod.labels),
  );
  const allows = (policy: NetworkPolicy): boolean =>
    ((type === "Ingress" ? policy.spec?.ingress : policy.spec?.egress) ?? []).some(
      (rule) =>
        (rule.ports === undefined || rule.ports.length === 0 || rule.ports.some((one) => covers(one, port))) &&
        hasPeer(rule, peer, pod),
    );
  return own.length === 0 || own.some(allows) ? [] : own.map(({ metadata }) => metadata?.name ?? "?");
}

function typesOf(spec: NetworkPolicy["spec"]): readonly string[] {
  return spec?.policyTypes ?? ["Ingress", ...(spec?.egress === undefined ? [] : ["Egress"])];
}

/** A port by name can't be told from here: it counts as the one that is meant. */
function covers({ port, endPort, protocol = "TCP" }: Port, wanted: number): boolean {
  if (protocol !== "TCP") return false;
  if (typeof port !== "number") return true;
  return wanted >= port && wanted <= (endPort ?? port);
}

/** An address block can't be told from here either: it counts as allowing. */
function hasPeer(rule: Rule, peer: End, pod: End): boolean {
  const peers = rule.from ?? rule.to;
  if (peers === undefined || peers.length === 0) return true;
  return peers.some(({ podSelector, namespaceSelector, ipBlock }) => {
    if (ipBlock !== undefined) return true;
    const there =
      namespaceSelector === undefined ? peer.namespace === pod.namespace : selects(namespaceSelector, peer.namespaceLabels);
    return there && selects(podSelector, peer.labels);
  });
}
