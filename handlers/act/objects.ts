/** The objects of a group that we make when they are missing: the password Secret and three Services. Never changes one that is there. */
import { randomBytes } from "node:crypto";
import type { Kube } from "../../kube/client.ts";
import { isConflict, isNotFound } from "../../kube/error.ts";
import { PATH } from "../../kube/paths.ts";
import type { Secret, Service } from "../../kube/types.ts";
import type { GroupId } from "../../model/facts.ts";
import {
  LABEL,
  MANAGED_BY,
  MARK,
  masterServiceName,
  replicasServiceName,
  SECRET_KEY,
  SENTINEL_PORT,
  secretName,
  sentinelServiceName,
} from "../../model/names.ts";
import type { GroupSettings } from "../../model/settings.ts";

const labelsOf = (group: GroupId) => ({ [LABEL.cluster]: group.cluster, [LABEL.managedBy]: MANAGED_BY });

export interface SecretPlace {
  readonly name: string;
  readonly key: string;
}

/** Where a group's password is kept; undefined with auth: none. */
export function secretOf(group: GroupId, { auth }: GroupSettings): SecretPlace | undefined {
  if (auth.kind === "none") return undefined;
  return auth.kind === "secret" ? { name: auth.name, key: auth.key } : { name: secretName(group.cluster), key: SECRET_KEY };
}

/** The Secret is there, without the key. */
export class NoSuchKey extends Error {
  override readonly name = "NoSuchKey";
}

/** The password of the Secret; undefined where there is no such Secret. Throws NoSuchKey when it has no such key, or as the API server does. */
export async function readPassword(kube: Kube, group: GroupId, { name, key }: SecretPlace): Promise<string | undefined> {
  const secret = await kube.get<Secret>(PATH.secrets(group.namespace, name)).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (secret === undefined) return undefined;
  const value = secret.data?.[key];
  if (value === undefined) throw new NoSuchKey(`Secret ${group.namespace}/${name} has no key ${key}`);
  return Buffer.from(value, "base64").toString("utf8");
}

/** Letters and digits only: it stands in configuration files, URLs and shell commands of people. */
export const newPassword = (): string => randomBytes(24).toString("base64url").replaceAll(/[-_]/g, "x");

/** Makes the Secret of a generated password; of two who make it, the first wins. Returns whether it was made here. */
export async function createSecret(kube: Kube, group: GroupId, value: string): Promise<boolean> {
  const name = secretName(group.cluster);
  try {
    await kube.create(PATH.secrets(group.namespace), {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, namespace: group.namespace, labels: labelsOf(group) },
      type: "Opaque",
      stringData: { [SECRET_KEY]: value },
    });
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}

/** The Services of a group as they are created; the master Service selects nobody until there is a master. */
export function serviceManifests(group: GroupId, settings: GroupSettings): { name: string; manifest: object }[] {
  const service = (name: string, spec: object) => ({
    name,
    manifest: {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: group.namespace, labels: labelsOf(group) },
      spec,
    },
  });
  const redis = { name: "redis", port: settings.port, targetPort: settings.port, protocol: "TCP" };
  const sentinel = { name: "sentinel", port: SENTINEL_PORT, targetPort: SENTINEL_PORT, protocol: "TCP" };
  const cluster = { [LABEL.cluster]: group.cluster };
  return [
    service(settings.masterService ?? masterServiceName(group.cluster), {
      // No pod has this instance: an empty selector would mean "endpoints made by hand".
      selector: { ...cluster, [LABEL.instance]: "none-yet" },
      ports: [redis],
      publishNotReadyAddresses: true,
    }),
    service(replicasServiceName(group.cluster), { selector: { ...cluster, [LABEL.role]: "replica" }, ports: [redis] }),
    service(sentinelServiceName(group.cluster), {
      selector: { ...cluster, [LABEL.sentinel]: "true" },
      ports: [sentinel],
      clusterIP: "None",
      publishNotReadyAddresses: true,
    }),
  ];
}

/** Creates those of the Services that `exists` does not know; a user's own that the group is to have is taken over. Returns the names of both. */
export async function createServices(
  kube: Kube,
  group: GroupId,
  settings: GroupSettings,
  exists: (name: string) => boolean,
): Promise<{ created: readonly string[]; takenOver: string | undefined }> {
  const created: string[] = [];
  let takenOver: string | undefined;
  for (const { name, manifest } of serviceManifests(group, settings)) {
    if (exists(name)) continue;
    try {
      await kube.create(PATH.services(group.namespace), manifest);
      created.push(name);
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (name === settings.masterService && (await takeOver(kube, group, name))) takenOver = name;
    }
  }
  return { created, takenOver };
}

/** A user's own Service becomes the master Service: it gets our label (the watches see it then), and its selector is remembered to be given back. False: it was the group's already. */
async function takeOver(kube: Kube, group: GroupId, name: string): Promise<boolean> {
  const path = PATH.services(group.namespace, name);
  const service = await kube.get<Service>(path);
  const owner = service.metadata?.labels?.[LABEL.cluster];
  if (owner !== undefined && owner !== group.cluster) throw new Error(`Service ${name} already belongs to the group ${owner}`);
  const before = service.metadata?.annotations?.[MARK.originalSelector];
  await kube.mergePatch(path, {
    metadata: {
      resourceVersion: service.metadata?.resourceVersion,
      labels: { [LABEL.cluster]: group.cluster },
      annotations: {
        [MARK.originalSelector]: before ?? JSON.stringify(service.spec?.selector ?? {}),
        ...(before === undefined && service.spec?.publishNotReadyAddresses === true ? { [MARK.originalPublish]: "true" } : {}),
      },
    },
  });
  return owner === undefined;
}
