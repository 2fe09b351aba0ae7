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

/** Returns the group's password, undefined with auth: none. Makes the Secret if it is not there; of two who make it, both read what the first wrote. */
export async function password(kube: Kube, group: GroupId, settings: GroupSettings): Promise<string | undefined> {
  if (settings.auth.kind === "none") return undefined;
  const [name, key] =
    settings.auth.kind === "secret" ? [settings.auth.name, settings.auth.key] : [secretName(group.cluster), SECRET_KEY];
  const path = PATH.secrets(group.namespace, name);
  const secret = await kube.get<Secret>(path).catch(async (error: unknown) => {
    if (!isNotFound(error) || settings.auth.kind !== "generated") throw error;
    await kube
      .create(PATH.secrets(group.namespace), {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name, namespace: group.namespace, labels: labelsOf(group) },
        type: "Opaque",
        // Letters and digits only: it stands in configuration files, URLs and shell commands of people.
        stringData: { [key]: randomBytes(24).toString("base64url").replaceAll(/[-_]/g, "x") },
      })
      .catch((conflict: unknown) => {
        if (!isConflict(conflict)) throw conflict;
      });
    return kube.get<Secret>(path);
  });
  const value = secret.data?.[key];
  if (value === undefined) throw new Error(`Secret ${group.namespace}/${name} has no key ${key}`);
  return Buffer.from(value, "base64").toString("utf8");
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

/** Creates those of the Services that `exists` does not know. Returns the names of what was created. */
export async function createServices(
  kube: Kube,
  group: GroupId,
  settings: GroupSettings,
  exists: (name: string) => boolean,
): Promise<string[]> {
  const created: string[] = [];
  for (const { name, manifest } of serviceManifests(group, settings)) {
    if (exists(name)) continue;
    try {
      await kube.create(PATH.services(group.namespace), manifest);
      created.push(name);
    } catch (error) {
      if (!isConflict(error)) throw error;
      if (name === settings.masterService) await takeOver(kube, group, name);
    }
  }
  return created;
}

/** A user's own Service becomes the master Service: it gets our label (the watches see it then), and its selector is remembered to be given back. */
async function takeOver(kube: Kube, group: GroupId, name: string): Promise<void> {
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
}
