import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type { Summary } from "../../demo/summary.ts";

const project = resolve(import.meta.dirname, "../..");
const RUNS = Number(process.env["SWITCHYARD_DEMO_RUNS"] ?? 10);
const PAUSE_MS_MAX = 250;
const SECONDS_MAX = 120;

describe.each([
  ["in one process", []],
  ["as a fleet over etcd", ["--etcd"]],
])(`${RUNS} demos in a row, %s`, (_where, options) => {
  test.each(Array.from({ length: RUNS }, (_, index) => index + 1))("demo %i keeps every promise", () => {
    const startedAt = performance.now();
    const args = [join(project, "scripts/demo.mjs"), "--json", ...options];
    const ran = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
    const seconds = (performance.now() - startedAt) / 1000;
    expect(ran.status, ran.stdout).toBe(0);
    const summary = JSON.parse(ran.stdout.trimEnd().split("\n").at(-1) ?? "") as Summary;
    expect(Object.keys(summary)).toEqual([
      "rowsCopied",
      "rowsVerified",
      "differences",
      "clientStatements",
      "clientErrors",
      "acknowledgedWrites",
      "unknownWrites",
      "lostWrites",
      "doubledWrites",
      "writesCommittedOnNewHome",
      "switches",
      "rollbacks",
      "pausesMs",
      "copySeconds",
      "diffSeconds",
    ]);
    expect(summary).toMatchObject({
      differences: 0,
      clientErrors: 0,
      unknownWrites: 0,
      lostWrites: 0,
      doubledWrites: 0,
      switches: 2,
      rollbacks: 1,
    });
    expect(summary.writesCommittedOnNewHome).toBeGreaterThan(0);
    expect(summary.pausesMs).toHaveLength(3);
    expect(Math.max(...summary.pausesMs)).toBeLessThanOrEqual(PAUSE_MS_MAX);
    expect(seconds).toBeLessThanOrEqual(SECONDS_MAX);
  });
});
