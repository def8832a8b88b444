import mysql, { type Connection } from "mysql2/promise";
import { analyzeSql } from "../../src/sql/classifier.ts";
import type { SqlModes } from "../../src/sql/statement.ts";
import type { TestServer } from "./servers.ts";

/** Tables of the schema `shop` that statements may use, each with the columns id, a, b and d. */
export const ORACLE_TABLES = ["orders", "items", "status", "x1", "dual_", "t"] as const;

/** What the server did with a statement, next to what the reader said of it. */
export interface Verdict {
  readonly sql: string;
  /** Tables that the server locked for it, `schema.table`. */
  readonly locked: readonly string[];
  /** Tables that the server locked and the reader did not name; must be empty. */
  readonly missed: readonly string[];
  /** Tables that the reader named and the server did not lock: each could refuse a statement that is well. */
  readonly extra: readonly string[];
  /** The reader said that any table may be touched. */
  readonly everything: boolean;
  /** The server executed it. */
  readonly accepted: boolean;
}

/**
 * Executes statements in a transaction and asks the server which tables it has locked: what a statement touches,
 * by the only authority there is.
 */
export class SqlOracle {
  readonly #session: Connection;
  readonly #watcher: Connection;
  readonly #modes: SqlModes;

  private constructor(session: Connection, watcher: Connection, modes: SqlModes) {
    this.#session = session;
    this.#watcher = watcher;
    this.#modes = modes;
  }

  static async open(server: TestServer, modes: SqlModes): Promise<SqlOracle> {
    await server.root(
      [
        "CREATE DATABASE IF NOT EXISTS shop",
        ...ORACLE_TABLES.map(
          (table) => `CREATE TABLE IF NOT EXISTS shop.${table} (id INT PRIMARY KEY, a INT, b INT, d DATE, KEY i (a))`,
        ),
        "CREATE TABLE IF NOT EXISTS shop.hidden (id INT PRIMARY KEY)",
        "DROP FUNCTION IF EXISTS shop.f",
        "CREATE FUNCTION shop.f(x INT) RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM shop.hidden)",
      ].join("; "),
    );
    const connect = (): Promise<Connection> =>
      mysql.createConnection({ socketPath: server.socket, user: "root", database: "shop" });
    const session = await connect();
    const mode = [modes.ansiQuotes ? "ANSI_QUOTES" : "", modes.noBackslashEscapes ? "NO_BACKSLASH_ESCAPES" : ""];
    await session.query(`SET sql_mode='${mode.filter((word) => word !== "").join(",")}', max_execution_time=200`);
    return new SqlOracle(session, await connect(), modes);
  }

  async close(): Promise<void> {
    await this.#session.end();
    await this.#watcher.end();
  }

  async ask(sql: string): Promise<Verdict> {
    const facts = analyzeSql(Buffer.from(sql), this.#modes);
    await this.#session.query("BEGIN");
    let accepted = true;
    try {
      await this.#session.query(sql);
    } catch {
      accepted = false;
    }
    const [rows] = await this.#watcher.query(
      "SELECT DISTINCT OBJECT_SCHEMA db, OBJECT_NAME name FROM performance_schema.metadata_locks m " +
        "JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID " +
        "WHERE OBJECT_TYPE = 'TABLE' AND OBJECT_SCHEMA = 'shop' AND PROCESSLIST_ID = ?",
      [this.#session.threadId],
    );
    await this.#session.query("ROLLBACK");
    const locked = (rows as { db: string; name: string }[]).map(({ db, name }) => `${db}.${name}`);
    const named = new Set(
      facts.flatMap(({ tables }) => tables.map(({ schema, table }) => `${schema ?? "shop"}.${table}`)),
    );
    const everything = facts.some(({ touchesEverything }) => touchesEverything);
    const missed = everything ? [] : locked.filter((name) => !named.has(name));
    const extra = [...named].filter((name) => !locked.includes(name));
    return { sql, accepted, locked, missed, extra, everything };
  }
}
