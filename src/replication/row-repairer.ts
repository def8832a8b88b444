import { createHash } from "node:crypto";
import { quoteTable, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { type CarriedTable, keptColumns, writtenColumns } from "../table/carried-columns.ts";
import { TextRow } from "../wire/text-row.ts";
import { proveEpoch } from "./ledger.ts";
import { type LoadColumns, loadColumns, loadStatement } from "./load-columns.ts";
import { LoadEncoder } from "./load-encoder.ts";
import { connectWriter, packetBytesMax, type StreamName } from "./stream-session.ts";
import { insertRows, TypedRows } from "./typed-rows.ts";

/** The copier whose ledger row proves the epoch; nothing is copied any more while rows are repaired. */
const COPIER = 1;

/** Rows of the home that one transaction writes, as the server sends them; one larger row is written alone. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Keys whose rows are to be made equal. */
export interface RepairBatch {
  /** Reads the home as of the position at which the stream stands. */
  readonly home: Connection;
  /** Which column of the home is which of the side that is written. */
  readonly carried: CarriedTable;
  /** What is selected to compare a row on each side: equal rows have equal bytes. */
  readonly fields: BothSides;
  /** For each key the conditions that find its row. */
  readonly conditions: readonly BothSides[];
  readonly dryRun: boolean;
}

/** Something in the words of each side. */
export interface BothSides {
  readonly home: string;
  readonly other: string;
}

/** A key whose rows are not equal, and whether each side has any. */
interface WrongRow extends BothSides {
  readonly atHome: boolean;
  readonly atOther: boolean;
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
  /** The target's `max_allowed_packet`. */
  readonly #packetBytesMax: number;
  readonly #name: StreamName;
  readonly #epoch: () => bigint;

  private constructor(writer: Connection, packetBytes: number, name: StreamName, epoch: () => bigint) {
    this.#writer = writer;
    this.#packetBytesMax = packetBytes;
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
    return new RowRepairer(writer, await packetBytesMax(writer), name, epoch);
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
  async #look(batch: RepairBatch): Promise<{ outcome: RepairOutcome; wrong: readonly WrongRow[] }> {
    const wrong: WrongRow[] = [];
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
      wrong.push({ ...condition, atHome: home.rows > 0, atOther: other.rows > 0 });
      counts[other.rows === 0 ? "inserted" : home.rows === 0 ? "deleted" : "rewritten"] += 1;
    }
    return { outcome: { ...counts, refused: false }, wrong };
  }

  /**
   * False where the server did not take the rows as they were sent: another row may hold a unique value of theirs. A row that
   * is there is written anew, but where it has columns that the home lacks: these keep their values.
   */
  async #write(batch: RepairBatch, wrong: readonly WrongRow[]): Promise<boolean> {
    const keeps = keptColumns(batch.carried).length > 0;
    const updated = keeps ? wrong.filter(({ atHome, atOther }) => atHome && atOther) : [];
    const others = keeps ? wrong.filter(({ atHome, atOther }) => !atHome || !atOther) : wrong;
    return (await this.#update(batch, updated)) && (await this.#replace(batch, others));
  }

  async #update({ home, carried }: RepairBatch, wrong: readonly WrongRow[]): Promise<boolean> {
    const written = writtenColumns(carried);
    const columns = loadColumns(written);
    const updates = new TypedRows(quoteTable(carried.to.name), columns);
    for (const condition of wrong) {
      const row = new TextRow(columns.select.length);
      await home.stream(selectRows(columns, carried, condition.home), {
        columns: () => undefined,
        row: (payload) => updates.update(row.scan(payload), keptColumns(carried), condition.other),
      });
    }
    const statements = updates.take();
    const done = await insertRows(this.#writer, tableKey(carried.to.name), statements, this.#packetBytesMax);
    return done.affectedRows === wrong.length && done.warnings === 0;
  }

  async #replace({ home, carried }: RepairBatch, wrong: readonly WrongRow[]): Promise<boolean> {
    if (wrong.length === 0) return true;
    const table = quoteTable(carried.to.name);
    await this.#writer.query(`DELETE FROM ${table} WHERE ${anyOf(wrong.map(({ other }) => other))}`);
    const written = writtenColumns(carried);
    const columns = loadColumns(written);
    const typed = columns.types.length === 0 ? undefined : new TypedRows(table, columns);
    const encoder = new LoadEncoder(written.length, undefined, typed);
    await home.stream(selectRows(columns, carried, anyOf(wrong.map((one) => one.home))), {
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
    const inserted = await insertRows(this.#writer, tableKey(carried.to.name), typed.take(), this.#packetBytesMax);
    return inserted.affectedRows === inserts && inserted.warnings === 0;
  }

  async #allEqual(batch: RepairBatch, conditions: readonly BothSides[]): Promise<boolean> {
    for (const condition of conditions) {
      const [home, other] = await this.#bothSides(batch, condition);
      if (home.digest !== other.digest) return false;
    }
    return true;
  }

  async #bothSides(batch: RepairBatch, condition: BothSides): Promise<[RowsDigest, RowsDigest]> {
    const { home, carried, fields, dryRun } = batch;
    const table = quoteTable(carried.from.name);
    const lock = dryRun ? "" : " FOR UPDATE";
    return await Promise.all([
      digestRows(home, `SELECT ${fields.home} FROM ${table} WHERE ${condition.home}`),
      digestRows(this.#writer, `SELECT ${fields.other} FROM ${table} WHERE ${condition.other}${lock}`),
    ]);
  }
}

function anyOf(conditions: readonly string[]): string {
  return conditions.map((condition) => `(${condition})`).join(" OR ");
}

function selectRows(columns: LoadColumns, { from }: CarriedTable, condition: string): string {
  return `SELECT ${columns.select.join(", ")} FROM ${quoteTable(from.name)} WHERE ${condition}`;
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
