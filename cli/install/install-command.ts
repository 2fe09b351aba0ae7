/** `redis-ha install`: applies the manifests of this version and waits until admissions are answered. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { PATH } from "../../kube/paths.ts";
import type { Deployment, KubeObject, MutatingWebhookConfiguration } from "../../kube/types.ts";
import { SYSTEM_NAMESPACE, WEBHOOK_CONFIGURATION } from "../../model/names.ts";
import { EXIT, ending, Problem } from "../exit.ts";
import { paperOf, print, progress } from "../paper.ts";
import { onCluster, requireUsualPlace, type Target, type TargetFlags, withCluster } from "../target.ts";
import { VERSION } from "../version.ts";
import { asYaml, manifests, pathOf } from "./manifests.ts";
import { untilNotGoing } from "./namespace.ts";

interface Flags extends TargetFlags {
  image?: string;
  bootImage?: string;
  dryRun?: boolean;
  timeout: string;
}

/** Who the fields belong to in server-side apply. */
const FIELD_MANAGER = "redis-ha-install";

export function installCommand(): Command {
  return withCluster(new Command("install"))
    .description("install redis-ha into the cluster, or bring it to this version")
    .option("--image <image>", "of the server, from your own registry")
    .option("--boot-image <image>", "of the init container that is injected")
    .option("--dry-run", "print the manifests: redis-ha install --dry-run | kubectl apply -f -")
    .option("--timeout <seconds>", "how long to wait until it answers", "120")
    .action((flags: Flags) =>
      ending(async () => {
        requireUsualPlace(flags);
        const objects = manifests({ image: flags.image, bootImage: flags.bootImage });
        if (flags.dryRun === true) print(asYaml(objects).trimEnd());
        else await onCluster(flags, async (target) => await install(target, objects, Number(flags.timeout)));
        return EXIT.ok;
      }),
    );
}

async function install(target: Target, objects: readonly KubeObject[], timeoutS: number): Promise<void> {
  await untilNotGoing(target.kube, timeoutS * 1000);
  for (const object of objects) {
    await target.kube.request({
      method: "PATCH",
      path: pathOf(object),
      query: { fieldManager: FIELD_MANAGER, force: true },
      contentType: "application/apply-patch+yaml",
      body: object,
    });
    print(`  ${object.kind} ${object.metadata?.name}`);
  }
  await progress("waiting until redis-ha answers", untilReady(target, timeoutS * 1000));
  print([
    `${paperOf().green("installed")}: redis-ha ${VERSION}; both replicas answer`,
    "  next: kubectl annotate deployment NAME redis-ha.io/cluster=NAME, then redis-ha status",
  ]);
}

async function untilReady({ kube }: Target, withinMs: number): Promise<void> {
  const start = performance.now();
  for (;;) {
    const missing = await notReady(kube);
    if (missing === undefined) return;
    if (performance.now() - start > withinMs)
      throw new Problem(
        `it is applied, but ${missing} after ${Math.round(withinMs / 1000)} s: kubectl -n ${SYSTEM_NAMESPACE} get pods, and redis-ha doctor`,
      );
    await sleep(500);
  }
}

async function notReady(kube: Target["kube"]): Promise<string | undefined> {
  const deployment = await kube.get<Deployment>(PATH.deployments(SYSTEM_NAMESPACE, "redis-ha"));
  const { observedGeneration, updatedReplicas = 0, readyReplicas = 0, replicas = 0 } = deployment.status ?? {};
  const wanted = deployment.spec?.replicas ?? 1;
  if (observedGeneration !== deployment.metadata?.generation) return "the rollout has not begun";
  if (updatedReplicas < wanted || readyReplicas < wanted || replicas > wanted)
    return `${readyReplicas} of ${wanted} replicas are ready`;
  const { webhooks = [] } = await kube.get<MutatingWebhookConfiguration>(PATH.webhookConfigurations(WEBHOOK_CONFIGURATION));
  return webhooks.every(({ clientConfig }) => clientConfig.caBundle) ? undefined : "the API server was not told whom to trust";
}
