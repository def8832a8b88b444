import { Worker } from "node:worker_threads";
import type { CampaignResult } from "./campaign.ts";
import type { WorkerOrder } from "./campaign-worker.ts";
import { SharedInput } from "./shared-input.ts";

/** An input at which a campaign stands still for so long hangs it: an endless loop cannot be stopped from within. */
const HANG_MS = 15_000;
const WATCH_EVERY_MS = 250;
const HEAP_MEBIBYTES_MAX = 1024;

/**
 * A campaign in a thread of its own, so that an input that never ends, or one that takes all memory, is a failure
 * with that input like any other.
 */
export async function runWatchedCampaign(
  targetName: string,
  seed: number,
  milliseconds: number,
): Promise<CampaignResult> {
  const shared = new SharedInput();
  const { promise, resolve } = Promise.withResolvers<CampaignResult>();
  const broken = (why: string): void => {
    const executions = shared.begun;
    const failure = { why, input: shared.get(), execution: executions - 1 };
    resolve({ executions, refused: 0, failure });
  };
  const workerData: WorkerOrder = { targetName, seed, milliseconds, shared: shared.memory };
  const worker = new Worker(new URL("./campaign-worker.ts", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MEBIBYTES_MAX },
  });
  worker.on("message", (message) => resolve(message as CampaignResult));
  worker.on("error", (error) => broken(`it ended the thread: ${error instanceof Error ? error.stack : String(error)}`));
  worker.on("exit", (code) => broken(`the thread ended with code ${code}`));
  let seen = -1;
  let seenAtMs = performance.now();
  const watch = setInterval(() => {
    const begun = shared.begun;
    if (begun !== seen) [seen, seenAtMs] = [begun, performance.now()];
    else if (performance.now() - seenAtMs > HANG_MS) broken(`it does not end: nothing came of it in ${HANG_MS} ms`);
  }, WATCH_EVERY_MS);
  const result = await promise;
  clearInterval(watch);
  await worker.terminate();
  return { ...result, failure: result.failure && { ...result.failure, input: Buffer.from(result.failure.input) } };
}
