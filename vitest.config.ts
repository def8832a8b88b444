import { defineConfig } from "vitest/config";
import SlowFirst from "./test/support/slow-first.ts";

const SECONDS = 1000;

export default defineConfig({
  test: {
    reporters: ["default", "./test/support/plain-summary.ts"],
    // Two cores, and tests that mostly wait for servers: a third file uses the time in which two of them do.
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/unit/**/*.test.ts", "test/simulation/**/*.test.ts", "test/tidy.test.ts"],
          // Its modules import folders, which Node does not resolve.
          server: { deps: { inline: ["dt-sql-parser"] } },
          testTimeout: 20 * SECONDS,
        },
      },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          testTimeout: 60 * SECONDS,
          hookTimeout: 120 * SECONDS,
          globalSetup: ["test/support/provide-servers.ts"],
        },
      },
      {
        test: {
          name: "scenarios",
          sequence: { groupOrder: 1 },
          include: ["test/scenarios/*.test.ts"],
          testTimeout: 120 * SECONDS,
          hookTimeout: 120 * SECONDS,
          globalSetup: ["test/support/provide-servers.ts"],
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "clients",
          sequence: { groupOrder: 2 },
          include: ["test/clients/*.test.ts"],
          testTimeout: 120 * SECONDS,
          hookTimeout: 300 * SECONDS,
          globalSetup: ["test/clients/provide-clients.ts"],
          fileParallelism: false,
        },
      },
      {
        test: {
          name: "soak",
          // Demos and soaks measure: nothing else may run beside them.
          sequence: { groupOrder: 3 },
          include: ["test/soak/**/*.test.ts"],
          testTimeout: 3600 * SECONDS,
          hookTimeout: 120 * SECONDS,
          globalSetup: ["test/support/provide-servers.ts"],
          fileParallelism: false,
        },
      },
    ],
  },
});
