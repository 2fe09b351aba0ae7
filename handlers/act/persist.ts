/** A command to a server that must not be lost to one late answer. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Link } from "../observe/link.ts";

const TRIES = 4;
const TRY_MS = 500;

/** Tries a command that may be repeated a few times; false when it never was answered with a success. */
export async function persist(link: Link, command: readonly string[]): Promise<boolean> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    try {
      await link.call(command, TRY_MS);
      return true;
    } catch {
      await sleep(50 * (attempt + 1));
    }
  }
  return false;
}
