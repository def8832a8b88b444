import { expect, test } from "vitest";
import { bench as catchup } from "../../../bench/catchup.bench.ts";
import { bench as copy } from "../../../bench/copy.bench.ts";
import { bench as decode } from "../../../bench/decode.bench.ts";
import { bench as diff } from "../../../bench/diff.bench.ts";
import type { FigureLine } from "../../../bench/frame/figures.ts";
import { runTinyBench } from "../../support/tiny-bench.ts";

const MINUTES = 60_000;

/** Which figures there are; how large they are is nobody's business on a few rows. */
function named(lines: readonly FigureLine[]): string[] {
  for (const line of lines) {
    expect(line.ours).toBeGreaterThan(0);
    expect(line.ratio === null).toBe(line.peerName === "none");
  }
  return lines.map(({ metric, peerName }) => `${metric} / ${peerName}`).sort();
}

test(
  "the bench of the copy fills a target with each contender, and looks at what each has left",
  async () => {
    const run = await runTinyBench(copy, { all: true, only: /sysbench/ });
    expect(run.stderr).toMatch(/round 1 {2}switchyard: seconds/);
    expect(run.exitCode).toBe(0);
    expect(named(run.lines)).toEqual([
      "copy_sysbench_rss_mb / none",
      "copy_sysbench_seconds / load data",
      "copy_sysbench_seconds / myloader",
      "copy_sysbench_seconds / mysqldump",
    ]);
  },
  2 * MINUTES,
);

test(
  "the bench of the catch-up applies the same transactions on both sides, and compares the rows",
  async () => {
    const run = await runTinyBench(catchup);
    expect(run.exitCode).toBe(0);
    expect(named(run.lines)).toEqual(["catchup_row_changes_per_second / native replica", "catchup_rss_mb / none"]);
  },
  2 * MINUTES,
);

test(
  "the bench of the diff compares all rows of both sides",
  async () => {
    const run = await runTinyBench(diff, { only: /sysbench/ });
    expect(run.exitCode).toBe(0);
    expect(named(run.lines)).toEqual([
      "diff_fast_sysbench_seconds / mysqldump",
      "diff_fast_sysbench_seconds / select *",
      "diff_sysbench_rss_mb / none",
      "diff_sysbench_seconds / mysqldump",
      "diff_sysbench_seconds / select *",
    ]);
  },
  2 * MINUTES,
);

test(
  "the bench of the decoder finds every row in the log of a real server",
  async () => {
    const run = await runTinyBench(decode, { all: true });
    expect(run.exitCode, run.stderr).toBe(0);
    expect(named(run.lines)).toEqual([
      "decode_megabytes_per_second / none",
      "decode_rows_per_second / none",
      "decode_walk_rows_per_second / none",
    ]);
  },
  2 * MINUTES,
);
