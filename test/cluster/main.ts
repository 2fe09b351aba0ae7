import { argv, env, exit, stderr, stdout } from "node:process";
import { Command } from "commander";
import { buildBinaries } from "./build/all.ts";
import { allImages, imageArchive } from "./images/catalog.ts";
import { buildProjectImages } from "./images/project.ts";
import { DEFAULT_NAME, down, up } from "./lifecycle.ts";
import { heal, kubeconfigPath, kubectlCommand, load, nodeCommand, partition, poweroff, poweron } from "./operate.ts";
import { runAttached } from "./process.ts";
import { step } from "./progress.ts";
import { printStatus } from "./status.ts";
import { DEFAULT_KUBERNETES, kubernetesVersion } from "./versions.ts";

type Named = { name: string };

const program = new Command("npm run cluster --")
  .description("A real Kubernetes cluster on this one machine, for tests and the demo")
  .enablePositionalOptions();

/** A command that works on one cluster. */
function command(usage: string, description: string): Command {
  const name = env.REDIS_HA_CLUSTER ?? DEFAULT_NAME;
  return program.command(usage).description(description).option("--name <name>", "the cluster's name", name);
}

command("up", "start a cluster (building what is missing)")
  .option("--nodes <number>", "how many nodes (default: 2)")
  .option("--kubernetes <version>", `the Kubernetes version (default: ${DEFAULT_KUBERNETES})`)
  .option("--image <image...>", "images for the nodes, by name or as tar files")
  .option("--audit-log", "let the API server write an audit log of all requests (level Metadata)", false)
  .action(
    async ({
      nodes,
      image,
      ...options
    }: Named & { nodes?: string; kubernetes?: string; image?: string[]; auditLog: boolean }) => {
      await up({
        ...options,
        ...(nodes === undefined ? {} : { nodes: Number(nodes) }),
        ...(image === undefined ? {} : { images: image }),
      });
      stdout.write(`export KUBECONFIG=${kubeconfigPath(options)}\n`);
    },
  );

command("down", "end a cluster and remove everything of it").action(async (options: Named) => await down(options));

program.command("status").description("all clusters of this machine").action(printStatus);

command("kubeconfig", "print the path of the cluster's kubeconfig").action((options: Named) => {
  stdout.write(`${kubeconfigPath(options)}\n`);
});

command("kubectl [args...]", "run kubectl against the cluster")
  .allowUnknownOption()
  .passThroughOptions()
  .helpOption(false)
  .action(async (args: string[], options: Named) => {
    const wanted = await kubectlCommand(args, options);
    exit(await runAttached(wanted.command, wanted.args, wanted.env));
  });

command("load <images...>", 'bring images onto every node, by name ("redis:8") or as tar files').action(
  async (images: string[], options: Named) => {
    await step(`load ${images.join(", ")}`, async () => await load(images, options));
  },
);

command("exec <machine> [command...]", "run a command in a node's (or the control-plane's) network")
  .passThroughOptions()
  .action(async (machine: string, words: string[], options: Named) => {
    const given = words[0] === "--" ? words.slice(1) : words;
    const wanted = given.length === 0 ? ["sh"] : given;
    const [first = "", ...args] = nodeCommand(machine, wanted, options);
    exit(await runAttached(first, args));
  });

const ACTIONS = {
  partition: { description: "cut a machine off from all others", act: partition },
  heal: { description: "end a partition", act: heal },
  poweroff: { description: "end everything on a node at one stroke", act: poweroff },
  poweron: { description: "boot a node again", act: poweron },
};
for (const [word, { description, act }] of Object.entries(ACTIONS)) {
  command(`${word} <machine>`, description).action(async (machine: string, options: Named) => await act(machine, options));
}

program
  .command("build")
  .description("build the cluster's programs, without starting anything")
  .option("--kubernetes <version>", "the Kubernetes version", DEFAULT_KUBERNETES)
  .action(async (options: { kubernetes: string }) => {
    await buildBinaries(kubernetesVersion(options.kubernetes));
  });

program
  .command("images [names...]")
  .description("make the images that need no registry, and print their names and files")
  .action(async (names: string[]) => {
    for (const image of names.length === 0 ? allImages() : names) stdout.write(`${image} ${await imageArchive(image)}\n`);
  });

program
  .command("project-images")
  .description("bundle the program and build the project's own images; prints their names and files, which `load` takes")
  .action(async () => {
    for (const { name, archive } of await buildProjectImages()) stdout.write(`${name} ${archive}\n`);
  });

program.parseAsync(argv).catch((error: unknown) => {
  stderr.write(`cluster: ${error instanceof Error ? error.message : String(error)}\n`);
  exit(1);
});
