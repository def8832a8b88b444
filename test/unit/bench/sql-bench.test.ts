import { expect, test } from "vitest";
import { bench } from "../../../bench/sql.bench.ts";
import { runTinyBench } from "../../support/tiny-bench.ts";

test("the bench of the reader of statements gives a time for each", async () => {
  const run = await runTinyBench(bench, { all: true });
  expect(run.exitCode, run.stderr).toBe(0);
  const metrics = run.lines.map(({ metric, peerName }) => `${metric} / ${peerName}`);
  expect(metrics.sort()).toEqual([
    "sql_insert_us / none",
    "sql_join_us / none",
    "sql_point_select_us / none",
    "sql_typical_statement_us / none",
  ]);
  for (const { ours } of run.lines) expect(ours).toBeGreaterThan(0);
});
