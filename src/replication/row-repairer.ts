import { createHash } from "node:crypto";
import { quoteTable, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { storedColumns, type TableShape } from "../table/table-shape.ts";
import { proveEpoch } from "./ledger.ts";
import { loadColumns, loadStatement } from "./load-columns.ts";
import { LoadEncoder } from "./load-encoder.ts";
import { connectWriter, type StreamName } from "./stream-session.ts";
import { insertRows, TypedRows } from "./typed-rows.ts";

/** The copier whose ledger row proves the epoch; nothing is copied any more while rows are repaired. */
const COPIER = 1;

/** Rows of the home that one transaction writes, as the server sends them; one larger row is written alone. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Keys whose rows are to be made equal. */
export interface RepairBatch {
  /** Reads the home as of the position at which the stream stands. */
  readonly home: Connection;
  readonly shape: TableShape;
  /** What is selected to compare a row: equal rows have equal bytes. */
  readonly fields: string;
  /** For each key the condition that finds its row, on either side. */
  readonly conditions: readonly string[];
  readonly dryRun: boolean;
}

export interface RepairOutcome {
  /** How many of the conditions, from the first on, have been looked at. */
  readonly taken: number;
  readonly inserted: number;
  readonly deleted: number;
  readonly rewritten: number;
  /** Both sides had the same row already. */
  readonly equal: number;
  /** Nothing was written: the server did not take the rows, or they were not equal afterwards. */
  readonly refused: boolean;
}

/** Writes rows of the home over those of the side that a stream writes to. */
export class RowRepairer {
  readonly #writer: Connection;
  readonly #name: StreamName;
  readonly #epoch: () => bigint;

  private constructor(writer: Connection, name: StreamName, epoch: () => bigint) {
    this.#writer = writer;
    this.#name = name;
    this.#epoch = epoch;
  }

  /** `epoch` gives that of the stream; it is proved by each transaction, so that a successor's writes are never undone. */
  static async open(
    target: Endpoint,
    name: StreamName,
    epoch: () => bigint,
    signal: AbortSignal,
  ): Promise<RowRepairer> {
    const writer = await connectWriter(target, name, { localInfile: true, signal });
    await writer.query("SET SESSION character_set_results = NULL");
    return new RowRepairer(writer, name, epoch);
  }

  async close(): Promise<void> {
    await this.#writer.close();
  }

  /**
   * Makes the rows of a batch equal to the home's, in one transaction that is all or nothing and looks at every row, under
   * its lock, before and after. To be called only while the stream stands at the position that `home` reads.
   *
   * @throws {SwitchyardError} `REPLICATION_LEDGER_TAKEN` when the stream was taken over meanwhile
   */
  async repair(batch: RepairBatch): Promise<RepairOutcome> {
    // Read before anything else: a stream that claims anew from here on makes this transaction fail.
    const epoch = this.#epoch();
    await this.#writer.query("BEGIN");
    try {
      if (!batch.dryRun) await proveEpoch(this.#writer, { ...this.#name, epoch }, COPIER);
      const { outcome, wrong } = await this.#look(batch);
      if (batch.dryRun || wrong.length === 0) {
        await this.#writer.query("ROLLBACK");
        return outcome;
      }
      const written = (await this.#write(batch, wrong)) && (await this.#allEqual(batch, wrong));
      await this.#writer.query(written ? "COMMIT" : "ROLLBACK");
      return written
        ? outcome
        : { taken: outcome.taken, inserted: 0, deleted: 0, rewritten: 0, equal: 0, refused: true };
    } catch (error) {
      await this.#writer.query("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  /** Compares the rows key by key, until their bytes are enough for one transaction. */
  async #look(batch: RepairBatch): Promise<{ outcome: RepairOutcome; wrong: readonly string[] }> {
    const wrong: string[] = [];
    const counts = { taken: 0, inserted: 0, deleted: 0, rewritten: 0, equal: 0 };
    let bytes = 0;
    for (const condition of batch.conditions) {
      const [home, other] = await this.#bothSides(batch, condition);
      if (counts.taken > 0 && bytes + home.bytes > BATCH_BYTES_MAX) break;
      bytes += home.bytes;
      counts.taken += 1;
      if (home.digest === other.digest) {
        counts.equal += 1;
        continue;
      }
      wrong.push(condition);
      counts[other.rows === 0 ? "inserted" : home.rows === 0 ? "deleted" : "rewritten"] += 1;
    }
    return { outcome: { ...counts, refused: false }, wrong };
  }

  /** False where the server did not take the rows as they were sent: another row may hold a unique value of theirs. */
  async #write(batch: RepairBatch, wrong: readonly string[]): Promise<boolean> {
    const table = quoteTable(batch.shape.name);
    const where = wrong.map((condition) => `(${condition})`).join(" OR ");
    await this.#writer.query(`DELETE FROM ${table} WHERE ${where}`);
    const stored = storedColumns(batch.shape);
    const columns = loadColumns(stored);
    const typed = columns.types.length === 0 ? undefined : new TypedRows(table, columns);
    const encoder = new LoadEncoder(stored.length, undefined, typed);
    await batch.home.stream(`SELECT ${columns.select.join(", ")} FROM ${table} WHERE ${where}`, {
      columns: () => undefined,
      row: (payload) => encoder.add(payload),
    });
    const inserts = typed?.rows ?? 0;
    const loads = encoder.rows - inserts;
    if (loads > 0) {
      const loaded = await this.#writer.loadLocal(loadStatement(table, columns), once(encoder.take()));
      if (loaded.affectedRows !== loads || loaded.warnings > 0) return false;
    }
    if (typed === undefined || inserts === 0) return true;
    const inserted = await insertRows(this.#writer, tableKey(batch.shape.name), typed.take());
    return inserted.affectedRows === inserts && inserted.warnings === 0;
  }

  async #allEqual(batch: RepairBatch, conditions: readonly string[]): Promise<boolean> {
    for (const condition of conditions) {
      const [home, other] = await this.#bothSides(batch, condition);
      if (home.digest !== other.digest) return false;
    }
    return true;
  }

  async #bothSides(batch: RepairBatch, condition: string): Promise<[RowsDigest, RowsDigest]> {
    const sql = `SELECT ${batch.fields} FROM ${quoteTable(batch.shape.name)} WHERE ${condition}`;
    const lock = batch.dryRun ? "" : " FOR UPDATE";
    return await Promise.all([digestRows(batch.home, sql), digestRows(this.#writer, sql + lock)]);
  }
}

interface RowsDigest {
  readonly rows: number;
  readonly bytes: number;
  readonly digest: string;
}

/** What a statement gives, without keeping it: a row may be as large as memory. */
async function digestRows(connection: Connection, sql: string): Promise<RowsDigest> {
  const digests: string[] = [];
  let bytes = 0;
  await connection.stream(sql, {
    columns: () => undefined,
    row: (payload) => {
      bytes += payload.length;
      digests.push(createHash("sha256").update(payload).digest("base64"));
    },
  });
  return { rows: digests.length, bytes, digest: digests.sort().join() };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
