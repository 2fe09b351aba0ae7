import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../process.ts";

/** The part of an image's configuration that Docker calls "config". */
export type ImageConfig = {
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
  User?: string;
  ExposedPorts?: Record<string, object>;
  Volumes?: Record<string, object>;
};

/** What containerd and buildah read as a docker-archive: one tar with a manifest, a configuration and the layers. */
export async function writeArchive(
  rootfs: string,
  tags: readonly string[],
  config: ImageConfig,
  target: string,
  log: string,
): Promise<void> {
  const work = `${target}-archive`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const layer = join(work, "layer.tar");
  // Device files and the like come from the container runtime, so the folders stay empty.
  const exclude = ["./dev/*", "./proc/*", "./sys/*"].map((pattern) => `--exclude=${pattern}`);
  const reproducible = ["--sort=name", "--mtime=@0", "--numeric-owner"];
  await run("tar", ["-C", rootfs, ...exclude, ...reproducible, "-cf", layer, "."], { log });
  const digest = await sha256(layer);
  writeFileSync(join(work, "config.json"), JSON.stringify(imageJson(config, digest)));
  writeFileSync(join(work, "manifest.json"), JSON.stringify([{ Config: "config.json", RepoTags: tags, Layers: ["layer.tar"] }]));
  await run("tar", ["-C", work, "-cf", `${target}-tar`, "manifest.json", "config.json", "layer.tar"], { log });
  rmSync(work, { recursive: true });
  if (existsSync(target)) rmSync(target, { recursive: true });
  renameSync(`${target}-tar`, target);
}

function imageJson(config: ImageConfig, layerDigest: string): object {
  const created = "1970-01-01T00:00:00Z";
  const architecture = process.arch === "arm64" ? "arm64" : "amd64";
  return {
    architecture,
    os: "linux",
    created,
    config,
    rootfs: { type: "layers", diff_ids: [`sha256:${layerDigest}`] },
    history: [{ created, created_by: "redis-ha test/cluster" }],
  };
}

/** The SHA-256 of a file, as hexadecimal digits. */
export async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
