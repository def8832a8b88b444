import { SwitchyardError } from "../base/errors.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import { quoteId, quoteTable } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { type Key, type KeyKind, parseKeyPart } from "../table/key-order.ts";
import type { KeyRange } from "../table/key-ranges.ts";
import { storedColumns } from "../table/table-shape.ts";
import { TextRow } from "../wire/text-row.ts";
import type { CopyTask } from "./copy-plan.ts";
import { type CopiedChunk, type CopiedTable, recordChunk } from "./copy-state.ts";
import { rangeCondition } from "./key-sql.ts";
import { epochUpdate, type LedgerClaim, ledgerTaken } from "./ledger.ts";
import { type LoadColumns, loadColumns, loadStatement } from "./load-columns.ts";
import { LoadEncoder } from "./load-encoder.ts";
import { refusedRows } from "./refused-rows.ts";

/** What the copiers of one cycle share. */
export interface CopyCycle {
  readonly claim: LedgerClaim;
  /** Number of the snapshot that is being read. */
  readonly snapshot: number;
  readonly limits: { readonly chunkRowsMax: number; readonly chunkBytesMax: number };
  readonly failpoint: FailpointHook;
  /** Whether the snapshot should be closed soon. Asked after each chunk. */
  readonly isOver: () => boolean;
  /** Waits while the stream is paused. */
  readonly whilePaused: () => Promise<void>;
  /** Checks that the definition is still the one under the lock, once a read has pinned it. */
  readonly verifyDefinition: (table: CopiedTable) => Promise<void>;
  readonly onRows: (table: CopiedTable, rows: number) => void;
}

/**
 * Copies runs of keys: one connection reads the snapshot, another loads its rows on the target. While a chunk is
 * loaded the next one is read.
 *
 * Each chunk is one target transaction: the epoch is proved, the rows are loaded, and the chunk is recorded. Fewer
 * rows than were sent, or any warning, roll it back: a local load reports neither too long values nor duplicates as
 * errors.
 */
export class ChunkCopier {
  readonly #cycle: CopyCycle;
  readonly #reader: Connection;
  readonly #writer: Connection;
  readonly #copier: number;
  readonly #verified = new Set<string>();

  constructor(cycle: CopyCycle, reader: Connection, writer: Connection, copier: number) {
    this.#cycle = cycle;
    this.#reader = reader;
    this.#writer = writer;
    this.#copier = copier;
  }

  /**
   * Copies one task. True when all of it has been copied; false when the cycle was over before, and the reading
   * connection has been used up.
   */
  async copy(task: CopyTask): Promise<boolean> {
    const run = new TaskRun(task);
    let loading: Promise<void> = Promise.resolve();
    let over = false;
    const flush = (through: Key | undefined, last: boolean): Promise<void> => {
      const before = loading;
      const { parts, rows } = run.take();
      loading = before.then(() => this.#load(run, parts, rows, through, last));
      loading.catch(() => undefined);
      return before;
    };
    try {
      await this.#reader.stream(run.select, {
        columns: () => undefined,
        row: (payload) => {
          run.encoder.add(payload);
          if (run.encoder.full) run.collect();
          if (run.rows < this.#cycle.limits.chunkRowsMax && run.bytes < this.#cycle.limits.chunkBytesMax) return;
          const flushed = flush(run.lastKey(payload), false);
          if (!run.ordered || !this.#cycle.isOver()) return flushed;
          over = true;
          throw new SwitchyardError("CANCELLED", { what: "the time of this snapshot is over" });
        },
      });
    } catch (error) {
      await loading;
      if (over) return false;
      throw error;
    }
    await flush(task.range.through, true);
    await loading;
    return true;
  }

  async #load(
    run: TaskRun,
    parts: readonly Buffer[],
    rows: number,
    through: Key | undefined,
    last: boolean,
  ): Promise<void> {
    const { claim, failpoint } = this.#cycle;
    const { table } = run.task;
    await this.#cycle.whilePaused();
    if (!this.#verified.has(table.key)) {
      await this.#cycle.verifyDefinition(table);
      this.#verified.add(table.key);
    }
    const [begun, loaded] = await Promise.all([
      this.#writer.queryMulti(`BEGIN; ${epochUpdate(claim, this.#copier)}`),
      rows === 0 ? undefined : this.#writer.loadLocal(run.load, chunksOf(parts)),
    ]);
    if (begun[1]?.affectedRows !== 1) {
      await this.#writer.query("ROLLBACK");
      throw ledgerTaken(claim);
    }
    if (loaded !== undefined && (loaded.affectedRows !== rows || loaded.warnings > 0)) {
      const error = await refusedRows(this.#writer, table.key, { sent: rows, ...loaded });
      await this.#writer.query("ROLLBACK");
      throw error;
    }
    const chunk = run.extended(this.#cycle.snapshot, rows, through, last);
    await this.#writer.query(recordChunk(claim.migration, table, chunk));
    await failpoint("copy-before-chunk-commit");
    await this.#writer.query("COMMIT");
    run.committed(chunk);
    this.#cycle.onRows(table, rows);
    await failpoint("copy-after-chunk-commit");
  }
}

/** One task under way: the statements, the rows not loaded yet, the chunk recorded so far. */
class TaskRun {
  readonly task: CopyTask;
  readonly select: string;
  readonly load: string;
  readonly encoder: LoadEncoder;
  /** Whether chunks can end between keys; otherwise the table counts only as a whole. */
  readonly ordered: boolean;
  readonly #row: TextRow;
  readonly #keyFields: readonly number[];
  #parts: Buffer[] = [];
  #partBytes = 0;
  #rowsTaken = 0;
  #chunk: CopiedChunk | undefined;

  constructor(task: CopyTask) {
    const { table, range } = task;
    const stored = storedColumns(table.shape);
    const columns = loadColumns(stored);
    this.task = task;
    this.select = selectStatement(table, columns, range);
    this.load = loadStatement(quoteTable(table.name), columns);
    this.encoder = new LoadEncoder(stored.length);
    this.ordered = table.kinds !== undefined;
    this.#row = new TextRow(stored.length);
    this.#keyFields = table.shape.primaryKey.map((position) => {
      const column = table.shape.columns[position];
      return column === undefined ? -1 : stored.indexOf(column);
    });
  }

