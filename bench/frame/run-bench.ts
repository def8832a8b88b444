import { rmSync } from "node:fs";
import { makeRunFolder } from "../../servers/run-folder.ts";
import { SetupError } from "../../servers/setup-error.ts";
import type { Bench, BenchSize } from "./bench.ts";
import { createContext, DEFAULT_DURATION_MAX_MS } from "./context.ts";
import { type FigureLine, figureLine, figureTable } from "./figures.ts";
import { describeMachine } from "./machine.ts";
import type { BenchOptions } from "./options.ts";

/** Where the text goes. */
export interface Output {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
}

/** Runs one bench and prints what it found; gives the exit code: 1 where it could not measure. */
export async function runBench(bench: Bench, options: BenchOptions, output: Output, size: BenchSize): Promise<number> {
  try {
    const lines = await measure(bench, options, output, size);
    if (options.json) for (const line of lines) output.stdout.write(`${JSON.stringify(line)}\n`);
    else output.stdout.write(`\n${figureTable(lines)}\n`);
    return 0;
  } catch (error) {
    const text = error instanceof Error && !(error instanceof SetupError) ? error.stack : String(error);
    output.stderr.write(`${bench.name} has failed: ${text}\n`);
    return 1;
  }
}

async function measure(
  bench: Bench,
  options: BenchOptions,
  output: Output,
  size: BenchSize,
): Promise<readonly FigureLine[]> {
  const people = options.json ? output.stderr : output.stdout;
  const folder = makeRunFolder();
  try {
    const durationMaxMs = options.all ? Number.POSITIVE_INFINITY : DEFAULT_DURATION_MAX_MS;
    const context = createContext({ ...options, size, durationMaxMs }, folder, (line) => {
      people.write(`${line}\n`);
    });
    context.say(`${bench.name}: ${bench.about}\n`);
    context.describe("machine", describeMachine());
    const figures = await bench.run(context);
    const lines = figures.filter(({ metric }) => context.wants(metric)).map((figure) => figureLine(bench.name, figure));
    if (lines.length === 0)
      throw new Error(`no figure was measured${options.only ? ` that ${options.only} matches` : ""}`);
    return lines;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
