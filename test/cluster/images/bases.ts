import { copyFileSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { downloadPackage } from "../build/debian.ts";
import { PROJECT } from "../paths.ts";
import { run } from "../process.ts";
import { writeArchive } from "./archive.ts";
import { debianRootfs } from "./rootfs.ts";

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Stands in for debian:bookworm-slim; its apt uses the host's mirror and works in a build. */
export async function makeDebianImage(tags: readonly string[], target: string, log: string): Promise<void> {
  const root = `${target}-root`;
  await debianRootfs("bookworm", [], root, log, true);
  // In a build without privileges apt could not become its own user.
  writeFileSync(join(root, "etc/apt/apt.conf.d/build"), 'APT::Sandbox::User "root";\n');
  await writeArchive(root, tags, { Env: [PATH], Cmd: ["bash"] }, target, log);
}

/** Stands in for node:24-bookworm-slim: the program of the npm package `node` on a Debian, without npm. */
export async function makeNodeImage(tags: readonly string[], target: string, log: string): Promise<void> {
  const root = `${target}-root`;
  await debianRootfs("bookworm", ["libstdc++6", "libatomic1"], root, log, true);
  copyFileSync(join(PROJECT, "node_modules", "node", "bin", "node"), join(root, "usr/local/bin/node"));
  await run("chroot", [root, "useradd", "--uid", "1000", "--user-group", "--shell", "/bin/bash", "--create-home", "node"], {
    log,
  });
  const version = await run("chroot", [root, "node", "--version"], { log });
  const env = [PATH, `NODE_VERSION=${version.stdout.trim().slice(1)}`];
  await writeArchive(root, tags, { Env: env, Cmd: ["node"] }, target, log);
}

/** Stands in for haproxy, from Debian's package: the same command line, and a user without rights. */
export async function makeHaproxyImage(tags: readonly string[], target: string, log: string): Promise<void> {
  const root = `${target}-root`;
  await debianRootfs("bookworm", ["haproxy"], root, log);
  const command = ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"];
  await writeArchive(root, tags, { Env: [PATH], Cmd: command, User: "99:99" }, target, log);
}

/** Stands in for busybox, from Debian's static build of it. */
export async function makeBusyboxImage(tags: readonly string[], target: string, log: string): Promise<void> {
  const root = `${target}-root`;
  const download = `${target}-download`;
  for (const folder of ["bin", "etc", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
  mkdirSync(download);
  await downloadPackage("busybox-static", download, log);
  for (const name of readdirSync(download))
    await run("dpkg-deb", ["--extract", join(download, name), join(download, "files")], { log });
  copyFileSync(join(download, "files", "bin", "busybox"), join(root, "bin/busybox"));
  const { stdout } = await run(join(root, "bin/busybox"), ["--list"], { log });
  for (const applet of stdout.split("\n").filter((name) => name !== "" && name !== "busybox"))
    symlinkSync("busybox", join(root, "bin", applet));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n");
  writeFileSync(join(root, "etc/group"), "root:x:0:\nnobody:x:65534:\n");
  rmSync(download, { recursive: true });
  await writeArchive(root, tags, { Env: ["PATH=/bin"], Cmd: ["sh"] }, target, log);
}
