/** What people ask of a group that is halted before anybody could look at it: they get an answer, instead of a request that stands for ever. */
import { PATH } from "../../kube/paths.ts";
import type { Service } from "../../kube/types.ts";
import type { ServiceFact } from "../../model/facts.ts";
import { REQUEST } from "../../model/names.ts";
import type { Notice } from "../../model/plan.ts";
import { REASON } from "../../model/reasons.ts";
import { messageOf } from "../act/context.ts";
import type { GroupOptions } from "./source.ts";
import type { GroupVoice } from "./voice.ts";

/**
 * Takes the requests off the master Service and says why they can't be done. Only who leads does. Conditional on the Service as it was seen, so no request is taken
 * away unread; where the write fails nothing is said, and the back-stop tries again. Never rejects.
 */
export async function refuseRequests(options: GroupOptions, voice: GroupVoice, halted: Notice): Promise<void> {
  const { kube, group, source, log } = options;
  const service = source.masterService(source.masterServiceName());
  if (service === undefined || !source.leading()) return;
  const requests = requestsOn(service);
  if (requests.length === 0) return;
  const annotations = Object.fromEntries(requests.map(({ key }) => [key, null]));
  const metadata = { resourceVersion: service.resourceVersion, annotations };
  try {
    source.learnService(await kube.mergePatch<Service>(PATH.services(group.namespace, service.name), { metadata }));
  } catch (error) {
    log.debug({ reason: REASON.ActFailed, ...group, err: messageOf(error) }, "a request could not be taken off the Service");
    return;
  }
  const asked = requests.map(({ key, value }) => `${key}=${value}`).join(" and ");
  voice.say(REASON.RequestRefused, `${asked} can't be done; ask again when ${halted.reason} is over: ${halted.message}`);
}

function requestsOn({ requests }: ServiceFact): { key: string; value: string }[] {
  const { promote, handover } = requests;
  return [
    ...(promote === undefined ? [] : [{ key: REQUEST.promote, value: promote }]),
    ...(handover === undefined ? [] : [{ key: REQUEST.handover, value: handover }]),
  ];
}
