/** The manifests of this version: manifests/install.yaml, which the bundle carries in itself. */
import { parseAllDocuments, stringify } from "yaml";
import type { KubeObject } from "../../kube/types.ts";
import { installYaml } from "./text.ts";

export interface InstallWish {
  /** of the server; default: the public one of this version */
  readonly image?: string | undefined;
  /** of the init container that is injected */
  readonly bootImage?: string | undefined;
}

interface Container {
  name: string;
  image: string;
  env?: { name: string; value?: string }[];
}

/** The objects in the order in which they are applied. */
export function manifests(wish: InstallWish = {}): KubeObject[] {
  const objects = parseAllDocuments(installYaml()).map((document) => document.toJS() as KubeObject);
  for (const object of objects) {
    if (object.kind !== "Deployment") continue;
    const [container] = (object as { spec: { template: { spec: { containers: Container[] } } } }).spec.template.spec.containers;
    if (container === undefined) continue;
    container.image = wish.image ?? container.image;
    const boot = container.env?.find(({ name }) => name === "REDIS_HA_BOOT_IMAGE");
    if (boot !== undefined && wish.bootImage !== undefined) boot.value = wish.bootImage;
  }
  return objects;
}

export const asYaml = (objects: readonly KubeObject[]): string =>
  objects.map((object) => stringify(object, { lineWidth: 0 })).join("---\n");

/** Kinds that live in no namespace. */
const OF_CLUSTER = new Set(["Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass", "MutatingWebhookConfiguration"]);

/** The path of an object in the API; the plurals of the kinds that we install are regular. */
export function pathOf({ apiVersion = "", kind = "", metadata }: KubeObject): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const plural = kind.endsWith("ss") ? `${kind.toLowerCase()}es` : `${kind.toLowerCase()}s`;
  const place = OF_CLUSTER.has(kind) ? "" : `/namespaces/${metadata?.namespace ?? ""}`;
  return `${root}${place}/${plural}/${metadata?.name ?? ""}`;
}
