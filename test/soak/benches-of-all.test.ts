import { expect, test } from "vitest";
import { bench as catchup } from "../../bench/catchup.bench.ts";
import { bench as copy } from "../../bench/copy.bench.ts";
import { bench as diff } from "../../bench/diff.bench.ts";
import type { FigureLine } from "../../bench/frame/figures.ts";
import { bench as lag } from "../../bench/lag.bench.ts";
import { runTinyBench } from "../support/tiny-bench.ts";

const SETS = ["sysbench", "fat", "narrow", "keys"];

function named(lines: readonly FigureLine[]): string[] {
  return lines.map(({ metric, peerName }) => `${metric} / ${peerName}`).sort();
}

test("the bench of the copy moves each kind of rows with each contender", async () => {
  const run = await runTinyBench(copy, { all: true });
  expect(run.exitCode, run.stderr).toBe(0);
  const peers = ["load data", "myloader", "mysqldump"];
  expect(named(run.lines)).toEqual(
    SETS.flatMap((set) => [
      `copy_${set}_rss_mb / none`,
      ...peers.map((peer) => `copy_${set}_seconds / ${peer}`),
    ]).sort(),
  );
});

test("the bench of the catch-up applies each kind of changes on both sides", async () => {
  const run = await runTinyBench(catchup, { all: true });
  expect(run.exitCode, run.stderr).toBe(0);
  const names = SETS.map((set) => (set === "sysbench" ? "catchup" : `catchup_${set}`));
  expect(named(run.lines)).toEqual(
    names.flatMap((name) => [`${name}_row_changes_per_second / native replica`, `${name}_rss_mb / none`]).sort(),
  );
});

test("the bench of the diff sees each pause of the stream, and what it adds to the lag", async () => {
  const run = await runTinyBench(diff, { only: /pause/ });
  expect(run.exitCode, run.stderr).toBe(0);
  const figures = ["diff_pause", "diff_pause_added_lag"].flatMap((name) =>
    ["max", "p50", "p99"].map((which) => `${name}_${which}_ms / none`),
  );
  expect(named(run.lines)).toEqual([...figures, "diff_pause_count / none"].sort());
});

test("the bench of the diff compares the same rows with pt-table-checksum, which finds the one that differs", async () => {
  const run = await runTinyBench(diff, { only: /rows_per_second/ });
  expect(run.exitCode, run.stderr).toBe(0);
  expect(named(run.lines)).toEqual([
    "diff_fast_rows_per_second / pt-table-checksum",
    "diff_rows_per_second / pt-table-checksum",
  ]);
});

test("the bench of the lag sees each committed row on either follower", async () => {
  const run = await runTinyBench(lag);
  expect(run.exitCode, run.stderr).toBe(0);
  expect(named(run.lines)).toEqual([
    "lag_at_half_rate_p50_ms / native replica",
    "lag_at_half_rate_p99_ms / native replica",
    "lag_sustained_transactions_per_second / native replica",
    "lag_within_50ms_transactions_per_second / native replica",
  ]);
});
