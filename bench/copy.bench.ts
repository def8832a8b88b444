import type { BulkData } from "./bulk/bulk-data.ts";
import { BulkServers } from "./bulk/bulk-servers.ts";
import { asContender, type Copier, loadData, myloader, mysqldump, switchyard } from "./bulk/copy-contenders.ts";
import { fatRows, keyedRows, narrowRows } from "./bulk/data-sets.ts";
import { sysbenchRows } from "./bulk/sysbench-rows.ts";
import { timeShares } from "./bulk/time-shares.ts";
import type { Bench, BenchContext, Figure, PeerName } from "./frame/bench.ts";
import { interleave, type Measures } from "./frame/interleave.ts";

const SIZES = {
  full: { tables: 4, rowsPerTable: 250_000, fat: 50_000, narrow: 10_000_000, keyed: 500_000 },
  tiny: { tables: 2, rowsPerTable: 1500, fat: 20, narrow: 1000, keyed: 500 },
} as const;

const ROUNDS = 3;

/** How long it takes until another server has all rows and keys of the tables, and how much memory that needs. */
export const bench: Bench = {
  name: "copy",
  about: "1 M sysbench rows to an empty server, keys included; with --all also fat, narrow and many-keyed rows",
  run: async (context) => {
    const size = SIZES[context.size];
    const sets = [sysbenchRows(size)];
    if (context.all || context.chosen) sets.push(keyedRows(size.keyed), fatRows(size.fat), narrowRows(size.narrow));
    const wanted = sets.filter((data) => context.wants(seconds(data)) || context.wants(rss(data)));
    const share = timeShares(context, wanted.length);
    const list: Figure[] = [];
    for (const data of wanted) list.push(...(await copyOf(share(), data)));
    return list;
  },
};

async function copyOf(context: BenchContext, data: BulkData): Promise<readonly Figure[]> {
  const servers = await BulkServers.start(context, ["source", "target"], data);
  try {
    const copiers = [switchyard(servers)];
    if (context.wants(seconds(data))) copiers.push(loadData(servers), await myloader(context, servers));
    if (context.wants(seconds(data)) && context.all) copiers.push(mysqldump(servers));
    for (const { name, commands } of copiers) context.describe(name, commands);
    context.say(`filling the source with ${data.about}`);
    await servers.fill("source");
    return figures(data, await measure(context, servers, copiers));
  } finally {
    await servers.stop();
  }
}

function seconds({ name }: BulkData): string {
  return `copy_${name}_seconds`;
}

function rss({ name }: BulkData): string {
  return `copy_${name}_rss_mb`;
}

async function measure(
  context: BenchContext,
  servers: BulkServers<"source" | "target">,
  copiers: readonly Copier[],
): Promise<ReadonlyMap<string, Measures>> {
  const contenders = copiers.map((copier) => asContender(servers, copier));
  return await interleave(context, contenders, context.rounds(ROUNDS));
}

function figures(data: BulkData, measured: ReadonlyMap<string, Measures>): Figure[] {
  const ours = measured.get("switchyard");
  const list: Figure[] = [];
  for (const [name, measures] of measured) {
    if (measures === ours) continue;
    list.push({
      metric: seconds(data),
      ours: ours?.["seconds"] ?? Number.NaN,
      peer: measures["seconds"] ?? Number.NaN,
      peerName: name as PeerName,
    });
  }
  list.push({ metric: rss(data), ours: ours?.["rssMb"] ?? Number.NaN, peer: null, peerName: "none" });
  return list;
}
