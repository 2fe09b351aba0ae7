/**
 * Pods without Kubernetes: the real boot scripts with real servers, each "pod" an address of the loopback range and a folder. A fake `getent` plays the
 * headless sentinel Service. Everything that a bed starts is in process groups of its own and ends with the bed.
 */
import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { busyboxBinary, type ServerBinary } from "../servers/install.ts";
import { Pod } from "./pod.ts";

const run = promisify(execFile);
const scripts = join(import.meta.dirname, "../../docker/boot");

export type Shell = "dash" | "ash";

/** Everything that a shell, a quoted word of a configuration or a pattern could stumble over. */
export const PASSWORD = `p"a\\ss 'w$o#r*d\``;

let beds = 0;

export class Bed {
  readonly #folder: string;
  readonly #network: string;
  readonly #pods: Pod[] = [];
  readonly binary: ServerBinary;
  readonly shell: Shell;
  readonly password: string;
  /** all pods of the bed speak TLS with the files of this folder; the tests trust `authority` (PEM) and ask for `name` */
  tls: { readonly folder: string; readonly authority: string; readonly name: string } | undefined;

  private constructor(folder: string, binary: ServerBinary, shell: Shell, password: string) {
    this.#folder = folder;
    this.binary = binary;
    this.shell = shell;
    this.password = password;
    // Test files run in processes of their own: two beds never share an address.
    this.#network = `127.${10 + (process.pid % 240)}.${++beds}`;
  }

  static async make(binary: ServerBinary, shell: Shell = "dash", password = PASSWORD): Promise<Bed> {
    const folder = await mkdtemp(join(tmpdir(), "redis-ha-boot-"));
    const bed = new Bed(folder, binary, shell, password);
    await mkdir(join(folder, "fake"));
    await writeFile(join(folder, "addresses"), "");
    await bed.fake("getent", `[ "$1" = ahosts ] && [ -s ${folder}/addresses ] && cat ${folder}/addresses`);
    if (shell === "ash") await bed.#applets();
    return bed;
  }

  /** A program that comes before all others in PATH. */
  async fake(name: string, body: string): Promise<void> {
    const path = join(this.#folder, "fake", name);
    await writeFile(path, `#!/bin/sh\n${body}\n`);
    await chmod(path, 0o755);
  }

  /** Only what an Alpine image has: no program of the machine is found then. */
  async #applets(): Promise<void> {
    const busybox = await busyboxBinary();
    const folder = join(this.#folder, "applets");
    await mkdir(folder);
    const { stdout } = await run(busybox, ["--list"]);
    for (const applet of stdout.trim().split("\n")) await symlink(busybox, join(folder, applet));
  }

  get path(): string {
    const system = this.shell === "ash" ? [join(this.#folder, "applets")] : ["/usr/bin", "/bin"];
    return [join(this.#folder, "fake"), this.binary.bin, ...system].join(":");
  }

  async pod(slot?: string): Promise<Pod> {
    const number = this.#pods.length + 1;
    const home = join(this.#folder, `pod${number}`);
    const pod = new Pod(this, `${this.#network}.${number}`, home, number);
    this.#pods.push(pod);
    await cp(scripts, join(home, "bin"), { recursive: true });
    for (const name of ["redis", "sentinel", "data", "info"]) await mkdir(join(home, name));
    if (this.shell === "ash") await this.#useAsh(join(home, "bin"));
    if (slot !== undefined) await pod.giveSlot(slot);
    return pod;
  }

  async #useAsh(folder: string): Promise<void> {
    const busybox = await busyboxBinary();
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      const text = await readFile(file, "utf8");
      if (text.startsWith("#!/bin/sh\n")) await writeFile(file, text.replace("#!/bin/sh\n", `#!${busybox} sh\n`));
    }
  }

  /** What the sentinel Service resolves to. */
  async publish(pods: readonly Pod[]): Promise<void> {
    const lines = pods.flatMap(({ ip }) => [`${ip} STREAM cache-sentinel`, `${ip} DGRAM`, `${ip} RAW`]);
    await writeFile(join(this.#folder, "addresses"), lines.map((line) => `${line}\n`).join(""));
  }

  async close(): Promise<void> {
    for (const pod of this.#pods) pod.kill();
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
