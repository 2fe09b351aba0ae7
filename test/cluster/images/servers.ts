import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SOURCES } from "../paths.ts";
import { run } from "../process.ts";
import { writeArchive } from "./archive.ts";
import { disableProtectedMode } from "./protected-mode.ts";
import { debianRootfs } from "./rootfs.ts";

export type Server = { flavour: "redis" | "valkey"; suite: string };

const TOOLS = ["server", "cli", "sentinel", "benchmark", "check-aof", "check-rdb"];
/** The user's number in the official images; volumes that were written by them keep working. */
const UID = "999";
/** For a group of another package that sits on that number. */
const SPARE_GID = "899";

/** Builds an image of Redis or Valkey from Debian's packages that behaves like the official one. */
export async function makeServerImage(server: Server, tags: readonly string[], target: string, log: string): Promise<void> {
  const { flavour, suite } = server;
  const root = `${target}-root`;
  await debianRootfs(suite, [`${flavour}-server`, `${flavour}-tools`], root, log);
  await renumberUser(root, flavour, log);
  await disableProtectedMode(root, flavour, log);
  linkCommands(root, flavour);
  const entrypoint = readFileSync(join(SOURCES, "images", "files", "docker-entrypoint.sh"), "utf8");
  const script = join(root, "usr/local/bin/docker-entrypoint.sh");
  writeFileSync(script, entrypoint.replaceAll("@SERVER@", `${flavour}-server`).replaceAll("@USER@", flavour));
  chmodSync(script, 0o755);
  const config = {
    Env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    Entrypoint: ["docker-entrypoint.sh"],
    Cmd: [`${flavour}-server`],
    WorkingDir: "/data",
    ExposedPorts: { "6379/tcp": {} },
    Volumes: { "/data": {} },
  };
  await writeArchive(root, tags, config, target, log);
}

/** Debian gives the server's user the next free number; the official images always 999. */
async function renumberUser(root: string, user: string, log: string): Promise<void> {
  const other = readFileSync(join(root, "etc/group"), "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name, , id]) => id === UID && name !== user)?.[0];
  if (other !== undefined) await run("chroot", [root, "groupmod", "--gid", SPARE_GID, other], { log });
  await run("chroot", [root, "groupmod", "--gid", UID, user], { log });
  await run("chroot", [root, "usermod", "--uid", UID, "--gid", UID, "--home", "/data", user], { log });
  mkdirSync(join(root, "data"), { recursive: true });
  await run("chroot", [root, "chown", `${user}:${user}`, "/data"], { log });
}

/** The official images have the commands in /usr/local/bin; Valkey's also answer to their old names. */
function linkCommands(root: string, flavour: string): void {
  for (const tool of TOOLS) {
    const command = `/usr/bin/${flavour}-${tool}`;
    // Debian has the sentinel in a package of its own; it is the same program by another name.
    const program = existsSync(join(root, command)) ? command : `/usr/bin/${flavour}-check-rdb`;
    for (const name of new Set([`${flavour}-${tool}`, `redis-${tool}`])) symlinkSync(program, join(root, "usr/local/bin", name));
  }
}
