import type { PeerCommand } from "../servers/peer-programs.ts";
import { SetupError } from "../servers/setup-error.ts";
import { provideTableChecksum } from "../servers/table-checksum-program.ts";
import { messageOf } from "../src/base/errors.ts";
import type { CatchupServers } from "./bulk/backlog.ts";
import type { BulkData } from "./bulk/bulk-data.ts";
import { BulkServers } from "./bulk/bulk-servers.ts";
import { prepareReplica } from "./bulk/catchup-contenders.ts";
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
import { TABLE_CHECKSUM_COMMANDS, TableChecksum } from "./bulk/table-checksum.ts";
import type { Bench, BenchContext, Figure } from "./frame/bench.ts";
import { type Contender, interleave, type Measures } from "./frame/interleave.ts";
import { PROBE_TABLE } from "./lag/probe.ts";

const SIZES = {
  full: { tables: 4, rowsPerTable: 250_000 },
  tiny: { tables: 2, rowsPerTable: 1500 },
} as const;

const SECONDS = "diff_sysbench_seconds";
const FAST_SECONDS = "diff_fast_sysbench_seconds";
const RSS = "diff_sysbench_rss_mb";
const SPEED = "diff_rows_per_second";
const FAST_SPEED = "diff_fast_rows_per_second";
const BY_READERS = [SECONDS, FAST_SECONDS, RSS] as const;
const BY_CHECKSUMS = [SPEED, FAST_SPEED] as const;
const ROUNDS = 7;

/** How long it takes to compare every byte of the tables of two servers, and how much memory that needs. */
export const bench: Bench = {
  name: "diff",
  about: "every byte of 1 M sysbench rows compared with the same rows on another server",
  run: async (context) => {
    const sysbench = sysbenchRows(SIZES[context.size]);
    const data: BulkData = { ...sysbench, tables: [...sysbench.tables, PROBE_TABLE] };
    const checksum = BY_CHECKSUMS.some(context.wants) ? await checksumProgram(context) : undefined;
    const replicated = checksum && (await BulkServers.start(context, ["source", "target", "replica"], data));
    const servers: CopyServers = replicated ?? (await BulkServers.start(context, ["source", "target"], data));
    let program: StreamProcess | undefined;
    try {
      await servers.fill("source");
      // Before the stream writes to the source what the replica does not have.
      if (replicated !== undefined) await seedReplica(replicated);
      await copyOnce(servers);
      program = await openRunning(servers);
      const peer = replicated && (await TableChecksum.prepare(checksum, replicated, program));
      const compared = [...BY_READERS, ...BY_CHECKSUMS].some(context.wants);
      const figures = compared ? await compareAll(context, servers, program, peer) : [];
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

/** @throws {SetupError} saying what is measured without it, when it cannot be had. */
async function checksumProgram({ say }: BenchContext): Promise<PeerCommand> {
  try {
    return await provideTableChecksum(say);
  } catch (cause) {
    const rest = `--only 'sysbench|pause' measures all but ${BY_CHECKSUMS.join(" and ")} without it.`;
    throw new SetupError(`pt-table-checksum cannot be had: ${messageOf(cause)}\n${rest}`, { cause });
  }
}

/** How long it takes to compare all rows, while nobody writes. */
async function compareAll(
  context: BenchContext,
  servers: CopyServers,
  program: StreamProcess,
  checksum: TableChecksum | undefined,
): Promise<readonly Figure[]> {
  context.describe("switchyard", [
    "the diff of a migration that runs, called as the controller calls it, in the process of its stream",
  ]);
  context.describe("switchyard --fast", ["the same by sums that the servers compute of 10,000 keys at a time"]);
  const contenders: Contender[] = [switchyardDiff(servers, program), switchyardDiff(servers, program, true)];
  if (BY_READERS.some(context.wants)) {
    context.describe("select *", SELECT_ALL_COMMANDS);
    context.describe("mysqldump", DUMP_AND_CMP_COMMANDS);
    contenders.push(selectAll(servers), dumpAndCmp(servers));
  }
  if (checksum !== undefined) {
    context.describe(checksum.name, TABLE_CHECKSUM_COMMANDS);
    contenders.push(checksum);
  }
  // Once unmeasured: what the first reader of a table must read from files is in memory for all who follow.
  for (const contender of contenders) await contender.measure();
  const measured = await interleave(context, contenders, context.rounds(ROUNDS));
  return figuresOf(measured, servers.rows);
}

/** Those of the contenders that were measured. */
function figuresOf(measured: ReadonlyMap<string, Measures>, rows: number): readonly Figure[] {
  const figures: Figure[] = [];
  const of = (name: string, measure: string): number => measured.get(name)?.[measure] ?? Number.NaN;
  const [ours, fast] = [of("switchyard", "seconds"), of("switchyard --fast", "seconds")];
  for (const peerName of ["select *", "mysqldump", "pt-table-checksum"] as const) {
    if (!measured.has(peerName)) continue;
    const peer = of(peerName, "seconds");
    if (peerName === "pt-table-checksum") {
      figures.push({ metric: SPEED, ours: rows / ours, peer: rows / peer, peerName });
      figures.push({ metric: FAST_SPEED, ours: rows / fast, peer: rows / peer, peerName });
    } else {
      figures.push({ metric: SECONDS, ours, peer, peerName });
      figures.push({ metric: FAST_SECONDS, ours: fast, peer, peerName });
    }
  }
  figures.push({ metric: RSS, ours: of("switchyard", "rssMb"), peer: null, peerName: "none" });
  return figures;
}

/** Gives the replica the same rows from the same files, and makes it one of the source from there on. */
async function seedReplica(servers: CatchupServers): Promise<void> {
  await servers.fill("replica");
  await prepareReplica(servers);
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
