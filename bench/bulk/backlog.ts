import { runSysbench, type SysbenchData, type SysbenchLoad } from "../frame/sysbench.ts";
import { BULK_SCHEMA, type BulkData } from "./bulk-data.ts";
import type { BulkServers } from "./bulk-servers.ts";
import { writeChanges } from "./change-writers.ts";

export type CatchupServers = BulkServers<"source" | "target" | "replica">;

/** Transactions that the source has taken while nobody followed it. */
export interface Backlog {
  /** Rows inserted, updated and deleted, by the source's own count. */
  readonly rowChanges: number;
  /** All that the source has executed, the backlog included. */
  readonly position: string;
}

export const CLIENTS = 8;

export function backlogLoad(transactions: number): SysbenchLoad {
  return {
    script: "oltp_write_only",
    threads: CLIENTS,
    seconds: 0,
    protocol: "text",
    more: [`--events=${transactions}`, "--rand-seed=0"],
  };
}

/** One backlog after the other: each contender takes all of them, in its own time. */
export class Backlogs {
  readonly #servers: CatchupServers;
  readonly #transactions: number;
  readonly #made: Backlog[] = [];

  constructor(servers: CatchupServers, transactions: number) {
    this.#servers = servers;
    this.#transactions = transactions;
  }

  /** The backlog of a round, from 0; made when the first contender asks for it. */
  async of(round: number): Promise<Backlog> {
    const made = this.#made[round] ?? (await makeBacklog(this.#servers, this.#transactions));
    this.#made[round] = made;
    return made;
  }
}

/** Lets clients write to the source until they have made this many transactions: sysbench, for tables of its own. */
async function makeBacklog(servers: CatchupServers, transactions: number): Promise<Backlog> {
  const { host, port, user, password } = servers.endpoint("source");
  const { data } = servers;
  const before = await rowChanges(servers);
  if (data.change !== undefined) await writeChanges(servers.endpoint("source"), data, transactions, CLIENTS);
  else await runSysbench({ host, port, user, password, schema: BULK_SCHEMA }, sizeOf(data), backlogLoad(transactions));
  return { rowChanges: (await rowChanges(servers)) - before, position: await positionOf(servers) };
}

/** The size as sysbench is told it. */
export function sizeOf({ tables }: BulkData): SysbenchData {
  return { tables: tables.length, rowsPerTable: tables[0]?.rows ?? 0 };
}

export async function positionOf(servers: CatchupServers): Promise<string> {
  const [row] = await servers.get("source").root("SELECT @@global.gtid_executed AS position");
  return (row?.["position"] ?? "").replaceAll(/\s/g, "");
}

async function rowChanges(servers: CatchupServers): Promise<number> {
  const [row] = await servers
    .get("source")
    .root(
      "SELECT SUM(variable_value) AS n FROM performance_schema.global_status " +
        "WHERE variable_name IN ('Innodb_rows_inserted', 'Innodb_rows_updated', 'Innodb_rows_deleted')",
    );
  return Number(row?.["n"]);
}
