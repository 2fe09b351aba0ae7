/** Our own images: small, not root, and with nothing in them that an intruder could use. */
import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";
import { expect, test } from "vitest";
import { buildProjectImages } from "../cluster/cluster.ts";
import { say } from "./lib/wait.ts";

/** Node itself is 120 MB of it. */
const LIMIT_MIB: Readonly<Record<string, number>> = { "redis-ha": 160, "redis-ha-boot": 1 };
const SHELLS_AND_TOOLS = /(^|\/)(sh|bash|dash|ash|busybox|apt|apt-get|dpkg|apk|npm|npx|corepack|yarn|curl|wget|perl|python3?)$/;

interface Manifest {
  readonly Config: string;
  readonly Layers: readonly string[];
}

function read(archive: string, file: string): string {
  return execFileSync("tar", ["-xOf", archive, file], { maxBuffer: 1 << 24 }).toString();
}

function filesOf(archive: string, layer: string): string[] {
  return execFileSync("sh", ["-c", 'tar -xOf "$1" "$2" | tar -t', "sh", archive, layer], { maxBuffer: 1 << 24 })
    .toString()
    .split("\n")
    .filter((path) => path !== "" && !path.endsWith("/"));
}

test.each(["redis-ha", "redis-ha-boot"])("the image %s: no root, no shell, small", async (target) => {
  const image = (await buildProjectImages()).find(({ name }) => name.includes(`/${target}:`));
  if (image === undefined) throw new Error(`no image ${target}`);
  const [manifest] = JSON.parse(read(image.archive, "manifest.json")) as Manifest[];
  const { config } = JSON.parse(read(image.archive, manifest?.Config ?? "")) as {
    config: { User?: string; Entrypoint?: string[] };
  };
  // A number, so that the kubelet can see that it is not root (runAsNonRoot) without reading the image's files.
  expect(config.User).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  const files = (manifest?.Layers ?? []).flatMap((layer) => filesOf(image.archive, layer));
  expect(files.length).toBeGreaterThan(0);
  const entry = config.Entrypoint?.[0]?.replace(/^\//, "") ?? "";
  expect(files.map((path) => path.replace(/^\.?\//, ""))).toContain(entry);
  expect(files.filter((path) => SHELLS_AND_TOOLS.test(path))).toEqual([]);
  const mib = statSync(image.archive).size / 2 ** 20;
  say(`${image.name}: ${mib.toFixed(1)} MiB unpacked, ${files.length} files`);
  expect(mib).toBeLessThan(LIMIT_MIB[target] ?? 0);
});
