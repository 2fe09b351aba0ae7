/** Which version of this repository measured something. */
import { spawnSync } from "node:child_process";

const UNKNOWN = "unknown";
/** Results and pages are written by the very runs that ask: they don't change what is measured. */
const MEASURED = [".", ":!*.md", ":!*.json"];

/** The short name of the commit that is checked out, with `-dirty` where files differ from it; "unknown" outside of a repository. */
export function commit(): string {
  const head = git(["rev-parse", "--short", "HEAD"]);
  if (head === undefined) return UNKNOWN;
  const changed = git(["status", "--porcelain", "--untracked-files=no", "--", ...MEASURED]);
  return changed === "" ? head : `${head}-dirty`;
}

/** `about` of results to which runs of this version are added: `commit` names all versions, in their order. */
export function withCommit<T>(about: Readonly<Record<string, T>>, now: string = commit()): Record<string, T | string> {
  const before = about.commit === undefined ? [] : String(about.commit).split(" and ");
  return { ...about, commit: (before.includes(now) ? before : [...before, now]).join(" and ") };
}

function git(args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}
