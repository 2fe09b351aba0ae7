/** Everything that a person needs to understand a failed test, in one text. */
import { type Bed, SYSTEM } from "./bed.ts";
import type { Group } from "./group.ts";
import { messageOf } from "./wait.ts";

const LOG_LINES = 40;

export async function diagnose(bed: Bed, namespace: string, groups: readonly Group[]): Promise<string> {
  const kubectl = async (title: string, args: readonly string[], keep?: (line: string) => boolean): Promise<string> => {
    const { stdout, stderr } = await bed.kubectl(args, { allowFailure: true, timeoutMs: 20_000 });
    const lines = `${stdout}${stderr}`.trimEnd().split("\n");
    const kept = keep === undefined ? lines : lines.filter(keep).slice(-LOG_LINES);
    return `--- ${title}\n${kept.join("\n")}`;
  };
  const inside = ["-n", namespace];
  const parts = [
    await kubectl("pods", [...inside, "get", "pods", "-o", "wide", "-L", "redis-ha.io/role,redis-ha.io/instance"]),
    await kubectl("services and endpoints", [...inside, "get", "services,endpointslices", "-o", "wide"]),
    await kubectl(
      "events",
      [...inside, "get", "events", "--sort-by=.lastTimestamp"],
      (line) => !/ (Pulled|Created|Scheduled) /.test(line),
    ),
    await kubectl(
      "handlers, this namespace only",
      ["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/name=redis-ha", "--prefix", "--tail=400"],
      (line) => line.includes(`"${namespace}"`) || /"level":"(warn|error|fatal)"/.test(line),
    ),
  ];
  for (const group of groups) parts.push(await describe(group));
  const pods = await bed.kubectl([...inside, "get", "pods", "-o", "name"], { allowFailure: true });
  for (const pod of pods.stdout.split("\n").filter((name) => name !== "" && name !== "pod/client")) {
    parts.push(await kubectl(`log of ${pod}`, [...inside, "logs", pod, "--all-containers", "--prefix", "--tail=25"]));
  }
  return parts.join("\n");
}

async function describe(group: Group): Promise<string> {
  const attempt = async (what: string, ask: () => Promise<unknown>): Promise<string> => {
    try {
      return `${what}: ${JSON.stringify(await ask())}`;
    } catch (error) {
      return `${what}: ${messageOf(error)}`;
    }
  };
  const lines = [
    await attempt("master Service", async () => {
      const { spec, metadata } = await group.service();
      return { selector: spec?.selector, annotations: metadata?.annotations };
    }),
    await attempt("redis", async () => await group.redises()),
    await attempt("sentinels", async () => await group.sentinels()),
    await attempt("writers", async () => await group.client.window()),
  ];
  return `--- group ${group.cluster}\n${lines.join("\n")}`;
}
