import { Backlogs, backlogLoad } from "./bulk/backlog.ts";
import { BulkServers } from "./bulk/bulk-servers.ts";
import {
  copyToTarget,
  nativeReplica,
  prepareReplica,
  REPLICA_COMMANDS,
  requireAlike,
  switchyardCatchup,
} from "./bulk/catchup-contenders.ts";
import type { Bench } from "./frame/bench.ts";
import { interleave } from "./frame/interleave.ts";
import { describeSysbench } from "./frame/sysbench.ts";

const SIZES = {
  full: { tables: 4, rowsPerTable: 250_000, transactions: 25_000 },
  tiny: { tables: 2, rowsPerTable: 1500, transactions: 300 },
} as const;

const ROUNDS = 3;

/** How fast a stream that has fallen behind applies what it has missed, against a replica of the server's own. */
export const bench: Bench = {
  name: "catchup",
  about: "the same backlog of sysbench's write transactions applied by a stream and by a replica",
  run: async (context) => {
    const { transactions, ...size } = SIZES[context.size];
    const servers = await BulkServers.start(context, ["source", "target", "replica"], size);
    try {
      const endpoint = { ...servers.endpoint("source"), schema: "sbtest" };
      context.describe("backlog of each round", [describeSysbench(endpoint, size, backlogLoad(transactions))]);
      context.describe("switchyard", ["a stream with one connection that applies, opened upon the backlog"]);
      context.describe("native replica", REPLICA_COMMANDS);
      await Promise.all([servers.fill("source"), servers.fill("replica")]);
      await prepareReplica(servers);
      await copyToTarget(servers);
      const backlogs = new Backlogs(servers, transactions);
      const contenders = [switchyardCatchup(servers, backlogs), nativeReplica(servers, backlogs)];
      const measured = await interleave(context, contenders, context.rounds(ROUNDS));
      await requireAlike(servers);
      const of = (name: string, measure: string): number => measured.get(name)?.[measure] ?? Number.NaN;
      return [
        {
          metric: "catchup_row_changes_per_second",
          ours: of("switchyard", "rowChangesPerSecond"),
          peer: of("native replica", "rowChangesPerSecond"),
          peerName: "native replica",
        },
        { metric: "catchup_rss_mb", ours: of("switchyard", "rssMb"), peer: null, peerName: "none" },
      ];
    } finally {
      await servers.stop();
    }
  },
};
