import { systemClock } from "../../src/base/clock.ts";
import { messageOf } from "../../src/base/errors.ts";
import { noFailpoints } from "../../src/base/failpoints.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { parseTableKey } from "../../src/base/table-name.ts";
import type { DiffStreamPort } from "../../src/diff/diff-options.ts";
import { runDiff } from "../../src/diff/run-diff.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import type { Endpoint } from "../../src/mysql/endpoint.ts";
import { Stream } from "../../src/replication/stream.ts";
import { wallMs } from "../lag/probe.ts";

/**
 * What the bench asks of this program, one after the other: `ready` is answered once the program has been loaded,
 * `running` once the stream has the state of that name, `reach` once everything in the position has been applied.
 */
export type StreamOrder =
  | {
      readonly order: "open";
      readonly migration: string;
      readonly source: Endpoint;
      readonly target: Endpoint;
      readonly tables: readonly string[];
    }
  | { readonly order: "ready" | "running" | "close" }
  | { readonly order: "diff"; readonly fast?: boolean; readonly sliceMaxMs?: number }
  | { readonly order: "reach"; readonly position: string };

/** How long the stream has stood for a snapshot, as the diff reports it, and until when, by {@link wallMs}. */
export interface StreamPause {
  readonly ms: number;
  readonly endedMs: number;
}

/** What a diff adds to its answer: rows compared, how many of them differ, and the pauses of the stream. */
interface DiffAnswer {
  readonly rows?: number;
  readonly differences?: number;
  readonly pauses?: readonly StreamPause[];
}

/** The answer to each: how long it took here, and the largest size that this process has had. */
export interface StreamAnswer extends DiffAnswer {
  readonly order: StreamOrder["order"];
  readonly ms: number;
  readonly peakRssMb: number;
  readonly rowsCopied: number;
  readonly drift: number;
  readonly error?: string;
}

const POLL_MS = 5;
const REACH_TIMEOUT_MS = 600_000;

let stream: Stream | undefined;
let options: Extract<StreamOrder, { readonly order: "open" }> | undefined;
let failure: Error | undefined;

/** Opens the stream as the controller does, with the limits that it has there. */
function open(order: Extract<StreamOrder, { readonly order: "open" }>): void {
  options = order;
  const opened = new Stream({
    migration: order.migration,
    direction: "forward",
    source: order.source,
    target: order.target,
    tables: order.tables.map(parseTableKey),
    clock: systemClock,
    log: silentLogger,
    failpoint: noFailpoints,
  });
  stream = opened;
  opened.run().catch((error: unknown) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
}

async function untilRunning(): Promise<void> {
  while (running().status().state !== "running") await systemClock.sleep(POLL_MS);
}

function running(): Stream {
  if (failure !== undefined) throw failure;
  if (stream === undefined) throw new Error("no stream has been opened");
  return stream;
}

/** A diff as `diff start` runs it: beside the stream, in the same process. */
async function diff({
  fast = false,
  sliceMaxMs,
}: Extract<StreamOrder, { readonly order: "diff" }>): Promise<DiffAnswer> {
  const one = running();
  if (options === undefined) throw new Error("no stream has been opened");
  const port: DiffStreamPort = {
    closeIntake: () => one.closeIntake(),
    pauseIntake: () => one.pauseIntake(),
    stopAt: (position, wishes) => one.stopAt(GtidSet.parse(position), wishes),
    continue: () => one.continue(),
  };
  const pauses: StreamPause[] = [];
  const { rows, differences } = await runDiff({
    migration: options.migration,
    direction: "forward",
    home: options.source,
    other: options.target,
    tables: options.tables.map(parseTableKey),
    stream: port,
    fast,
    ...(sliceMaxMs === undefined ? {} : { limits: { sliceMaxMs } }),
    onProgress: () => undefined,
    onPause: (ms) => pauses.push({ ms, endedMs: wallMs() }),
    signal: new AbortController().signal,
    log: silentLogger,
    clock: systemClock,
    failpoint: noFailpoints,
  });
  return { rows, differences, pauses };
}

async function obey(order: StreamOrder): Promise<DiffAnswer> {
  switch (order.order) {
    case "ready":
      return {};
    case "open":
      open(order);
      return {};
    case "running":
      await untilRunning();
      return {};
    case "reach":
      await running().waitFor(GtidSet.parse(order.position), { timeoutMs: REACH_TIMEOUT_MS });
      return {};
    case "diff":
      return await diff(order);
    case "close":
      await stream?.close();
      return {};
  }
}

async function answer(order: StreamOrder): Promise<void> {
  const began = performance.now();
  let outcome: DiffAnswer & { readonly error?: string };
  try {
    outcome = await obey(order);
  } catch (error) {
    outcome = { error: messageOf(error) };
  }
  const status = stream?.status();
  const reply: StreamAnswer = {
    order: order.order,
    ms: performance.now() - began,
    peakRssMb: process.resourceUsage().maxRSS / 1024,
    rowsCopied: status?.rowsCopied ?? 0,
    drift: status?.drift ?? 0,
    ...outcome,
  };
  process.send?.(reply);
  if (order.order === "close") process.disconnect();
}

process.on("message", (order: StreamOrder) => void answer(order));
