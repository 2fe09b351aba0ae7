/**
 * Whether the type of the master Service is to change, so that clients outside of the cluster can connect (annotation `expose`). Not one of the policies of decide():
 * no decision about the master waits for it. Pure. Why so: docs/adr/0050.
 */
import type { ServiceFact } from "../../model/facts.ts";
import type { GroupSettings } from "../../model/settings.ts";

export type ExposePlan =
  | { readonly act: "nothing" }
  | { readonly act: "expose"; readonly type: NonNullable<GroupSettings["expose"]> }
  /** it was exposed by us, and nobody asks for it any more */
  | { readonly act: "withdraw" };

export function planExpose({ type, exposedByUs, originalSelector }: ServiceFact, { expose }: GroupSettings): ExposePlan {
  // A person's Service that was taken over has the type that the person gave it; and so has one whose type was changed by hand.
  if (originalSelector !== undefined) return { act: "nothing" };
  if (expose === undefined) return exposedByUs === undefined ? { act: "nothing" } : { act: "withdraw" };
  return type === expose ? { act: "nothing" } : { act: "expose", type: expose };
}
