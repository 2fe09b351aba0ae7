import { defineConfig } from "vitest/config";

/** The sentinels' internal protocol as the handlers speak it, with real servers of every version. Needs apt once, for the servers. */
export default defineConfig({
  test: {
    name: "protocol",
    root: import.meta.dirname,
    include: ["**/*.test.ts"],
    pool: "forks",
    testTimeout: 40_000,
    hookTimeout: 180_000,
    globalSetup: ["../boot/setup.ts"],
  },
});
