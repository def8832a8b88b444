import { parentPort, workerData } from "node:worker_threads";
import { runCampaign } from "./campaign.ts";
import { SharedInput } from "./shared-input.ts";
import { loadTarget } from "./target-names.ts";

export interface WorkerOrder {
  readonly targetName: string;
  readonly seed: number;
  readonly milliseconds: number;
  readonly shared: SharedArrayBuffer;
}

const order = workerData as WorkerOrder;
const target = await loadTarget(order.targetName);
if (target === undefined) throw new Error(`no target is called ${order.targetName}`);
const shared = new SharedInput(order.shared);
const result = await runCampaign(target, {
  seed: order.seed,
  endsAtMs: performance.now() + order.milliseconds,
  before: (input, execution) => shared.set(input, execution),
});
parentPort?.postMessage(result);
