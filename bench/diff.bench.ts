import type { BulkData } from "./bulk/bulk-data.ts";
import { BulkServers } from "./bulk/bulk-servers.ts";
import { type CopyServers, openOrder } from "./bulk/copy-contenders.ts";
import {
  DUMP_AND_CMP_COMMANDS,
  dumpAndCmp,
  SELECT_ALL_COMMANDS,
  selectAll,
  switchyardDiff,
} from "./bulk/diff-contenders.ts";
import { DIFF_PAUSE_METRICS, measureDiffPauses } from "./bulk/diff-pauses.ts";
import { StreamProcess } from "./bulk/stream-process.ts";
import { sysbenchRows } from "./bulk/sysbench-rows.ts";
import type { Bench, BenchContext, Figure } from "./frame/bench.ts";
import { interleave } from "./frame/interleave.ts";
import { PROBE_TABLE } from "./lag/probe.ts";

const SIZES = {
  full: { tables: 4, rowsPerTable: 250_000 },
  tiny: { tables: 2, rowsPerTable: 1500 },
} as const;

const SECONDS = "diff_sysbench_seconds";
const FAST_SECONDS = "diff_fast_sysbench_seconds";
const RSS = "diff_sysbench_rss_mb";
const COMPARED = [SECONDS, FAST_SECONDS, RSS] as const;
const ROUNDS = 7;

/** How long it takes to compare every byte of the tables of two servers, and how much memory that needs. */
export const bench: Bench = {
  name: "diff",
  about: "every byte of 1 M sysbench rows compared with the same rows on another server",
  run: async (context) => {
    const sysbench = sysbenchRows(SIZES[context.size]);
    const data: BulkData = { ...sysbench, tables: [...sysbench.tables, PROBE_TABLE] };
    const servers = await BulkServers.start(context, ["source", "target"], data);
    let program: StreamProcess | undefined;
    try {
      await servers.fill("source");
      await copyOnce(servers);
      program = await openRunning(servers);
      const figures = COMPARED.some(context.wants) ? await compareAll(context, servers, program) : [];
      // Last: its clients change the rows.
      const pauses = DIFF_PAUSE_METRICS.some(context.wants)
        ? await measureDiffPauses(context, servers, program, SIZES[context.size])
        : [];
      return [...figures, ...pauses];
    } finally {
      await program?.close();
      await servers.stop();
    }
  },
};

/** How long it takes to compare all rows, while nobody writes. */
async function compareAll(
  context: BenchContext,
  servers: CopyServers,
  program: StreamProcess,
): Promise<readonly Figure[]> {
  context.describe("switchyard", [
    "the diff of a migration that runs, called as the controller calls it, in the process of its stream",
  ]);
  context.describe("switchyard --fast", ["the same by sums that the servers compute of 10,000 keys at a time"]);
  context.describe("select *", SELECT_ALL_COMMANDS);
  context.describe("mysqldump", DUMP_AND_CMP_COMMANDS);
  const contenders = [
    ...[switchyardDiff(servers, program), switchyardDiff(servers, program, true)],
    ...[selectAll(servers), dumpAndCmp(servers)],
  ];
  // Once unmeasured: what the first reader of a table must read from files is in memory for all who follow.
  for (const contender of contenders) await contender.measure();
  const measured = await interleave(context, contenders, context.rounds(ROUNDS));
  const figures: Figure[] = [];
  const of = (name: string, measure: string): number => measured.get(name)?.[measure] ?? Number.NaN;
  for (const peerName of ["select *", "mysqldump"] as const) {
    const peer = of(peerName, "seconds");
    figures.push({ metric: SECONDS, ours: of("switchyard", "seconds"), peer, peerName });
    figures.push({ metric: FAST_SECONDS, ours: of("switchyard --fast", "seconds"), peer, peerName });
  }
  figures.push({ metric: RSS, ours: of("switchyard", "rssMb"), peer: null, peerName: "none" });
  return figures;
}

/** In a process of its own, whose memory then does not count as the diff's. */
async function copyOnce(servers: CopyServers): Promise<void> {
  const program = await openRunning(servers);
  await program.close();
}

async function openRunning(servers: CopyServers): Promise<StreamProcess> {
  const program = await StreamProcess.start();
  await program.ask(openOrder(servers));
  await program.ask({ order: "running" });
  return program;
}
