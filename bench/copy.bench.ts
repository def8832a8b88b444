import { BulkServers } from "./bulk/bulk-servers.ts";
import { asContender, type Copier, loadData, myloader, mysqldump, switchyard } from "./bulk/copy-contenders.ts";
import type { Bench, BenchContext, Figure, PeerName } from "./frame/bench.ts";
import { interleave, type Measures } from "./frame/interleave.ts";

const SIZES = {
  full: { tables: 4, rowsPerTable: 250_000 },
  tiny: { tables: 2, rowsPerTable: 1500 },
} as const;

const SECONDS = "copy_sysbench_seconds";
const RSS = "copy_sysbench_rss_mb";
const ROUNDS = 3;

/** How long it takes until another server has all rows and keys of the tables, and how much memory that needs. */
export const bench: Bench = {
  name: "copy",
  about: "1 M sysbench rows to an empty server, keys included",
  run: async (context) => {
    const servers = await BulkServers.start(context, ["source", "target"], SIZES[context.size]);
    try {
      const copiers = [switchyard(servers)];
      if (context.wants(SECONDS)) copiers.push(loadData(servers), await myloader(context, servers));
      if (context.wants(SECONDS) && context.all) copiers.push(mysqldump(servers));
      for (const { name, commands } of copiers) context.describe(name, commands);
      await servers.fill("source");
      return figures(await measure(context, servers, copiers));
    } finally {
      await servers.stop();
    }
  },
};

async function measure(
  context: BenchContext,
  servers: BulkServers<"source" | "target">,
  copiers: readonly Copier[],
): Promise<ReadonlyMap<string, Measures>> {
  const contenders = copiers.map((copier) => asContender(servers, copier));
  return await interleave(context, contenders, context.rounds(ROUNDS));
}

function figures(measured: ReadonlyMap<string, Measures>): Figure[] {
  const ours = measured.get("switchyard");
  const list: Figure[] = [];
  for (const [name, measures] of measured) {
    if (measures === ours) continue;
    list.push({
      metric: SECONDS,
      ours: ours?.["seconds"] ?? Number.NaN,
      peer: measures["seconds"] ?? Number.NaN,
      peerName: name as PeerName,
    });
  }
  list.push({ metric: RSS, ours: ours?.["rssMb"] ?? Number.NaN, peer: null, peerName: "none" });
  return list;
}
