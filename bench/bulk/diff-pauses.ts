import type { BenchContext, Figure } from "../frame/bench.ts";
import { percentile } from "../frame/figures.ts";
import { describeSysbench, runSysbench, type SysbenchLoad } from "../frame/sysbench.ts";
import { type LagSeen, type Probe, watchLag } from "../lag/probe.ts";
import { BULK_SCHEMA } from "./bulk-data.ts";
import type { CopyServers } from "./copy-contenders.ts";
import type { StreamProcess } from "./stream-process.ts";
import type { StreamPause } from "./stream-program.ts";
import type { SysbenchSize } from "./sysbench-rows.ts";

const SIZES = {
  full: { seconds: 20, warmUpMs: 1500, rate: 300, pauses: 120, sliceMaxMs: 250 },
  tiny: { seconds: 1, warmUpMs: 50, rate: 50, pauses: 2, sliceMaxMs: 1 },
} as const;

const PAUSE = "diff_pause";
const ADDED_LAG = "diff_pause_added_lag";
const COUNT = "diff_pause_count";
export const DIFF_PAUSE_METRICS: readonly string[] = [
  ...[PAUSE, ADDED_LAG].flatMap((name) => [`${name}_p50_ms`, `${name}_p99_ms`, `${name}_max_ms`]),
  COUNT,
];

const CLIENTS = 8;
/** A pause of few milliseconds is to be met by several rows. */
const PROBE_EVERY_MS = 2;
/** A row that was committed so long before the stream stood may not have been applied by then. */
const UNDER_WAY_MS = 5;

/** What a diff with many snapshots does to a stream that clients keep busy. */
interface Paused {
  readonly pauses: readonly StreamPause[];
  /** For each pause: how much later than without a diff the latest row of that time could be read. */
  readonly addedMs: readonly number[];
}

/**
 * How long a diff's snapshots hold the stream up, by its own report and as a reader of the other server sees it: diffs run
 * under clients that write, in pieces so short that many snapshots are opened.
 */
export async function measureDiffPauses(
  context: BenchContext,
  servers: CopyServers,
  program: StreamProcess,
  size: SysbenchSize,
): Promise<readonly Figure[]> {
  const { seconds, rate, sliceMaxMs } = SIZES[context.size];
  const target = { ...servers.endpoint("source"), schema: BULK_SCHEMA };
  context.describe("clients while the stream is paused", [
    describeSysbench(target, size, loadOf(seconds, rate)),
    `and one that commits a row every ${PROBE_EVERY_MS} ms; the other server is asked for the newest one all the time`,
    `diffs one after the other, a pair of snapshots at least every ${sliceMaxMs} ms`,
  ]);
  const { pauses, addedMs } = await paused(context, servers, program, size);
  const own = pauses.map(({ ms }) => ms);
  return [...percentiles(PAUSE, own), ...percentiles(ADDED_LAG, addedMs), figure(COUNT, pauses.length)];
}

function percentiles(name: string, values: readonly number[]): Figure[] {
  return [
    figure(`${name}_p50_ms`, percentile(values, 50)),
    figure(`${name}_p99_ms`, percentile(values, 99)),
    figure(`${name}_max_ms`, Math.max(...values)),
  ];
}

function figure(metric: string, ours: number): Figure {
  return { metric, ours, peer: null, peerName: "none" };
}

function loadOf(seconds: number, rate: number): SysbenchLoad {
  return {
    script: "oltp_write_only",
    threads: CLIENTS,
    seconds,
    protocol: "text",
    more: [`--rate=${rate}`, "--mysql-ignore-errors=1213,1020,1205"],
  };
}

async function paused(
  context: BenchContext,
  servers: CopyServers,
  program: StreamProcess,
  size: SysbenchSize,
): Promise<Paused> {
  const { pauses: wanted, sliceMaxMs } = SIZES[context.size];
  const { lag: quiet } = await underLoad(context, servers, size, () => Promise.resolve());
  tell(context, "without a diff", quiet);
  const pauses: StreamPause[] = [];
  const rows: Probe[] = [];
  while (pauses.length < wanted) {
    const { lag } = await underLoad(context, servers, size, async (over) => {
      while (!over()) {
        const answer = await program.ask({ order: "diff", sliceMaxMs });
        if (answer.differences !== 0) throw new Error(`the diff has found ${answer.differences} differences`);
        pauses.push(...(answer.pauses ?? []));
      }
    });
    tell(context, `with ${pauses.length} pauses so far`, lag);
    rows.push(...lag.probes);
  }
  return { pauses, addedMs: pauses.flatMap((pause) => addedBy(pause, rows, quiet.p50Ms)) };
}

async function underLoad(
  context: BenchContext,
  servers: CopyServers,
  size: SysbenchSize,
  meanwhile: (over: () => boolean) => Promise<void>,
): Promise<{ readonly lag: LagSeen }> {
  const { seconds, rate, warmUpMs } = SIZES[context.size];
  const source = servers.endpoint("source");
  let ended = false;
  const clients = runSysbench({ ...source, schema: BULK_SCHEMA }, size, loadOf(seconds, rate)).finally(() => {
    ended = true;
  });
  const all = Promise.all([clients, meanwhile(() => ended)]);
  const [lag] = await Promise.all([watchLag(source, servers.endpoint("target"), all, warmUpMs, PROBE_EVERY_MS), all]);
  return { lag };
}

/** Nothing where no row was committed around that time. */
function addedBy({ ms, endedMs }: StreamPause, rows: readonly Probe[], usualMs: number): readonly number[] {
  const during = rows.filter(({ committedMs }) => committedMs >= endedMs - ms - UNDER_WAY_MS && committedMs <= endedMs);
  if (during.length === 0) return [];
  return [Math.max(...during.map(({ lagMs }) => lagMs)) - usualMs];
}

function tell(context: BenchContext, when: string, { p50Ms, p99Ms, maxMs, probes }: LagSeen): void {
  const ms = [p50Ms, p99Ms, maxMs].map((value) => value.toFixed(1));
  context.say(`lag ${when}: p50 ${ms[0]}, p99 ${ms[1]}, max ${ms[2]} ms of ${probes.length} rows`);
}
