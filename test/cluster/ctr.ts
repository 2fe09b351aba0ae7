import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Binaries } from "./build/all.ts";
import { type RunResult, run } from "./process.ts";

const TIMEOUT_MS = 180_000;

/** Runs containerd's own client on the images and containers that the kubelet sees. */
export async function ctr(binaries: Pick<Binaries, "containerd">, socket: string, args: readonly string[]): Promise<RunResult> {
  const program = join(binaries.containerd, "ctr");
  return await run(program, ["--address", socket, "--namespace", "k8s.io", ...args], { timeoutMs: TIMEOUT_MS });
}

/** True once a containerd answers on its socket, else undefined; for waitFor. */
export async function containerdAnswers(binaries: Pick<Binaries, "containerd">, socket: string): Promise<true | undefined> {
  if (!existsSync(socket)) return undefined;
  await ctr(binaries, socket, ["version"]);
  return true;
}
