/** The Secrets with which the boot image is pulled, where the installation has a registry that asks for one. */
import { at, field, objects } from "../json.ts";
import type { Patch } from "./patch.ts";
import type { PodView } from "./view.ts";

export function injectPullSecrets({ pod, context }: PodView, patch: Patch): void {
  const list = at(pod, "spec", "imagePullSecrets");
  const there = objects(list).map(({ object }) => field(object, "name"));
  for (const name of context.config.bootPullSecrets)
    if (!there.includes(name)) patch.append(["spec", "imagePullSecrets"], list, { name });
}
