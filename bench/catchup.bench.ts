import { Backlogs, backlogLoad, CLIENTS, sizeOf } from "./bulk/backlog.ts";
import { BULK_SCHEMA, type BulkData } from "./bulk/bulk-data.ts";
import { BulkServers } from "./bulk/bulk-servers.ts";
import {
  copyToTarget,
  nativeReplica,
  prepareReplica,
  REPLICA_COMMANDS,
  requireAlike,
  switchyardCatchup,
} from "./bulk/catchup-contenders.ts";
import { fatRows, keyedRows, narrowRows } from "./bulk/data-sets.ts";
import { sysbenchRows } from "./bulk/sysbench-rows.ts";
import { timeShares } from "./bulk/time-shares.ts";
import type { Bench, BenchContext, Figure } from "./frame/bench.ts";
import { interleave } from "./frame/interleave.ts";
import { describeSysbench } from "./frame/sysbench.ts";

/** Rows of each set, and how many transactions nobody has followed. */
const SIZES = {
  full: {
    sysbench: { tables: 4, rowsPerTable: 250_000, transactions: 25_000 },
    fat: { rows: 50_000, transactions: 10_000 },
    narrow: { rows: 10_000_000, transactions: 25_000 },
    keyed: { rows: 500_000, transactions: 25_000 },
  },
  tiny: {
    sysbench: { tables: 2, rowsPerTable: 1500, transactions: 300 },
    fat: { rows: 20, transactions: 40 },
    narrow: { rows: 1000, transactions: 40 },
    keyed: { rows: 500, transactions: 40 },
  },
} as const;

const ROUNDS = 3;

/** How fast a stream that has fallen behind applies what it has missed, against a replica of the server's own. */
export const bench: Bench = {
  name: "catchup",
  about:
    "the same backlog of write transactions applied by a stream and by a replica: sysbench's; with --all others too",
  run: async (context) => {
    const { sysbench, fat, narrow, keyed } = SIZES[context.size];
    const sets: (readonly [BulkData, transactions: number])[] = [[sysbenchRows(sysbench), sysbench.transactions]];
    if (context.all || context.chosen) {
      sets.push([keyedRows(keyed.rows), keyed.transactions], [fatRows(fat.rows), fat.transactions]);
      sets.push([narrowRows(narrow.rows), narrow.transactions]);
    }
    const wanted = sets.filter(([data]) => Object.values(metricsOf(data)).some((metric) => context.wants(metric)));
    const share = timeShares(context, wanted.length);
    const list: Figure[] = [];
    for (const [data, transactions] of wanted) list.push(...(await catchupOf(share(), data, transactions)));
    return list;
  },
};

function metricsOf({ name }: BulkData): { readonly speed: string; readonly rss: string } {
  const set = name === "sysbench" ? "" : `_${name}`;
  return { speed: `catchup${set}_row_changes_per_second`, rss: `catchup${set}_rss_mb` };
}

async function catchupOf(context: BenchContext, data: BulkData, transactions: number): Promise<readonly Figure[]> {
  const servers = await BulkServers.start(context, ["source", "target", "replica"], data);
  try {
    const target = { ...servers.endpoint("source"), schema: BULK_SCHEMA };
    context.describe("backlog of each round", [
      data.change === undefined
        ? describeSysbench(target, sizeOf(data), backlogLoad(transactions))
        : `${transactions} transactions of ${CLIENTS} clients, each of them ${shape(data)}`,
    ]);
    context.describe("switchyard", ["a stream with one connection that applies, opened upon the backlog"]);
    context.describe("native replica", REPLICA_COMMANDS);
    context.say("filling the source and the replica");
    await Promise.all([servers.fill("source"), servers.fill("replica")]);
    await prepareReplica(servers);
    context.say("copying to the target");
    await copyToTarget(servers);
    const backlogs = new Backlogs(servers, transactions);
    const contenders = [switchyardCatchup(servers, backlogs), nativeReplica(servers, backlogs)];
    const measured = await interleave(context, contenders, context.rounds(ROUNDS));
    context.say("comparing the servers");
    await requireAlike(servers);
    const of = (name: string, measure: string): number => measured.get(name)?.[measure] ?? Number.NaN;
    const { speed, rss } = metricsOf(data);
    return [
      {
        metric: speed,
        ours: of("switchyard", "rowChangesPerSecond"),
        peer: of("native replica", "rowChangesPerSecond"),
        peerName: "native replica",
      },
      { metric: rss, ours: of("switchyard", "rssMb"), peer: null, peerName: "none" },
    ];
  } finally {
    await servers.stop();
  }
}

/** A transaction by the first words of its statements. */
function shape(data: BulkData): string {
  const [table] = data.tables;
  const statements = table === undefined ? [] : (data.change?.(table, () => 1) ?? []);
  return statements.map((statement) => statement.split(" ")[0]).join(", ");
}
