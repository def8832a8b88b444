import { expect, test } from "vitest";
import { bench } from "../../../bench/cutover.bench.ts";
import { runTinyBench } from "../../support/tiny-bench.ts";

test("the cutover bench moves tables there and back under its open loop, and accounts for every write", async () => {
  const run = await runTinyBench(bench);
  expect(run.exitCode, run.stderr).toBe(0);
  const figures = new Map(run.lines.map(({ metric, ours }) => [metric, ours]));
  expect([...figures.keys()]).toEqual([
    "switch_pause_p50_ms",
    "switch_pause_p99_ms",
    "switch_pause_max_ms",
    "switch_errors",
    "switch_lost_rows",
    "switch_doubled_rows",
    "switch_moves_count",
    "baseline_p99_ms",
    "client_wait_p50_ms",
  ]);
  expect(figures.get("switch_moves_count")).toBe(2);
  for (const metric of ["switch_errors", "switch_lost_rows", "switch_doubled_rows"])
    expect(figures.get(metric)).toBe(0);
  expect(run.stderr).toMatch(/[1-9]\d* acknowledged inserts looked up/);
  expect(run.stderr).toMatch(/predicted for 1 of them: [1-9]/);
});
