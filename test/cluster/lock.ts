import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { say } from "./progress.ts";

/**
 * Does the work while it holds an exclusive lock on a file. The lock is held by flock(1), whose input is a pipe from this
 * process: however this process ends, the pipe closes and the lock is free again.
 */
export async function withLock<T>(file: string, what: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  const holder = spawn("flock", ["--exclusive", file, "sh", "-c", "echo locked; cat"], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise<void>((resolve) => holder.once("close", () => resolve()));
  const notice = setTimeout(() => say(`waiting for another process to finish: ${what}`), 1000);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once("error", reject);
      holder.once("exit", (code) => reject(new Error(`flock on ${file} ended with ${code}`)));
      holder.stdout.once("data", () => resolve());
    });
    clearTimeout(notice);
    return await work();
  } finally {
    clearTimeout(notice);
    holder.stdin.end();
    await ended;
  }
}
