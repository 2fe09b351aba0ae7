/** What a person can do now, most urgent first, with the commands to copy. Pure. */
import { LABEL, REQUEST } from "../../model/names.ts";
import { REASON } from "../../model/reasons.ts";
import type { GroupDetail, MemberLine, RedisLine } from "../wire.ts";
import { bytes, grouped } from "./text.ts";

export interface Command {
  /** what it does */
  readonly label: string;
  readonly text: string;
  /** it changes data for good: read first */
  readonly risky: boolean;
}

export interface Advice {
  readonly text: string;
  readonly commands: readonly Command[];
}

const look = (label: string, text: string): Command => ({ label, text, risky: false });

const kubectl = ({ namespace }: GroupDetail, rest: string): string => `kubectl -n ${namespace} ${rest}`;

const pods = (group: GroupDetail): Command =>
  look("See the pods", kubectl(group, `get pods -o wide -l ${LABEL.cluster}=${group.cluster}`));

const describe = (group: GroupDetail, pod: string): Command =>
  look(`Ask Kubernetes about ${pod}`, kubectl(group, `describe pod ${pod}`));

const logs = (group: GroupDetail, pod: string): Command =>
  look(`Read the log of ${pod}`, kubectl(group, `logs ${pod} --tail=50`));

const promote = (group: GroupDetail, pod: string, label: string): Command => ({
  label,
  text: kubectl(group, `annotate service ${group.service.name} ${REQUEST.promote}=${pod}`),
  risky: true,
});

interface UpMember {
  readonly member: MemberLine;
  readonly redis: RedisLine;
}

const upMembers = ({ members }: GroupDetail): UpMember[] =>
  members.flatMap((member) => (member.redis?.state === "up" ? [{ member, redis: member.redis }] : []));

/** Empty: nothing to do. */
export function adviceFor(group: GroupDetail): Advice[] {
  const secret = group.notes.find(({ reason }) => reason === REASON.HaltedSecretMissing);
  if (secret !== undefined) return [secretMissing(secret.message)];
  if (group.state === "halted") return [halted(group)];
  const advice = [...group.notes.flatMap(({ reason }) => byReason(group, reason))];
  if (group.state === "waiting" && advice.length === 0)
    advice.push({ text: "redis-ha waits and goes on by itself.", commands: [pods(group)] });
  if (group.state === "masterless" && advice.length === 0) advice.push(masterless(group));
  if (group.state === "degraded") advice.push(...unwell(group));
  if (group.state === "unknown") advice.push({ text: "Nothing is known of this group yet.", commands: [pods(group)] });
  return advice;
}

/** The best-filled pod first: that is mostly the one to choose; the person decides. */
function halted(group: GroupDetail): Advice {
  const candidates = upMembers(group).sort((a, b) => b.redis.offset - a.redis.offset || b.redis.keys - a.redis.keys);
  return {
    text: "redis-ha stopped so that no data is lost. Bring back the pod or volume that it names, or choose the new master yourself. What the chosen pod does not have is lost for good.",
    commands: [
      pods(group),
      ...candidates.map(({ member, redis }) =>
        promote(group, member.pod, `Choose ${member.pod}: ${grouped(redis.keys)} keys, offset ${grouped(redis.offset)}`),
      ),
    ],
  };
}

/** The message has the command. */
function secretMissing(message: string): Advice {
  const command = message.split("put it back with: ")[1];
  return {
    text: "redis-ha can't log in until the Secret is back. Servers that run go on with the password that they have; none can start.",
    commands: command === undefined ? [] : [look("Put the Secret back", command)],
  };
}

function masterless(group: GroupDetail): Advice {
  const seconds = Math.round(group.settings.downAfterMs / 1000);
  return group.sentinels.up >= group.sentinels.needed
    ? {
        text: `A silence is no proof of death: Sentinel decides after ${seconds} s, and redis-ha follows. Nothing to do unless this lasts.`,
        commands: [pods(group)],
      }
    : { text: "Too few sentinels answer to elect a master. Bring back the pods.", commands: [pods(group)] };
}

function byReason(group: GroupDetail, reason: string): Advice[] {
  switch (reason) {
    case REASON.WaitingForLastMaster:
      return [
        {
          text: "A pod or volume that may hold fresher data is not back. Bring it back, or wait: then the best of those here is taken, unless the last master is merely silent. Then say that it is gone, or choose.",
          commands: [pods(group), look("See the volumes", kubectl(group, "get persistentvolumeclaims"))],
        },
      ];
    case REASON.WaitingForPods:
      return [{ text: "redis-ha goes on by itself as soon as the pods are there.", commands: [pods(group)] }];
    case REASON.QuorumLost:
      return [
        {
          text: "Without a majority of sentinels nobody can be elected if the master dies now. Bring them back.",
          commands: [
            look(
              "See the sentinels",
              kubectl(group, `get pods -o wide -l ${LABEL.cluster}=${group.cluster},${LABEL.sentinel}=true`),
            ),
          ],
        },
      ];
    case REASON.EndpointsLate:
      return [
        {
          text: "New connections go where they led before, until Kubernetes follows: its kube-controller-manager makes the EndpointSlices. See whether that runs.",
          commands: [
            look("See where they lead", kubectl(group, `get endpointslices -l kubernetes.io/service-name=${group.service.name}`)),
          ],
        },
      ];
    case REASON.FailoverImpossible:
    case REASON.HandoverImpossible:
      return [{ text: "No replica can take over. Mend the replicas, or add one.", commands: [pods(group)] }];
    case REASON.SettingsDiffer:
    case REASON.InvalidSettings:
      return [{ text: "Correct the annotations of the workload; the message says which.", commands: [pods(group)] }];
    default:
      return [];
  }
}

/** For a degraded group: one advice for each pod that is not as it should be. */
function unwell(group: GroupDetail): Advice[] {
  return group.members.flatMap((member): Advice[] => {
    const { pod, redis, sentinel } = member;
    if (redis?.state === "denied" || sentinel?.state === "denied") {
      return [
        {
          text: `${pod} refuses the password, or its certificate is not the group's: it started with another one. Restart it.`,
          commands: [describe(group, pod)],
        },
      ];
    }
    if (redis !== undefined && redis.state !== "up") {
      const why = member.terminating ? "is ending" : "does not answer";
      return [{ text: `${pod} ${why}. Its replacement follows by itself.`, commands: [describe(group, pod), logs(group, pod)] }];
    }
    if (redis?.role === "replica" && redis.loading) return [{ text: `${pod} is loading its data; wait.`, commands: [] }];
    if (redis?.role === "replica" && redis.syncing) {
      const behind = redis.lagBytes === undefined ? "" : ` (${bytes(redis.lagBytes)} behind)`;
      return [{ text: `${pod} is copying the whole data set${behind}; wait.`, commands: [] }];
    }
    return [];
  });
}
