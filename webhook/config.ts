/** What an installation decides about the parts that are injected: flags of the server, each also an environment variable. */
import { Option } from "commander";
import { asObject, type JsonObject } from "./json.ts";

export interface InjectConfig {
  /** version of redis-ha, written into the status annotation */
  readonly version: string;
  readonly bootImage: string;
  readonly bootImagePullPolicy: PullPolicy;
  /** Secrets of the pods' namespaces with which the boot image is pulled */
  readonly bootPullSecrets: readonly string[];
  readonly bootResources: JsonObject;
  readonly sentinelResources: JsonObject;
  /** who runs the sentinel beside a server where neither pod nor container says it; undefined: the platform decides (OpenShift) */
  readonly sentinelUser: number | undefined;
}

export type PullPolicy = "Always" | "IfNotPresent" | "Never";

/** Requests, so that a ResourceQuota is satisfied; no CPU limit, since a throttled sentinel stalls, and a stall of 2 s is TILT: 30 s of doing nothing. */
export const DEFAULT_SENTINEL_RESOURCES: JsonObject = { requests: { cpu: "20m", memory: "32Mi" }, limits: { memory: "128Mi" } };
export const DEFAULT_BOOT_RESOURCES: JsonObject = { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "64Mi" } };

/** The user `redis` of the official images (Debian flavours; under Alpine any number works too, for the sentinel's directory is open to all). */
export const DEFAULT_SENTINEL_USER = 999;

/** What the options of injectOptions() parse to. */
export interface InjectFlags {
  readonly bootImage?: string;
  readonly bootImagePullPolicy?: PullPolicy;
  readonly bootPullSecrets?: readonly string[];
  readonly bootResources?: JsonObject;
  readonly sentinelResources?: JsonObject;
  readonly sentinelUser?: number | "platform";
}

/** The options for commander; the server's command adds each with addOption(). */
export function injectOptions(): Option[] {
  return [
    new Option("--boot-image <image>", "image of the injected init container").env("REDIS_HA_BOOT_IMAGE"),
    new Option("--boot-image-pull-policy <policy>", "its pull policy")
      .env("REDIS_HA_BOOT_IMAGE_PULL_POLICY")
      .choices(["Always", "IfNotPresent", "Never"]),
    new Option("--boot-pull-secrets <names>", "comma-separated pull Secrets added to injected pods")
      .env("REDIS_HA_BOOT_PULL_SECRETS")
      .argParser(names),
    new Option("--boot-resources <json>", "resources of the injected init container")
      .env("REDIS_HA_BOOT_RESOURCES")
      .argParser(resources),
    new Option("--sentinel-resources <json>", "resources of the injected sentinel")
      .env("REDIS_HA_SENTINEL_RESOURCES")
      .argParser(resources),
    new Option(
      "--sentinel-user <uid>",
      "numeric user of the injected sentinel where the pod names none, or 'platform' (OpenShift)",
    )
      .env("REDIS_HA_SENTINEL_USER")
      .argParser(user),
  ];
}

/** @example injectConfig("0.1.0", command.opts()) */
export function injectConfig(version: string, flags: InjectFlags = {}): InjectConfig {
  return {
    version,
    bootImage: flags.bootImage ?? `redis-ha-boot:${version}`,
    bootImagePullPolicy: flags.bootImagePullPolicy ?? "IfNotPresent",
    bootPullSecrets: flags.bootPullSecrets ?? [],
    bootResources: flags.bootResources ?? DEFAULT_BOOT_RESOURCES,
    sentinelResources: flags.sentinelResources ?? DEFAULT_SENTINEL_RESOURCES,
    sentinelUser: flags.sentinelUser === "platform" ? undefined : (flags.sentinelUser ?? DEFAULT_SENTINEL_USER),
  };
}

function names(text: string): string[] {
  return text.split(",").flatMap((name) => name.trim() || []);
}

function resources(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const object = asObject(value);
  const known = object !== undefined && Object.keys(object).every((key) => ["requests", "limits", "claims"].includes(key));
  if (!known)
    throw new Error(`${JSON.stringify(text)} is not allowed; use JSON such as {"requests":{"cpu":"20m","memory":"32Mi"}}`);
  return object;
}

function user(text: string): number | "platform" {
  if (text === "platform") return text;
  if (!/^[1-9][0-9]{0,9}$/.test(text))
    throw new Error(`${JSON.stringify(text)} is not allowed; use a user number above 0, or platform`);
  return Number(text);
}
