import mysql, { type Connection, type ResultSetHeader, type RowDataPacket } from "mysql2/promise";
import type { LatencyLog } from "./latency-log.ts";

export type Params = readonly (string | number | null)[];

/** Thrown for a failed statement; `sure` says whether the server's answer came, so that nothing is left open. */
export class StatementError extends Error {
  override readonly name = "StatementError";
  readonly sure: boolean;

  constructor(sql: string, options: { readonly cause: unknown }) {
    const error = options.cause as { message?: string; sqlState?: string };
    super(`${error.message ?? String(options.cause)} [${sql.slice(0, 80)}]`, options);
    // An error packet of the server (or the proxy) has a state; a broken connection has none.
    this.sure = typeof error.sqlState === "string";
  }
}

export interface SessionOptions {
  /** The ordinary connection string of an application: `mysql://user:password@host:port/schema`. */
  readonly url: string;
  readonly tls: boolean;
}

/** One client's connection, as an application has it; each statement is timed. It dials again after it has broken. */
export class ClientSession {
  readonly #options: SessionOptions;
  readonly #latencies: LatencyLog;
  #connection: Connection | undefined;

  constructor(options: SessionOptions, latencies: LatencyLog) {
    this.#options = options;
    this.#latencies = latencies;
  }

  /** Opens the connection and sets what an application sets: the session's state must follow it wherever it goes. */
  async open(): Promise<void> {
    const connection = await mysql.createConnection({
      uri: this.#options.url,
      dateStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      connectTimeout: 20_000,
      ...(this.#options.tls ? { ssl: { rejectUnauthorized: false } } : {}),
    });
    // Errors also reach the statement that waits; one that comes between statements shows with the next.
    connection.on("error", () => undefined);
    this.#connection = connection;
    await this.text("SET time_zone = '+00:00', @demo = 'session'");
  }

  /** The text protocol. */
  text(sql: string, params: Params = []): Promise<{ rows: RowDataPacket[]; insertId: string; affected: number }> {
    return this.#timed(sql, (connection) => connection.query(sql, [...params]));
  }

  /** A prepared statement. */
  prepared(sql: string, params: Params): Promise<{ rows: RowDataPacket[]; insertId: string; affected: number }> {
    return this.#timed(sql, (connection) => connection.execute(sql, [...params]));
  }

  async close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.end().catch(() => connection.destroy());
  }

  drop(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  async #timed(
    sql: string,
    send: (connection: Connection) => Promise<[unknown, unknown]>,
  ): Promise<{ rows: RowDataPacket[]; insertId: string; affected: number }> {
    const startedAt = performance.now();
    try {
      if (this.#connection === undefined) throw new Error("there is no connection");
      const [result] = await send(this.#connection);
      if (Array.isArray(result)) return { rows: result as RowDataPacket[], insertId: "0", affected: 0 };
      const header = result as ResultSetHeader;
      return { rows: [], insertId: String(header.insertId), affected: header.affectedRows };
    } catch (cause) {
      throw new StatementError(sql, { cause });
    } finally {
      this.#latencies.record(startedAt, performance.now());
    }
  }
}
