import { BULK_SCHEMA } from "./bulk/bulk-data.ts";
import { BulkServers } from "./bulk/bulk-servers.ts";
import { sysbenchRows } from "./bulk/sysbench-rows.ts";
import { bytesSeen, decodeRows, type RowWork } from "./decode/decode-rows.ts";
import { type RecordedLog, readLog } from "./decode/recorded-log.ts";
import type { Bench, BenchContext, Figure } from "./frame/bench.ts";
import { median } from "./frame/figures.ts";

const SIZES = {
  full: { tables: 4, rowsPerTable: 250_000 },
  tiny: { tables: 2, rowsPerTable: 1500 },
} as const;
const ROUNDS = 7;
const MEGABYTE = 1_000_000;
const SECOND_MS = 1000;

interface Measured {
  readonly rowsPerSecond: number;
  readonly megabytesPerSecond: number;
}

/** How fast one core reads the rows of a binary log. */
export const bench: Bench = {
  name: "decode",
  about: "1 M sysbench rows from the events of a real server's binary log in memory, on one core",
  run: async (context) => {
    const log = await recordLog(context);
    context.describe("what is timed", [
      `${log.packets.length} events, ${Math.round(log.bytes / MEGABYTE)} MB, as a dump sends them, with their checksums verified`,
      "decode: events, transactions, the place of every value; numbers as text, strings as slices of the event",
      "walk: the same without reading the values",
    ]);
    const rows = SIZES[context.size].tables * SIZES[context.size].rowsPerTable;
    const values = measure(context, log, rows, "values");
    const figures: Figure[] = [
      { metric: "decode_rows_per_second", ours: values.rowsPerSecond, peer: null, peerName: "none" },
    ];
    if (!context.all) return figures;
    const walk = measure(context, log, rows, "walk");
    return [
      ...figures,
      { metric: "decode_walk_rows_per_second", ours: walk.rowsPerSecond, peer: null, peerName: "none" },
      { metric: "decode_megabytes_per_second", ours: values.megabytesPerSecond, peer: null, peerName: "none" },
    ];
  },
};

/** The server has ended when this resolves: only the decoder works while it is measured. */
async function recordLog(context: BenchContext): Promise<RecordedLog> {
  const servers = await BulkServers.start(context, ["source"], sysbenchRows(SIZES[context.size]));
  try {
    await servers.fill("source");
    await servers.get("source").stop();
    await servers.get("source").start();
    return await readLog(servers.get("source"));
  } finally {
    await servers.stop();
  }
}

function measure(context: BenchContext, log: RecordedLog, rows: number, work: RowWork): Measured {
  const seconds: number[] = [];
  // Once unmeasured, for the compiler.
  for (let round = 0; round <= context.rounds(ROUNDS); round++) {
    const startedAt = performance.now();
    const found = decodeRows(log.packets, BULK_SCHEMA, work);
    const elapsed = (performance.now() - startedAt) / SECOND_MS;
    if (found !== rows) throw new Error(`${found} rows were decoded where the server has written ${rows}`);
    if (round === 0) continue;
    seconds.push(elapsed);
    context.say(`round ${round}  ${work}: ${Math.round(rows / elapsed)} rows/s`);
  }
  if (work === "values" && bytesSeen() < rows) throw new Error("no values were read");
  return { rowsPerSecond: rows / median(seconds), megabytesPerSecond: log.bytes / MEGABYTE / median(seconds) };
}
