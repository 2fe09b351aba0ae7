/** Why somebody is master, in the one vocabulary: from what the Service records and from the account of the change. */
import { REASON, type Reason } from "./reasons.ts";

const REASON_OF_KIND: Readonly<Record<string, Reason>> = {
  failover: REASON.FailedOver,
  handover: REASON.HandedOver,
  recovery: REASON.Recovered,
  bootstrap: REASON.Bootstrapped,
  sentinel: REASON.FailoverBySentinel,
};

/** A record of MasterRouted says only who of the handlers moved the Service first; the kind of the change, where it is known, tells why. */
export function reasonOfChange(recorded: string, kind: string | undefined): string {
  return recorded === REASON.MasterRouted && kind !== undefined ? (REASON_OF_KIND[kind] ?? recorded) : recorded;
}
