import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { coverageLines } from "../simulation/cutover/reached.ts";
import { storyOf } from "../simulation/cutover/stories.ts";
import type { SeedRange, SeedResults } from "./simulation-worker.ts";
import { type Soak, wholeNumber } from "./soak.ts";

/** Seeds that a thread takes at a time. */
const PORTION = 20;
const PROGRESS_MS = 5000;
const FAILURES_SHOWN_MAX = 5;

interface Totals {
  seeds: number;
  attempts: number;
  readonly stories: Record<string, number>;
  readonly outcomes: Record<string, number>;
  readonly reached: Set<string>;
  lateLocks: number;
  failures: number;
}

/**
 * Runs the simulated switch for many seeds, on every core. What goes wrong in a run, and when, is decided by its seed
 * alone: the seed's number chooses the kinds of faults, or a scene, in turn, and how many proxies and controllers there are;
 * and the run does the same whenever it is repeated.
 */
export const soak: Soak = {
  usage: [
    "--seeds N      how many seeds (100000)",
    "--from S       the first of them (1); where a run was cut, it goes on from there",
    "--threads N    threads at work (one for each core)",
    "--trace        prints all that happened in each run; for a single seed always",
  ],
  run: async (args) => {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seeds: { type: "string", default: "100000" },
        from: { type: "string", default: "1" },
        threads: { type: "string", default: String(availableParallelism()) },
        trace: { type: "boolean", default: false },
      },
    });
    const seeds = wholeNumber("seeds", values.seeds, 1);
    const from = wholeNumber("from", values.from, 1);
    const threads = Math.min(wholeNumber("threads", values.threads, 1), Math.ceil(seeds / PORTION));
    const traced = values.trace || seeds === 1;
    process.stdout.write(`seeds ${from} to ${from + seeds - 1}, on ${threads} threads\n`);
    const totals: Totals = {
      seeds: 0,
      attempts: 0,
      stories: {},
      outcomes: {},
      reached: new Set(),
      lateLocks: 0,
      failures: 0,
    };
    const startedAt = performance.now();
    const progress = setInterval(() => process.stdout.write(`${line(totals, seeds, startedAt)}\n`), PROGRESS_MS);
    const next = portions(from, seeds);
    try {
      await Promise.all(Array.from({ length: threads }, () => work(next, traced, totals)));
    } finally {
      clearInterval(progress);
    }
    process.stdout.write(`${line(totals, seeds, startedAt)}\n`);
    for (const [name, count] of Object.entries(totals.stories)) process.stdout.write(`  ${count} seeds of ${name}\n`);
    for (const text of coverageLines(totals.reached)) process.stdout.write(`${text}\n`);
    process.stdout.write(
      `  ${totals.lateLocks} errors by a lock that came too late, see "Not proven here" in SPEC.md\n`,
    );
    process.stdout.write(totals.failures === 0 ? "nothing was found\n" : `${totals.failures} seeds FAILED\n`);
    return totals.failures === 0 ? 0 : 1;
  },
};

/** Hands out the seeds, some at a time, to whoever asks next. */
function portions(from: number, seeds: number): () => { readonly from: number; readonly to: number } | undefined {
  let at = from;
  return () => {
    if (at >= from + seeds) return undefined;
    const portion = { from: at, to: Math.min(at + PORTION, from + seeds) - 1 };
    at = portion.to + 1;
    return portion;
  };
}

/** One thread, until no seeds are left. */
function work(next: ReturnType<typeof portions>, traced: boolean, totals: Totals): Promise<void> {
  const worker = new Worker(new URL("./simulation-worker.ts", import.meta.url), {
    // What a run makes is garbage soon after: room for the young saves copying it about.
    resourceLimits: { maxYoungGenerationSizeMb: 64 },
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const ask = (): void => {
    const portion = next();
    if (portion === undefined) void worker.terminate().then(() => resolve(), reject);
    else worker.postMessage({ ...portion, traced } satisfies SeedRange);
  };
  worker.on("error", reject);
  worker.on("message", (results: SeedResults) => {
    take(results, totals);
    ask();
  });
  ask();
  return promise;
}

function take(results: SeedResults, totals: Totals): void {
  totals.seeds += results.seeds;
  totals.attempts += results.attempts;
  totals.lateLocks += results.lateLocks;
  for (const cell of results.reached) totals.reached.add(cell);
  add(totals.outcomes, results.outcomes);
  add(totals.stories, results.stories);
  for (const { seed, breaches, trace } of results.told) {
    if (breaches.length === 0) {
      process.stdout.write(`seed ${seed} (${storyOf(seed).name})\n${trace.join("\n")}\n`);
      continue;
    }
    totals.failures += 1;
    if (totals.failures > FAILURES_SHOWN_MAX) process.stdout.write(`seed ${seed} FAILED: ${breaches[0]}\n`);
    else process.stdout.write(`${trace.join("\n")}\n${failure(seed, breaches)}\n`);
  }
}

function add(totals: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) totals[name] = (totals[name] ?? 0) + count;
}

function failure(seed: number, breaches: readonly string[]): string {
  return [
    `seed ${seed} FAILED (${storyOf(seed).name}):`,
    ...breaches.map((breach) => `  ${breach}`),
    `  again: npm run soak -- cutover --seeds 1 --from ${seed}`,
  ].join("\n");
}

function line(totals: Totals, seeds: number, startedAt: number): string {
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage();
  const perCpuSecond = totals.seeds / ((user + system) / 1e6);
  const ended = Object.entries(totals.outcomes)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(", ");
  return (
    `${totals.seeds} of ${seeds} seeds in ${seconds.toFixed(1)} s, ${(totals.seeds / seconds).toFixed(0)} seeds/s ` +
    `(${perCpuSecond.toFixed(0)} a second of one core); ${totals.attempts} attempts: ${ended}`
  );
}
