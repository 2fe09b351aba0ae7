import { defineConfig } from "vitest/config";

/** The simulator's models of Redis and Sentinel beside the real servers. Needs apt once, for the servers. */
export default defineConfig({
  test: {
    name: "conformance",
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    pool: "forks",
    testTimeout: 120_000,
    hookTimeout: 180_000,
    globalSetup: ["../boot/setup.ts"],
  },
});