  get rows(): number {
    return this.encoder.rows - this.#rowsTaken;
  }

  get bytes(): number {
    return this.#partBytes + this.encoder.length;
  }

  collect(): void {
    const part = this.encoder.take();
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  take(): { readonly parts: readonly Buffer[]; readonly rows: number } {
    if (this.encoder.length > 0) this.collect();
    const taken = { parts: this.#parts, rows: this.rows };
    this.#parts = [];
    this.#partBytes = 0;
    this.#rowsTaken = this.encoder.rows;
    return taken;
  }

  /** The key of a row, to be called before the row's packet is gone; nothing for a table without key order. */
  lastKey(payload: Buffer): Key | undefined {
    const kinds = this.task.table.kinds;
    if (kinds === undefined) return undefined;
    const row = this.#row.scan(payload);
    return this.#keyFields.map((field, i) => {
      const text = row.field(field)?.toString("latin1") ?? "";
      return parseKeyPart(kinds[i] as KeyKind, text);
    });
  }

  extended(snapshot: number, rows: number, through: Key | undefined, last: boolean): CopiedChunk {
    const { table, range } = this.task;
    const number = this.#chunk?.chunk ?? Math.max(0, ...table.chunks.map((chunk) => chunk.chunk)) + 1;
    // Taken before the first commit, so that two readers of one table never take the same number.
    if (this.#chunk === undefined) table.chunks.push(this.#reserve(number, snapshot));
    return {
      chunk: number,
      snapshot,
      after: range.after,
      through,
      rows: (this.#chunk?.rows ?? 0) + rows,
      complete: last || this.ordered,
    };
  }

  committed(chunk: CopiedChunk): void {
    const { table } = this.task;
    const at = table.chunks.findIndex((one) => one.chunk === chunk.chunk);
    table.chunks[at] = chunk;
    this.#chunk = chunk;
  }

  #reserve(number: number, snapshot: number): CopiedChunk {
    const { after } = this.task.range;
    this.#chunk = { chunk: number, snapshot, after, through: after, rows: 0, complete: false };
    return this.#chunk;
  }
}

function selectStatement(table: CopiedTable, columns: LoadColumns, range: KeyRange): string {
  const names = table.shape.primaryKey.map((position) => table.shape.columns[position]?.name ?? "");
  const condition = rangeCondition(names, table.kinds ?? [], range);
  return (
    `SELECT ${columns.select.join(", ")} FROM ${quoteTable(table.name)} FORCE INDEX (PRIMARY)` +
    `${condition === "" ? "" : ` WHERE ${condition}`} ORDER BY ${names.map(quoteId).join(", ")}`
  );
}

async function* chunksOf(parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* parts;
}
