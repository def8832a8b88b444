import { join } from "node:path";
import type { MysqlServer } from "../../servers/mysql-server.ts";
import type { Endpoint } from "../../src/mysql/endpoint.ts";
import { printGrants } from "../../src/preflight/grants.ts";
import type { BenchContext } from "../frame/bench.ts";
import { startBenchServers, stopBenchServers } from "../frame/bench-servers.ts";
import { addKey, createTable, SYSBENCH_SCHEMA, type SysbenchSize, tableNames, writeRows } from "./sysbench-rows.ts";

const USER = "switchyard";
const PASSWORD = "switchyard-secret";

/** Servers for tables that are moved or compared in bulk, and the rows of sysbench in files. */
export class BulkServers<Name extends string> {
  readonly size: SysbenchSize;
  /** `LOAD DATA` files of the rows, by table. */
  readonly files: ReadonlyMap<string, string>;
  readonly #servers: Readonly<Record<Name, MysqlServer>>;

  private constructor(folder: string, servers: Readonly<Record<Name, MysqlServer>>, size: SysbenchSize) {
    this.#servers = servers;
    this.size = size;
    this.files = new Map(tableNames(size).map((table) => [table, join(folder, `${table}.tsv`)]));
  }

  /** Starts the servers, writes the files of rows, and makes Switchyard's account on each server. */
  static async start<const Names extends readonly string[]>(
    context: BenchContext,
    names: Names,
    size: SysbenchSize,
  ): Promise<BulkServers<Names[number]>> {
    const servers = new BulkServers(context.folder, await startBenchServers(context, names), size);
    context.describe("rows", [
      `${size.tables} tables of ${size.rowsPerTable} rows, with sysbench's columns and keys:`,
      `${createTable("sbtest1")}, KEY k_1 (k)`,
    ]);
    const account = { user: USER, host: "127.0.0.1", schemas: [SYSBENCH_SCHEMA], password: PASSWORD };
    for (const name of names) await servers.get(name).root(printGrants("serve", account).join("\n"));
    for (const [index, path] of [...servers.files.values()].entries()) {
      await writeRows(path, size.rowsPerTable, index + 1);
    }
    return servers;
  }

  get(name: Name): MysqlServer {
    return this.#servers[name];
  }

  /** The tables with their schema. */
  get tables(): readonly string[] {
    return tableNames(this.size).map((table) => `${SYSBENCH_SCHEMA}.${table}`);
  }

  get rows(): number {
    return this.size.tables * this.size.rowsPerTable;
  }

  /** As Switchyard connects: over TCP without TLS, as all peers do, with the account that `check --print-grants` prints. */
  endpoint(name: Name): Endpoint {
    return { ...this.get(name).endpoint(USER, PASSWORD), tls: { mode: "disabled" } };
  }

  /** Puts the rows into a server, with all keys. */
  async fill(name: Name): Promise<void> {
    const server = this.get(name);
    await server.root(`CREATE DATABASE ${SYSBENCH_SCHEMA}`);
    for (const [table, path] of this.files) {
      await server.root(`${createTable(table)}; ${loadFile(table, path)}`);
      await server.root(addKey(table));
    }
    await server.root(`ANALYZE TABLE ${this.tables.join(", ")}`);
  }

  /** As good as new: no tables of the bench, no sidecar, an empty binary log. */
  async clear(name: Name): Promise<void> {
    const drop = [SYSBENCH_SCHEMA, "_switchyard"].map((schema) => `DROP DATABASE IF EXISTS ${schema}`);
    await this.get(name).root(`${drop.join("; ")}; RESET BINARY LOGS AND GTIDS`);
  }

  /** @throws {Error} unless the server has all rows of all tables with their secondary keys. */
  async requireRows(name: Name, contender: string): Promise<void> {
    for (const table of this.tables) {
      const [row] = await this.get(name).root(
        `SELECT (SELECT COUNT(*) FROM ${table}) AS n, (SELECT COUNT(*) FROM information_schema.statistics ` +
          `WHERE CONCAT(table_schema, '.', table_name) = '${table}') AS parts`,
      );
      if (Number(row?.["n"]) === this.size.rowsPerTable && Number(row?.["parts"]) === 2) continue;
      throw new Error(`${contender} has left ${row?.["n"]} rows and ${row?.["parts"]} keys in ${table}`);
    }
  }

  async stop(): Promise<void> {
    await stopBenchServers(this.#servers);
  }
}

export function loadFile(table: string, path: string): string {
  return `LOAD DATA INFILE '${path}' INTO TABLE ${SYSBENCH_SCHEMA}.${table}`;
}
