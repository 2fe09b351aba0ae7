/** Module hooks of a thread that simulates: the product gets the simulated ioredis, and, where a mutant is tried, its changed source. */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export interface Change {
  /** a file of the project, from its root */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const ROOT = join(import.meta.dirname, "../../..");
const IOREDIS = pathToFileURL(join(import.meta.dirname, "../servers/ioredis.ts")).href;

/** Once in a thread, before the product is loaded. Rejects a change whose text is not in its file exactly once. */
export function replaceModules(changes: readonly Change[] = []): void {
  const changed = new Map<string, string>();
  for (const { file, find, replace } of changes) {
    const path = join(ROOT, file);
    const text = changed.get(path) ?? readFileSync(path, "utf8");
    const parts = text.split(find);
    if (parts.length !== 2) throw new Error(`${file} holds ${JSON.stringify(find)} ${parts.length - 1} times, not once`);
    changed.set(path, parts.join(replace));
  }
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "ioredis" ? { url: IOREDIS, format: "module-typescript", shortCircuit: true } : next(specifier, context),
    load: (url, context, next) => {
      const source = url.startsWith("file:") ? changed.get(fileURLToPath(url)) : undefined;
      return source === undefined ? next(url, context) : { format: "module-typescript", source, shortCircuit: true };
    },
  });
}
