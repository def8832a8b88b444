import type { Bench } from "../../bench/frame/bench.ts";
import type { FigureLine } from "../../bench/frame/figures.ts";
import type { BenchOptions } from "../../bench/frame/options.ts";
import { runBench } from "../../bench/frame/run-bench.ts";

/** What a bench wrote, and how it ended. */
export interface TinyRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The figures, where `--json` was given (the default here). */
  readonly lines: readonly FigureLine[];
}

/** Runs a bench in its tiny size, through the frame and as `npm run bench -- NAME --json` prints it. */
export async function runTinyBench(bench: Bench, options: Partial<BenchOptions> = {}): Promise<TinyRun> {
  let stdout = "";
  let stderr = "";
  const output = {
    stdout: {
      write: (text: string): void => {
        stdout += text;
      },
    },
    stderr: {
      write: (text: string): void => {
        stderr += text;
      },
    },
  };
  const all = { name: bench.name, json: true, all: false, only: undefined, rounds: undefined, ...options };
  const exitCode = await runBench(bench, all, output, "tiny");
  const texts = all.json ? stdout.split("\n").filter((line) => line !== "") : [];
  return { exitCode, stdout, stderr, lines: texts.map((line) => JSON.parse(line) as FigureLine) };
}
