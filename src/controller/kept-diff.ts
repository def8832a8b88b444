import type { Clock } from "../base/clock.ts";
import { parseTableKey, quoteText, type TableName, tableKey } from "../base/table-name.ts";
import type { Direction } from "../cutover/migration-document.ts";
import type { DiffKeeper, KeptTable } from "../diff/diff-keeper.ts";
import { diffAttributes, type TableKeys } from "../diff/diff-options.ts";
import { ANSWER_QUIET_MS } from "../mysql/answer-watch.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import { ledgerTaken } from "../replication/ledger.ts";
import { SIDECAR } from "../replication/sidecar.ts";

/** Keys of differences that a repair takes of one diff. */
const REPAIRED_KEYS_MAX = 200_000;
/** Bytes of one statement that writes keys. */
const STATEMENT_BYTES_MAX = 512 * 1024;
/** A stream that has claimed anew in this process knows its epoch a moment later than the ledger does. */
const EPOCH_TRIES = 10;
const EPOCH_RETRY_MS = 200;

/** What the last diff has found, for a repair. */
export interface FoundDifferences {
  /** Names that diff. */
  readonly run: string;
  readonly direction: Direction;
  /** ISO 8601: when that diff ended. */
  readonly finishedAt: string;
  readonly tables: readonly TableKeys[];
}

export interface KeptDiffOptions {
  readonly migration: string;
  readonly direction: Direction;
  /** Names the diff. */
  readonly run: string;
  /** That of the stream: whoever lost it must not write over what its successor keeps. */
  readonly epoch: () => bigint;
  readonly clock: Clock;
}

/** Keeps what a diff has compared and found in the sidecar of the server that the stream writes to. */
export class KeptDiff implements DiffKeeper {
  readonly #connection: Connection;
  readonly #options: KeptDiffOptions;
  readonly #of: string;
  #tail: Promise<void> = Promise.resolve();

  private constructor(connection: Connection, options: KeptDiffOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#of = `migration = ${quoteText(options.migration)}`;
  }

  static async open(endpoint: Endpoint, options: KeptDiffOptions, signal: AbortSignal): Promise<KeptDiff> {
    return new KeptDiff(await connect(endpoint, options.migration, signal), options);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Begins a diff: nothing of an earlier one is left. */
  async begin(): Promise<void> {
    const { migration, direction, run } = this.#options;
    await this.#transaction(async () => {
      await forgetFound(this.#connection, migration);
      await this.#connection.query(
        `INSERT INTO ${SIDECAR.diffRun} (migration, direction, run) VALUES (${quoteText(migration)}, '${direction}', ${quoteText(run)})`,
      );
    });
  }

  async load(): Promise<ReadonlyMap<string, KeptTable>> {
    const [run] = await this.#connection.rows(`SELECT run FROM ${SIDECAR.diffRun} WHERE ${this.#of}`);
    if (run?.["run"] !== this.#options.run) {
      // Somebody has removed it, or the server was restored: nothing of this diff is known.
      await this.begin();
      return new Map();
    }
    const rows = await this.#connection.rows(`SELECT table_key, state FROM ${SIDECAR.diffTable} WHERE ${this.#of}`);
    return new Map(rows.map((row) => [row["table_key"] ?? "", parseState(row["state"] ?? "")]));
  }

  async keep(table: TableName, state: KeptTable, keys: readonly (readonly Buffer[])[]): Promise<void> {
    const name = `${quoteText(this.#options.migration)}, ${quoteText(tableKey(table))}`;
    await this.#transaction(async () => {
      await this.#connection.query(
        `REPLACE INTO ${SIDECAR.diffTable} (migration, table_key, state) VALUES (${name}, ${quoteText(formatState(state))})`,
      );
      let number = state.keys - keys.length;
      let values: string[] = [];
      let bytes = 0;
      const insert = async (): Promise<void> => {
        if (values.length === 0) return;
        await this.#connection.query(
          `INSERT INTO ${SIDECAR.diffKey} (migration, table_key, number, fields) VALUES ${values.join(", ")}`,
        );
        values = [];
        bytes = 0;
      };
      for (const key of keys) {
        number += 1;
        const value = `(${name}, ${number}, '${key.map((field) => field.toString("hex")).join(",")}')`;
        values.push(value);
        bytes += value.length;
        if (bytes >= STATEMENT_BYTES_MAX) await insert();
      }
      await insert();
    });
  }

  async forget(table: TableName): Promise<void> {
    await this.#transaction(async () => {
      for (const kept of [SIDECAR.diffTable, SIDECAR.diffKey]) {
        await this.#connection.query(
          `DELETE FROM ${kept} WHERE ${this.#of} AND table_key = ${quoteText(tableKey(table))}`,
        );
      }
    });
  }

  /** The diff has ended: what it has found may be repaired from now on. */
  async finish(): Promise<void> {
    const finishedAt = this.#options.clock.now().toISOString();
    await this.#transaction(async () => {
      await this.#connection.query(
        `UPDATE ${SIDECAR.diffRun} SET finished_at = '${finishedAt}' WHERE ${this.#of} AND run = ${quoteText(this.#options.run)}`,
      );
    });
  }

  /** One after the other, each only while the stream is still this process's. */
  #transaction(work: () => Promise<void>): Promise<void> {
    const result = this.#tail.then(async () => {
      await this.#begin();
      try {
        await work();
        await this.#connection.query("COMMIT");
      } catch (error) {
        if (!this.#connection.isClosed) await this.#connection.query("ROLLBACK").catch(() => undefined);
        throw error;
      }
    });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  async #begin(): Promise<void> {
    const { migration, direction, epoch, clock } = this.#options;
    for (let tries = 1; ; tries += 1) {
      await this.#connection.query("START TRANSACTION");
      // The base row: that of the applier is locked by whatever it is applying.
      const [row] = await this.#connection.rows(
        `SELECT epoch FROM ${SIDECAR.ledger} WHERE ${this.#of} AND direction = '${direction}' AND worker = 0 FOR SHARE`,
      );
      const expected = epoch();
      if (BigInt(row?.["epoch"] ?? -1) === expected) return;
      await this.#connection.query("ROLLBACK");
      if (tries >= EPOCH_TRIES) throw ledgerTaken({ migration, direction, epoch: expected });
      await clock.sleep(EPOCH_RETRY_MS);
    }
  }
}

