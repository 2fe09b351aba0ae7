import { defineConfig } from "vitest/config";
import { RightsLast } from "./test/e2e/lib/last.ts";

/** Thousands of simulated groups: a stage of its own, as it takes all processors. */
const SEEDS = "test/simulation/seeds.test.ts";

/** Tests that start the real server as a process and take minutes. */
const PROCESSES = "test/unit/**/*process.test.ts";

/**
 * The test projects; `npm test` runs them in this order (scripts/test.ts). One alone: `npx vitest run --project unit`.
 * unit: seconds, nothing beyond this machine's loopback. simulation: the handlers in simulated time. process: the server under load. page: the page in a real Chromium. boot: the scripts with real servers. protocol: the sentinels' own. cluster: everything, on real Kubernetes.
 */
export default defineConfig({
  test: {
    // Most unit tests wait more than they compute. The other projects set this to one at a time.
    maxWorkers: 3,
    sequence: { sequencer: RightsLast },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/{unit,scenarios,simulation,cluster}/**/*.test.ts"],
          exclude: [PROCESSES, SEEDS],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "simulation",
          include: [SEEDS],
        },
      },
      {
        test: {
          name: "process",
          include: [PROCESSES],
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "page",
          include: ["test/page/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 60_000,
          // The first time on a machine Chromium is installed.
          hookTimeout: 300_000,
        },
      },
      "test/boot/vitest.config.ts",
      {
        // Not part of `npm test`: building cert-manager takes minutes. npm run test:cert-manager
        test: {
          name: "cert-manager",
          include: ["test/cert-manager/**/*.test.ts"],
          globalSetup: ["test/e2e/lib/setup.ts"],
          testTimeout: 600_000,
        },
      },
      "test/protocol/vitest.config.ts",
      "test/conformance/vitest.config.ts",
      {
        test: {
          name: "cluster",
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/e2e/lib/setup.ts"],
          // One cluster on one machine: side by side the tests would measure each other.
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
