import { join } from "node:path";
import type { MysqlServer } from "../../servers/mysql-server.ts";
import type { Endpoint } from "../../src/mysql/endpoint.ts";
import { printGrants } from "../../src/preflight/grants.ts";
import type { BenchContext } from "../frame/bench.ts";
import { startBenchServers, stopBenchServers } from "../frame/bench-servers.ts";
import { addKeys, BULK_SCHEMA, type BulkData, type BulkTable, tableNamed, writeRows } from "./bulk-data.ts";

const USER = "switchyard";
const PASSWORD = "switchyard-secret";

/** A file for `LOAD DATA` with some of a table's rows. */
export interface RowFile {
  readonly table: BulkTable;
  readonly path: string;
}

/** Servers for tables that are moved or compared in bulk, and their rows in files. */
export class BulkServers<Name extends string> {
  readonly data: BulkData;
  readonly #files: RowFile[] = [];
  readonly #servers: Readonly<Record<Name, MysqlServer>>;

  private constructor(servers: Readonly<Record<Name, MysqlServer>>, data: BulkData) {
    this.#servers = servers;
    this.data = data;
  }

  /** Starts the servers, writes the files of rows, and makes Switchyard's account on each server. */
  static async start<const Names extends readonly string[]>(
    context: BenchContext,
    names: Names,
    data: BulkData,
  ): Promise<BulkServers<Names[number]>> {
    const servers = new BulkServers(await startBenchServers(context, names), data);
    context.describe("rows", [`${data.about}:`, ...data.tables.slice(0, 1).flatMap(definition)]);
    const account = { user: USER, host: "127.0.0.1", schemas: [BULK_SCHEMA], password: PASSWORD };
    for (const name of names) await servers.get(name).root(printGrants("serve", account).join("\n"));
    context.say("writing the rows to files");
    await servers.#writeFiles(context.folder);
    return servers;
  }

  async #writeFiles(folder: string): Promise<void> {
    const { tables, filesPerTable } = this.data;
    for (const table of tables) {
      const rowsPerFile = Math.ceil(table.rows / filesPerTable);
      for (let first = 1; first <= table.rows; first += rowsPerFile) {
        const file = { table, path: join(folder, `${table.name}.${first}.tsv`) };
        const last = Math.min(table.rows, first + rowsPerFile - 1);
        await writeRows(file.path, table, first, last, this.#files.length + 1);
        this.#files.push(file);
      }
    }
  }

  get(name: Name): MysqlServer {
    return this.#servers[name];
  }

  /** `LOAD DATA` files of all rows. */
  get files(): readonly RowFile[] {
    return this.#files;
  }

  /** The tables with their schema. */
  get tables(): readonly string[] {
    return this.data.tables.map(tableNamed);
  }

  get rows(): number {
    return this.data.tables.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** As Switchyard connects: over TCP without TLS, as all peers do, with the account that `check --print-grants` prints. */
  endpoint(name: Name): Endpoint {
    return { ...this.get(name).endpoint(USER, PASSWORD), tls: { mode: "disabled" } };
  }

  /** Puts the rows into a server, with all keys. */
  async fill(name: Name): Promise<void> {
    const server = this.get(name);
    await server.root(`CREATE DATABASE ${BULK_SCHEMA}`);
    for (const { create } of this.data.tables) await server.root(create);
    for (const file of this.#files) await server.root(loadFile(file));
    for (const table of this.data.tables) await server.root(addKeys(table) ?? "DO 0");
    await server.root(`ANALYZE TABLE ${this.tables.join(", ")}`);
  }

  /** As good as new: no tables of the bench, no sidecar, an empty binary log. */
  async clear(name: Name): Promise<void> {
    const drop = [BULK_SCHEMA, "_switchyard"].map((schema) => `DROP DATABASE IF EXISTS ${schema}`);
    await this.get(name).root(`${drop.join("; ")}; RESET BINARY LOGS AND GTIDS`);
  }

  /** @throws {Error} unless the server has all rows of all tables with their secondary keys. */
  async requireRows(name: Name, contender: string): Promise<void> {
    for (const table of this.data.tables) {
      const [row] = await this.get(name).root(
        `SELECT (SELECT COUNT(*) FROM ${tableNamed(table)}) AS n, (SELECT COUNT(*) FROM information_schema.statistics ` +
          `WHERE CONCAT(table_schema, '.', table_name) = '${tableNamed(table)}') AS parts`,
      );
      if (Number(row?.["n"]) === table.rows && Number(row?.["parts"]) === table.keyParts) continue;
      throw new Error(`${contender} has left ${row?.["n"]} rows and ${row?.["parts"]} key parts in ${table.name}`);
    }
  }

  async stop(): Promise<void> {
    await stopBenchServers(this.#servers);
  }
}

function definition(table: BulkTable): readonly string[] {
  const keys = addKeys(table);
  return keys === undefined ? [table.create] : [table.create, keys];
}

export function loadFile({ table, path }: RowFile): string {
  return `LOAD DATA INFILE '${path}' INTO TABLE ${tableNamed(table)}`;
}
