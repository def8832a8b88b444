import { type Logger, silentLogger } from "../../src/base/logger.ts";
import { createMetrics } from "../../src/metrics/registry.ts";
import { arm, disarm, drained, type Harness, hold, startHarness, swap } from "../integration/proxy/proxy-harness.ts";
import type { TestServer } from "../support/servers.ts";

/** What the worker is started with, as JSON behind its name. */
export interface SoakWorkerOptions {
  readonly old: SoakServer;
  readonly new: SoakServer;
  readonly sampleMs: number;
}

type SoakServer = Pick<TestServer, "host" | "port">;

/** What it tells. */
export type SoakWorkerMessage =
  | { readonly is: "ready"; readonly port: number }
  | { readonly is: "swapped"; readonly ms: number }
  | { readonly is: "sample"; readonly heapBytes: number; readonly residentBytes: number; readonly handles: number }
  | { readonly is: "problem"; readonly problem: string };

/** What it is told: to move the tables to and fro from now on, or to end. */
export type SoakWorkerOrder = "swap" | "end";

const SWAP_EVERY_MS = 1000;

/**
 * A proxy worker in a process of its own, whose memory and handles are nobody else's. Told to, it moves `shop.orders` to
 * the other home once a second, through the rules in the store and by all steps of a switch.
 */
async function main(options: SoakWorkerOptions): Promise<void> {
  const harness = await startHarness(options, { log: loudLogger(), metrics: createMetrics("soak") });
  process.on("message", (order: SoakWorkerOrder) => {
    if (order === "end") void harness.close().then(() => process.exit(0));
    else {
      setInterval(sample, options.sampleMs);
      swapForEver(harness).catch((error: unknown) => tell({ is: "problem", problem: `the swaps ended: ${error}` }));
    }
  });
  tell({ is: "ready", port: harness.port });
}

async function swapForEver(harness: Harness): Promise<never> {
  for (let count = 0; ; count += 1) {
    const [oldHome, newHome] = count % 2 === 0 ? ["old", "new"] : ["new", "old"];
    const token = `swap-${count}`;
    const startedAt = performance.now();
    await arm(harness, token, newHome);
    await hold(harness, { token, oldHome, newHome });
    await drained(harness);
    await swap(harness, token);
    await disarm(harness, token);
    const ms = performance.now() - startedAt;
    tell({ is: "swapped", ms });
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, SWAP_EVERY_MS - ms)));
  }
}

function sample(): void {
  // Twice: what finalizers let go is collected by the second.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  const handles = process.getActiveResourcesInfo().length;
  tell({ is: "sample", heapBytes: heapUsed + arrayBuffers, residentBytes: rss, handles });
}

/** A proxy that is well warns of nothing. */
function loudLogger(): Logger {
  const say = (fields: Readonly<Record<string, unknown>>, message: string): void =>
    tell({ is: "problem", problem: `the proxy says: ${message} ${JSON.stringify(fields)}` });
  const logger: Logger = { ...silentLogger, warn: say, error: say, child: () => logger };
  return logger;
}

function tell(message: SoakWorkerMessage): void {
  process.send?.(message);
}

await main(JSON.parse(process.argv[2] ?? "{}") as SoakWorkerOptions);
