import { parentPort } from "node:worker_threads";
import { simulate } from "../simulation/cutover/run.ts";
import { storyOf } from "../simulation/cutover/stories.ts";

/** Asks for these seeds, both ends included. */
export interface SeedRange {
  readonly from: number;
  readonly to: number;
  /** Whether all that happened is to be told, or only what led to a failure. */
  readonly traced: boolean;
}

export interface SeedResults {
  readonly seeds: number;
  readonly attempts: number;
  /** How many of the seeds each story had. */
  readonly stories: Readonly<Record<string, number>>;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly lateLocks: number;
  /** Cells of the tables in `reached.ts`. */
  readonly reached: readonly string[];
  readonly told: readonly {
    readonly seed: number;
    readonly breaches: readonly string[];
    readonly trace: readonly string[];
  }[];
}

const port = parentPort;
if (port === null) throw new Error("simulation-worker is started by the soak of the simulation, as a thread");
port.on("message", (range: SeedRange) => {
  // A rejection ends the thread, and the soak with it.
  void runSeeds(range).then((results) => port.postMessage(results));
});

async function runSeeds({ from, to, traced }: SeedRange): Promise<SeedResults> {
  const told: SeedResults["told"][number][] = [];
  const outcomes: Record<string, number> = {};
  const stories: Record<string, number> = {};
  const reached = new Set<string>();
  let attempts = 0;
  let lateLocks = 0;
  for (let seed = from; seed <= to; seed += 1) {
    const { name, faults, options } = storyOf(seed);
    stories[name] = (stories[name] ?? 0) + 1;
    const result = await simulate({ seed, faults, ...options() });
    const { breaches } = result;
    attempts += result.attempts;
    lateLocks += result.lateLocks;
    for (const cell of result.reached) reached.add(cell);
    for (const outcome of result.outcomes) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (traced || breaches.length > 0) told.push({ seed, breaches, trace: result.trace });
  }
  return { seeds: to - from + 1, attempts, stories, outcomes, lateLocks, reached: [...reached], told };
}
