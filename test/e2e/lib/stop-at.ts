/** Makes a replica of the handlers stand still, or die, exactly when a failover or a handover has reached a step. Only in the tool's clusters. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { containerPid } from "../../cluster/cluster.ts";
import { type Bed, SYSTEM } from "./bed.ts";

export interface Moment {
  readonly kind: "failover" | "handover";
  readonly step: string;
}

export interface Standstill {
  /** Resolves when the step is reached: the process does nothing any more from there on, its connections stay open. */
  reached(withinMs: number): Promise<void>;
  /** kill -9 of the process as it stands. */
  kill(): void;
  /** It goes on as if nothing had been. */
  resume(): void;
  /** Ends the observation; the process goes on if it lives. */
  close(): void;
}

const ARM_MS = 20_000;

/** Resolves when the process will stand still at that moment. */
export async function stopAt(bed: Bed, pod: string, moment: Moment): Promise<Standstill> {
  if (!("cluster" in bed.where)) throw new Error("processes can be stopped only in a cluster of the cluster tool");
  const pid = await containerPid(SYSTEM, pod, "redis-ha", { name: bed.where.cluster });
  process.kill(pid, "SIGUSR1");
  const script = join(import.meta.dirname, "inspect", "attach.ts");
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", script, moment.kind, moment.step];
  const child = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, ...node], { stdio: ["pipe", "pipe", "inherit"] });
  const said = listen(child);
  await said("armed", ARM_MS);
  return {
    reached: async (withinMs) => await said("reached", withinMs),
    kill: () => void process.kill(pid, "SIGKILL"),
    resume: () => void child.stdin.write("resume\n"),
    close: () => void child.kill(),
  };
}

/** Waits for a word of the child; fails when it ends or the time is over. */
function listen(child: ChildProcess): (word: string, withinMs: number) => Promise<void> {
  const heard = new Set<string>();
  let changed = Promise.withResolvers<void>();
  const note = (word: string): void => {
    heard.add(word);
    changed.resolve();
    changed = Promise.withResolvers<void>();
  };
  if (child.stdout === null) throw new Error("no output to listen to");
  createInterface({ input: child.stdout }).on("line", note);
  child.on("exit", () => note("exit"));
  return async (word, withinMs) => {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, withinMs);
    const deadline = performance.now() + withinMs;
    try {
      while (!heard.has(word)) {
        if (heard.has("exit")) throw new Error(`the inspector's connection ended before "${word}"`);
        if (performance.now() >= deadline) throw new Error(`not "${word}" within ${withinMs} ms`);
        await Promise.race([changed.promise, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  };
}
