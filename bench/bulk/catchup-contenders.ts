import type { Contender } from "../frame/interleave.ts";
import { type Backlogs, type CatchupServers, positionOf } from "./backlog.ts";
import { StreamProcess } from "./stream-process.ts";
import type { StreamOrder } from "./stream-program.ts";

const WORKERS = 4;
const REPLICATION_USER = "replica";
const REPLICATION_PASSWORD = "replica-secret";

/** A stream whose tables are copied already, opened upon the backlog: claims its ledger, asks for the log, applies. */
export function switchyardCatchup(servers: CatchupServers, backlogs: Backlogs): Contender {
  let round = 0;
  return {
    name: "switchyard",
    measure: async () => {
      const { rowChanges, position } = await backlogs.of(round++);
      const program = await StreamProcess.start();
      try {
        const began = performance.now();
        await program.ask(openOrder(servers));
        const { peakRssMb, drift } = await program.ask({ order: "reach", position });
        const seconds = (performance.now() - began) / 1000;
        if (drift > 0) throw new Error(`the stream has missed ${drift} rows`);
        return { rowChangesPerSecond: rowChanges / seconds, rssMb: peakRssMb };
      } finally {
        await program.close();
      }
    },
  };
}

/** Copies the tables, and leaves the stream at the source's position. */
export async function copyToTarget(servers: CatchupServers): Promise<void> {
  const program = await StreamProcess.start();
  try {
    await program.ask(openOrder(servers));
    await program.ask({ order: "running" });
    await program.ask({ order: "reach", position: await positionOf(servers) });
  } finally {
    await program.close();
  }
}

export function openOrder(servers: CatchupServers): StreamOrder {
  const [source, target] = [servers.endpoint("source"), servers.endpoint("target")];
  return { order: "open", migration: "bench", source, target, tables: servers.tables };
}

export const REPLICA_COMMANDS: readonly string[] = [
  "CHANGE REPLICATION SOURCE TO … SOURCE_AUTO_POSITION = 1; SET GLOBAL replica_parallel_workers = 4",
  "  (replica_preserve_commit_order and the source's writeset dependencies as the server has them: ON)",
  "timed from START REPLICA until WAIT_FOR_EXECUTED_GTID_SET returns; its relay log is empty at the start",
];

/** Makes the replica one of the source, as of what both hold. */
export async function prepareReplica(servers: CatchupServers): Promise<void> {
  const source = servers.get("source");
  const replica = servers.get("replica");
  await source.root(
    `CREATE USER ${REPLICATION_USER}@'127.0.0.1' IDENTIFIED BY '${REPLICATION_PASSWORD}'; ` +
      `GRANT REPLICATION SLAVE ON *.* TO ${REPLICATION_USER}@'127.0.0.1'`,
  );
  await replica.root(
    `RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '${await positionOf(servers)}'; ` +
      `SET GLOBAL replica_parallel_workers = ${WORKERS}; CHANGE REPLICATION SOURCE TO SOURCE_HOST = '${source.host}', ` +
      `SOURCE_PORT = ${source.port}, SOURCE_USER = '${REPLICATION_USER}', SOURCE_PASSWORD = '${REPLICATION_PASSWORD}', ` +
      "SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1",
  );
}

export function nativeReplica(servers: CatchupServers, backlogs: Backlogs): Contender {
  let round = 0;
  return {
    name: "native replica",
    measure: async () => {
      const { rowChanges, position } = await backlogs.of(round++);
      const replica = servers.get("replica");
      const began = performance.now();
      await replica.root(`START REPLICA; SELECT WAIT_FOR_EXECUTED_GTID_SET('${position}', 600)`);
      const seconds = (performance.now() - began) / 1000;
      await replica.root("STOP REPLICA");
      return { rowChangesPerSecond: rowChanges / seconds };
    },
  };
}

/** @throws {Error} unless all three servers have the same rows, by their own checksums. */
export async function requireAlike(servers: CatchupServers): Promise<void> {
  const sums = await Promise.all(
    (["source", "target", "replica"] as const).map(async (name) => {
      const rows = await servers.get(name).root(`CHECKSUM TABLE ${servers.tables.join(", ")} EXTENDED`);
      return rows.map((row) => `${row["Table"]} ${row["Checksum"]}`).join(", ");
    }),
  );
  if (new Set(sums).size !== 1) throw new Error(`the servers' rows differ: ${sums.join(" | ")}`);
}