/** What the last diff that has ended has found and nobody has repaired; undefined where there is nothing. */
export async function readFound(
  endpoint: Endpoint,
  migration: string,
  signal: AbortSignal,
): Promise<FoundDifferences | undefined> {
  const connection = await connect(endpoint, migration, signal);
  const of = `migration = ${quoteText(migration)}`;
  try {
    const [run] = await connection.rows(
      `SELECT direction, run, finished_at FROM ${SIDECAR.diffRun} WHERE ${of} AND finished_at <> ''`,
    );
    if (run === undefined) return undefined;
    const states = await connection.rows(
      `SELECT table_key, state FROM ${SIDECAR.diffTable} WHERE ${of} ORDER BY table_key`,
    );
    const tables: TableKeys[] = [];
    let room = REPAIRED_KEYS_MAX;
    for (const { table_key: name, state } of states) {
      const { differences, keys, keysComplete } = parseState(state ?? "");
      if (differences === 0) continue;
      const rows = await connection.rows(
        `SELECT fields FROM ${SIDECAR.diffKey} WHERE ${of} AND table_key = ${quoteText(name ?? "")} ORDER BY number LIMIT ${room}`,
      );
      room -= rows.length;
      tables.push({
        table: parseTableKey(name ?? ""),
        keys: rows.map((row) => parseFields(row["fields"] ?? "")),
        complete: keysComplete && rows.length === keys,
      });
    }
    if (tables.length === 0) return undefined;
    const direction: Direction = run["direction"] === "reverse" ? "reverse" : "forward";
    return { run: run["run"] ?? "", direction, finishedAt: run["finished_at"] ?? "", tables };
  } catch (error) {
    // A version before has made the sidecar, and no stream of this one has run since.
    if (isMysqlError(error, ERRNO.NO_SUCH_TABLE, ERRNO.UNKNOWN_DATABASE)) return undefined;
    throw error;
  } finally {
    await connection.close();
  }
}

/** What diff `run` has found is repaired. Nothing is dropped where another has begun since, as by another controller. */
export async function dropFound(
  endpoint: Endpoint,
  migration: string,
  run: string,
  signal: AbortSignal,
): Promise<void> {
  const connection = await connect(endpoint, migration, signal);
  try {
    await connection.query("START TRANSACTION");
    const [last] = await connection.rows(
      `SELECT run FROM ${SIDECAR.diffRun} WHERE migration = ${quoteText(migration)} FOR UPDATE`,
    );
    if (last?.["run"] === run) await forgetFound(connection, migration);
    await connection.query("COMMIT");
  } finally {
    await connection.close();
  }
}

/** The row that names the diff is locked first, by all who do this: the others wait for it, and find another there. */
async function forgetFound(connection: Connection, migration: string): Promise<void> {
  for (const kept of [SIDECAR.diffRun, SIDECAR.diffKey, SIDECAR.diffTable]) {
    await connection.query(`DELETE FROM ${kept} WHERE migration = ${quoteText(migration)}`);
  }
}

async function connect(endpoint: Endpoint, migration: string, signal: AbortSignal): Promise<Connection> {
  const attributes = diffAttributes({ migration });
  const connection = await Connection.connect(endpoint, { attributes, signal, answerQuietMs: ANSWER_QUIET_MS });
  await connection.query("SET NAMES utf8mb4");
  await connection.query(
    "SET SESSION sql_mode = '', transaction_isolation = 'READ-COMMITTED', wait_timeout = 86400, autocommit = 1",
  );
  return connection;
}

function formatState({ through, ...state }: KeptTable): string {
  const key = through?.map((field) => field.toString("hex"));
  return JSON.stringify({ ...state, ...(key === undefined ? {} : { through: key }) });
}

function parseState(text: string): KeptTable {
  const { through, ...state } = JSON.parse(text) as Omit<KeptTable, "through"> & { through?: readonly string[] };
  return { ...state, ...(through === undefined ? {} : { through: through.map((field) => Buffer.from(field, "hex")) }) };
}

function parseFields(text: string): Buffer[] {
  return text.split(",").map((field) => Buffer.from(field, "hex"));
}
