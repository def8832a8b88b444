import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { isSwitchyardError } from "../../src/base/errors.ts";
import type { FuzzFailure, FuzzTarget } from "./fuzz-target.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";

/** An input that keeps the target busy for longer is a failure. */
const INPUT_MS_MAX = 1000;
/** Memory that one input may set aside, and memory that may remain of all of them. */
const MEMORY_BYTES_MAX = 128 * 1024 * 1024;
const MEMORY_CHECK_EVERY = 20_000;

export interface CampaignOptions {
  readonly seed: number;
  /** It ends after so many executions, */
  readonly executionsMax?: number;
  /** or when this time of `performance.now()` has come, whichever is first. */
  readonly endsAtMs?: number;
  /** Told of every input before the target sees it: whoever watches from outside can tell where it hangs. */
  readonly before?: (input: Buffer, execution: number) => void;
}

export interface CampaignResult {
  readonly executions: number;
  /** Executions that ended with an error that the contract allows. */
  readonly refused: number;
  readonly failure: FuzzFailure | undefined;
}

/** Gives `target` its corpus, then changes of it, until the first failure or the end. The same seed does the same. */
export async function runCampaign(target: FuzzTarget, options: CampaignOptions): Promise<CampaignResult> {
  const corpus = await target.corpus();
  const material = { corpus, dictionary: target.dictionary ?? [] };
  const memory = new MemoryWatch();
  const { executionsMax = Number.POSITIVE_INFINITY, endsAtMs = Number.POSITIVE_INFINITY } = options;
  let refused = 0;
  let execution = 0;
  for (; execution < executionsMax; execution++) {
    const input = corpus[execution] ?? mutate(Random.ofExecution(options.seed, execution), material);
    options.before?.(input, execution);
    const verdict = await tryInput(target, input);
    if (verdict.refused) refused++;
    let why = verdict.failure ?? memory.afterInput(input);
    if (execution % MEMORY_CHECK_EVERY === MEMORY_CHECK_EVERY - 1) why ??= await memory.afterMany();
    if (why !== undefined) return { executions: execution + 1, refused, failure: { why, input, execution } };
    if (performance.now() >= endsAtMs) return { executions: execution + 1, refused, failure: undefined };
  }
  return { executions: execution, refused, failure: undefined };
}

export interface InputVerdict {
  readonly refused: boolean;
  readonly failure: string | undefined;
}

/** One input: whether it was refused as it may be, and what is wrong if something is. */
export async function tryInput(target: FuzzTarget, input: Buffer): Promise<InputVerdict> {
  const first = await timed(target, input);
  if (first.ms <= INPUT_MS_MAX) return first;
  // The machine may have been busy with something else: only an input that is slow every time is at fault.
  const again = [await timed(target, input), await timed(target, input)];
  const ms = Math.min(first.ms, ...again.map((run) => run.ms));
  if (ms <= INPUT_MS_MAX) return first;
  return { refused: first.refused, failure: first.failure ?? `it takes ${Math.round(ms)} ms, ${INPUT_MS_MAX} allowed` };
}

async function timed(target: FuzzTarget, input: Buffer): Promise<InputVerdict & { readonly ms: number }> {
  const startedAt = performance.now();
  try {
    const running = target.run(input);
    if (running !== undefined) await running;
    return { refused: false, failure: undefined, ms: performance.now() - startedAt };
  } catch (error) {
    const failure = isAllowed(target, error) ? undefined : `it threw ${describe(error)}`;
    return { refused: true, failure, ms: performance.now() - startedAt };
  }
}

function isAllowed(target: FuzzTarget, error: unknown): boolean {
  if (!isSwitchyardError(error)) return false;
  return target.errors === undefined ? error.code !== "INTERNAL_INVARIANT" : target.errors.includes(error.code);
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/**
 * Memory of the heap and outside of it. What one input sets aside shows at once, since nothing is given back before
 * the next collection; what remains of many shows after one.
 */
class MemoryWatch {
  readonly #collect = collector();
  #before = memoryBytes();
  #settled: number | undefined;

  afterInput(input: Buffer): string | undefined {
    const bytes = memoryBytes();
    const grown = bytes - this.#before;
    this.#before = bytes;
    if (grown <= MEMORY_BYTES_MAX) return undefined;
    return `it set aside ${mebibytes(grown)} for an input of ${input.length} bytes`;
  }

  async afterMany(): Promise<string | undefined> {
    // Node gives some of it back in the next turn only: what a decompressor has used that met damaged bytes.
    await new Promise((resolve) => setImmediate(resolve));
    this.#collect();
    const bytes = memoryBytes();
    this.#before = bytes;
    this.#settled ??= bytes;
    const grown = bytes - this.#settled;
    if (grown <= MEMORY_BYTES_MAX) return undefined;
    return `inputs up to this one left ${mebibytes(grown)} behind`;
  }
}

function memoryBytes(): number {
  const statistics = getHeapStatistics();
  return statistics.used_heap_size + statistics.external_memory;
}

/** The collector of garbage, whether or not Node was started with `--expose-gc`. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / (1024 * 1024))} MiB`;
}
