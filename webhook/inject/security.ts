/** Security contexts of injected containers: they meet the restricted Pod Security standard in every pod. */
import { asNumber, at, type JsonObject } from "../json.ts";
import type { PodView } from "./view.ts";

const RESTRICTED = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  seccompProfile: { type: "RuntimeDefault" },
} as const;

/** The numeric user of the boot image, so that runAsNonRoot can be checked without a runAsUser. */
const BOOT_IMAGE_USER = 65_532;

/**
 * The boot container needs no runAsUser, and none is forced, because OpenShift gives each namespace a range of its own and refuses others. Only where the
 * pod says root for all its containers does it take its image's user, else runAsNonRoot would keep it from starting.
 */
export function bootSecurity(pod: JsonObject): JsonObject {
  const root = at(pod, "spec", "securityContext", "runAsUser") === 0;
  return root ? { ...RESTRICTED, runAsUser: BOOT_IMAGE_USER } : RESTRICTED;
}

/**
 * The sentinel runs in the user's image, which often starts as root (the official entrypoints drop to the user redis only later) and whose user is a name,
 * which runAsNonRoot refuses. So a number is needed: the one of the redis container or of the pod, and the configured one (999) where neither says, or
 * where they say root. On OpenShift the security context constraints usually fill in a user before webhooks are called; where they do not, the
 * installation sets the user to `platform` and none is written here. Any number works, since /redis-ha/sentinel is open to all users of the pod.
 */
export function sentinelSecurity(view: PodView): JsonObject {
  const own = asNumber(at(view.target.object, "securityContext", "runAsUser"));
  const podWide = asNumber(at(view.pod, "spec", "securityContext", "runAsUser"));
  const user = own ?? podWide;
  if (user === undefined || user === 0) {
    const { sentinelUser } = view.context.config;
    return sentinelUser === undefined ? RESTRICTED : { ...RESTRICTED, runAsUser: sentinelUser };
  }
  return own === undefined ? RESTRICTED : { ...RESTRICTED, runAsUser: own };
}
