/** What a replica calls itself in the Lease: its pod's name, and something of this very process. */
import { randomBytes } from "node:crypto";

export const newIdentity = (pod: string): string => `${pod}_${randomBytes(4).toString("hex")}`;

/** The pod's name in an identity. */
export const podOfIdentity = (identity: string | undefined): string | undefined => identity?.replace(/_[0-9a-f]+$/, "");

/**
 * Whether a holder of the Lease was an earlier process of the pod `pod`: a pod never runs two of one container, so that one has ended. Undefined: not in a pod, where
 * two processes may have one name.
 */
export const succeedsIn =
  (pod: string | undefined) =>
  (holder: string): boolean =>
    pod !== undefined && podOfIdentity(holder) === pod;
