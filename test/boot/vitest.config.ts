import { defineConfig } from "vitest/config";

/** The boot scripts with real servers: `vitest run --config test/boot/vitest.config.ts`. Needs apt once, for the servers. */
export default defineConfig({
  test: {
    name: "boot",
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    maxConcurrency: 4,
    testTimeout: 60_000,
    hookTimeout: 180_000,
    globalSetup: ["./setup.ts"],
  },
});
