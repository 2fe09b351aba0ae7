/** The init container that copies our scripts into the pod. */
import { INJECTED } from "../../model/names.ts";
import type { JsonObject } from "../json.ts";
import { injectedResources } from "./resources.ts";
import { bootSecurity } from "./security.ts";
import type { PodView } from "./view.ts";

export function bootContainer({ pod, context }: PodView): JsonObject {
  const { config } = context;
  return {
    name: INJECTED.bootContainer,
    image: config.bootImage,
    imagePullPolicy: config.bootImagePullPolicy,
    // The image's entrypoint copies what it carries to this directory.
    args: [INJECTED.mountPath],
    resources: injectedResources(pod, config.bootResources),
    securityContext: bootSecurity(pod),
    volumeMounts: [{ name: INJECTED.volume, mountPath: INJECTED.mountPath }],
  };
}
