/** The admission path stays what it is: a function of the request. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const FOLDER = join(import.meta.dirname, "../../../webhook");
/** All that the webhook is made of, besides its own files and the vocabulary. */
const ALLOWED = /^(fastify|pino|prom-client|typebox(\/schema)?|commander|node:(crypto|https|tls))$/;

test("no call to anything else is possible while an admission is answered: nothing that could make one is imported", () => {
  const files = readdirSync(FOLDER, { recursive: true }).map(String);
  const imports = files
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => {
      const text = readFileSync(join(FOLDER, file), "utf8");
      const found = [
        ...text.matchAll(/^(?:import|export)\s(?!type\b)[^;]*?from "([^"]+)"/gm),
        ...text.matchAll(/import\("([^"]+)"\)/g),
      ];
      return found.map(([, from = ""]) => ({ file, from }));
    });
  expect(imports.length).toBeGreaterThan(20);
  const others = imports.filter(
    ({ from }) => !(from.startsWith("./") || /^(\.\.\/)+(model\/|[a-z-]+\.ts)/.test(from) || ALLOWED.test(from)),
  );
  expect(others).toEqual([]);
  // Of node:https only the type of the server is used.
  expect(imports.filter(({ from }) => from === "node:https")).toEqual([]);
});
