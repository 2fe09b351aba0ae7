/**
 * The Kubernetes objects as they come over the wire. client-node's V1* types promise Date objects, which only its own deserializer makes;
 * we read plain JSON, where times are strings.
 */

import type * as k8s from "@kubernetes/client-node";

/** T with every Date replaced by its JSON form. */
export type Raw<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Raw<Item>[]
    : T extends object
      ? { [Key in keyof T]: Raw<T[Key]> }
      : T;

export type Pod = Raw<k8s.V1Pod>;
export type Service = Raw<k8s.V1Service>;
export type EndpointSlice = Raw<k8s.V1EndpointSlice>;
export type Secret = Raw<k8s.V1Secret>;
export type NetworkPolicy = Raw<k8s.V1NetworkPolicy>;
export type PodDisruptionBudget = Raw<k8s.V1PodDisruptionBudget>;
export type Node = Raw<k8s.V1Node>;
export type Lease = Raw<k8s.V1Lease>;
export type Deployment = Raw<k8s.V1Deployment>;
export type StatefulSet = Raw<k8s.V1StatefulSet>;
export type ReplicaSet = Raw<k8s.V1ReplicaSet>;
export type PersistentVolumeClaim = Raw<k8s.V1PersistentVolumeClaim>;
export type CoreEvent = Raw<k8s.CoreV1Event>;
export type MutatingWebhookConfiguration = Raw<k8s.V1MutatingWebhookConfiguration>;
export type ObjectMeta = Raw<k8s.V1ObjectMeta>;

/** What every object has, as far as this folder needs it; client-node's V1* types fit too. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string; namespace?: string; uid?: string; resourceVersion?: string; managedFields?: unknown[] };
}

export interface KubeList<T> {
  metadata?: { resourceVersion?: string; continue?: string };
  items: T[];
}

/** What an Event is about. */
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  /** Absent for objects of the whole cluster. */
  namespace?: string;
  name: string;
  uid?: string;
}

/** One RFC 6902 operation. */
export type PatchOperation =
  | { op: "add" | "replace" | "test"; path: string; value: unknown }
  | { op: "remove"; path: string }
  | { op: "move" | "copy"; from: string; path: string };

/** "namespace/name", or "/name" for objects of the whole cluster: the key of watched objects. */
export const keyOf = (object: KubeObject): string => `${object.metadata?.namespace ?? ""}/${object.metadata?.name ?? ""}`;
