import { mkdirSync } from "node:fs";
import { env } from "node:process";
import { type RunResult, run } from "../process.ts";

export type GoOptions = { log: string; cwd?: string; cgo?: boolean; bin?: string };

const BUILD_TIMEOUT_MS = 3_600_000;
const STRIPPED = "-s -w";

/** Runs the go command with the environment that all builds of the tool share. */
export async function go(args: readonly string[], options: GoOptions): Promise<RunResult> {
  const extra = { CGO_ENABLED: options.cgo === true ? "1" : "0", GOFLAGS: "-buildvcs=false", GOWORK: "off" };
  const bin = options.bin === undefined ? {} : { GOBIN: options.bin };
  const where = options.cwd === undefined ? {} : { cwd: options.cwd };
  try {
    return await run("go", args, { ...where, env: { ...env, ...extra, ...bin }, log: options.log, timeoutMs: BUILD_TIMEOUT_MS });
  } catch (error) {
    if (error instanceof Error && error.message.includes("ENOENT")) {
      throw new Error("the go command is not in PATH: install Go 1.26 or newer, the cluster's parts are built from source");
    }
    throw error;
  }
}

/** Builds packages of the module in `cwd` into the folder or file `output`. */
export async function goBuild(
  packages: readonly string[],
  output: string,
  options: GoOptions & { flags?: string; buildFlags?: readonly string[] },
): Promise<void> {
  const flags = `${STRIPPED} ${options.flags ?? ""}`.trim();
  await go(["build", "-trimpath", ...(options.buildFlags ?? []), "-ldflags", flags, "-o", output, ...packages], options);
}

/** Installs packages at a version, from the Go module proxy, into the folder `bin`. */
export async function goInstall(
  packages: readonly string[],
  version: string,
  bin: string,
  options: GoOptions & { tags?: string },
): Promise<void> {
  mkdirSync(bin, { recursive: true });
  const tags = options.tags === undefined ? [] : ["-tags", options.tags];
  const wanted = packages.map((name) => `${name}@v${version}`);
  await go(["install", "-trimpath", "-ldflags", STRIPPED, ...tags, ...wanted], { ...options, bin });
}
