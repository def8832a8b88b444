import { SwitchyardError } from "../base/errors.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { PaceWorker } from "../base/pace.ts";
import { quoteId, quoteTable } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { writtenColumns } from "../table/carried-columns.ts";
import { type Key, type KeyKind, parseKeyPart } from "../table/key-order.ts";
import type { KeyRange } from "../table/key-ranges.ts";
import { rowKey, rowKeyColumns, rowKeyNames } from "../table/row-key.ts";
import type { CopyTask } from "./copy-plan.ts";
import { type CopiedChunk, type CopiedTable, recordChunk } from "./copy-state.ts";
import { rangeCondition } from "./key-sql.ts";
import { epochUpdate, type LedgerClaim, ledgerTaken } from "./ledger.ts";
import { type LoadColumns, loadColumns, loadStatement } from "./load-columns.ts";
import { LoadEncoder, LoadMemory } from "./load-encoder.ts";
import { refusedRows } from "./refused-rows.ts";
import { insertRows, type RowsInsert, TypedRows } from "./typed-rows.ts";

/** What the copiers of one cycle share, and each one's own pace. */
export interface CopyCycle {
  readonly claim: LedgerClaim;
  readonly limits: { readonly chunkRowsMax: number; readonly chunkBytesMax: number };
  /** The target's `max_allowed_packet`. */
  readonly packetBytesMax: number;
  readonly failpoint: FailpointHook;
  /** Whether the snapshot should be closed soon. Asked after each chunk. */
  readonly isOver: () => boolean;
  /** Waits while the stream is paused. */
  readonly whilePaused: () => Promise<void>;
  readonly pace: PaceWorker;
  /** Checks that the definition is still the one under the lock, once a read has pinned it. */
  readonly verifyDefinition: (table: CopiedTable) => Promise<void>;
  readonly onRows: (table: CopiedTable, rows: number) => void;
}

/** What one copier reads: a snapshot's number in the sidecar, and a session in it that is this copier's alone. */
export interface SnapshotReader {
  readonly snapshot: number;
  readonly connection: Connection;
}

/**
 * Copies runs of keys: one connection reads the snapshot, another loads its rows on the target. While a chunk is
 * loaded the next one is read, be it of the same task or of the next.
 *
 * Each chunk is one target transaction: the epoch is proved, the rows are loaded, and the chunk is recorded. Fewer
 * rows than were sent, or any warning, roll it back: a local load reports neither too long values nor duplicates as
 * errors.
 */
export class ChunkCopier {
  readonly #cycle: CopyCycle;
  readonly #writer: Connection;
  readonly #copier: number;
  readonly #verified = new Set<string>();
  /** Of one chunk: the buffers of the one that is loaded are there for the next but one. */
  readonly #memory: LoadMemory;
  /** The chunk that is being loaded; the next one is loaded behind it. */
  #loading: Promise<void> = Promise.resolve();

  constructor(cycle: CopyCycle, writer: Connection, copier: number) {
    this.#cycle = cycle;
    this.#writer = writer;
    this.#copier = copier;
    this.#memory = new LoadMemory(cycle.limits.chunkBytesMax);
  }

  /**
   * Reads one task and loads it, all but its last chunk, which is loaded while the next task is read: {@link finish}
   * waits for it. True when all of it has been read; false when the cycle was over before, and the reading connection
   * has been used up.
   */
  async copy(task: CopyTask, reader: SnapshotReader): Promise<boolean> {
    const run = new TaskRun(task, reader.snapshot, this.#memory);
    let over = false;
    try {
      await reader.connection.streamSegments(run.select, {
        columns: () => undefined,
        segment: (bytes) =>
          this.#take(run, bytes, 0, () => {
            over = true;
          }),
      });
    } catch (error) {
      await this.#loading;
      if (over) return false;
      throw error;
    }
    await this.#flush(run, task.range.through, true);
    return true;
  }

  /** Resolves when all that has been read so far is committed on the target; rejects with what has kept it from that. */
  finish(): Promise<void> {
    return this.#loading;
  }

  /** Takes the rows of a run of packets from `from` on; a promise where the chunk before must be loaded first. */
  #take(run: TaskRun, bytes: Buffer, from: number, onOver: () => void): void | Promise<void> {
    const { chunkRowsMax, chunkBytesMax } = this.#cycle.limits;
    let at = from;
    while (at < bytes.length) {
      at = run.encoder.addRun(bytes, at, chunkRowsMax - run.rows);
      if (run.encoder.full) run.collect();
      if (run.rows < chunkRowsMax && run.bytes < chunkBytesMax) continue;
      const flushed = this.#flush(run, run.lastKey(), false);
      if (run.ordered && this.#cycle.isOver()) {
        onOver();
        throw new SwitchyardError("CANCELLED", { what: "the time of this snapshot is over" });
      }
      return flushed.then(() => this.#take(run, bytes, at, onOver));
    }
    return undefined;
  }

  /** Gives the rows that have been read to the target, behind the chunk before; resolves when that one is loaded. */
  #flush(run: TaskRun, through: Key | undefined, last: boolean): Promise<void> {
    const before = this.#loading;
    const batch = run.take();
    this.#loading = before.then(() => this.#load(run, batch, through, last));
    this.#loading.catch(() => undefined);
    return before;
  }

  async #load(run: TaskRun, batch: RowsTaken, through: Key | undefined, last: boolean): Promise<void> {
    const { claim, failpoint } = this.#cycle;
    const { rows, loads } = batch;
    const { table } = run.task;
    await this.#cycle.whilePaused();
    // A table that counts only as a whole would begin anew after each stop, and so is only slowed.
    await this.#cycle.pace.rest(run.ordered ? this.#cycle.isOver : undefined);
    if (!this.#verified.has(table.key)) {
      await this.#cycle.verifyDefinition(table);
      this.#verified.add(table.key);
    }
    const sent: Buffer[] = [];
    const [begun, loaded] = await Promise.all([
      this.#writer.queryMulti(`BEGIN; ${epochUpdate(claim, this.#copier)}`),
      loads === 0 ? undefined : this.#writer.loadLocal(run.load, chunksOf(batch.parts, sent)),
    ]);
    // The server has read the file to its end.
    for (const part of sent) this.#memory.giveBack(part);
    if (begun[1]?.affectedRows !== 1) {
      await this.#writer.query("ROLLBACK");
      throw ledgerTaken(claim);
    }
    if (loaded !== undefined) await this.#verify(table.key, loads, loaded);
    if (rows > loads) {
      const inserted = await insertRows(this.#writer, table.key, batch.inserts, this.#cycle.packetBytesMax);
      await this.#verify(table.key, rows - loads, inserted);
    }
    const chunk = run.extended(rows, through, last);
    await this.#writer.query(recordChunk(claim.migration, table, chunk));
    await failpoint("copy-before-chunk-commit");
    await this.#writer.query("COMMIT");
    run.committed(chunk);
    this.#cycle.onRows(table, rows);
    await failpoint("copy-after-chunk-commit");
  }

  /** Rolls back unless as many rows were written as were sent, and all as they were. */
  async #verify(
    table: string,
    sent: number,
    written: { readonly affectedRows: number; readonly warnings: number },
  ): Promise<void> {
    if (written.affectedRows === sent && written.warnings === 0) return;
    const error = await refusedRows(this.#writer, table, { sent, ...written });
    await this.#writer.query("ROLLBACK");
    throw error;
  }
}

/** Rows that have been read and not written yet: so many bytes for a load, of so many of them, and statements for the others. */
interface RowsTaken {
  readonly rows: number;
  readonly loads: number;
  readonly parts: Buffer[];
  readonly inserts: readonly RowsInsert[];
}

/** One task under way: the statements, the rows not loaded yet, the chunk recorded so far. */
class TaskRun {
  readonly task: CopyTask;
  readonly select: string;
  readonly load: string;
  readonly encoder: LoadEncoder;
  readonly #typed: TypedRows | undefined;
  /** Whether chunks can end between keys; otherwise the table counts only as a whole. */
  readonly ordered: boolean;
  readonly #snapshot: number;
  readonly #keyFields: readonly number[];
  #parts: Buffer[] = [];
  #partBytes = 0;
  #rowsTaken = 0;
  #chunk: CopiedChunk | undefined;

  constructor(task: CopyTask, snapshot: number, memory: LoadMemory) {
    const { table, range } = task;
    this.#snapshot = snapshot;
    const stored = writtenColumns(table.carried);
    const columns = loadColumns(stored);
    this.task = task;
    this.select = selectStatement(table, columns, range);
    this.load = loadStatement(quoteTable(table.name), columns);
    this.#typed = columns.types.length === 0 ? undefined : new TypedRows(quoteTable(table.name), columns);
    this.encoder = new LoadEncoder(stored.length, undefined, this.#typed, memory);
    this.ordered = table.kinds !== undefined;
    this.#keyFields = rowKeyColumns(table.shape).map((position) => {
      const column = table.shape.columns[position];
      return stored.findIndex(({ from }) => from === column);
    });
  }

  get rows(): number {
    return this.encoder.rows - this.#rowsTaken;
  }

  get bytes(): number {
    return this.#partBytes + this.encoder.length + (this.#typed?.bytes ?? 0);
  }

  collect(): void {
    const part = this.encoder.take();
    this.#parts.push(part);
    this.#partBytes += part.length;
  }

  take(): RowsTaken {
    if (this.encoder.length > 0) this.collect();
    const { rows } = this;
    const loads = rows - (this.#typed?.rows ?? 0);
    const taken = { rows, loads, parts: this.#parts, inserts: this.#typed?.take() ?? [] };
    this.#parts = [];
    this.#partBytes = 0;
    this.#rowsTaken = this.encoder.rows;
    return taken;
  }

  /** The key of the row that was read last, while its bytes are at hand; nothing for a table without key order. */
  lastKey(): Key | undefined {
    const kinds = this.task.table.kinds;
    if (kinds === undefined) return undefined;
    const row = this.encoder.lastRow;
    return this.#keyFields.map((field, i) => {
      const text = row.field(field)?.toString("latin1") ?? "";
      return parseKeyPart(kinds[i] as KeyKind, text);
    });
  }

  extended(rows: number, through: Key | undefined, last: boolean): CopiedChunk {
    const { table, range } = this.task;
    const snapshot = this.#snapshot;
    // A copy that begins again has a chunk already, without rows.
    if (!this.ordered) this.#chunk ??= table.chunks.find((chunk) => !chunk.complete);
    const number = this.#chunk?.chunk ?? Math.max(0, ...table.chunks.map((chunk) => chunk.chunk)) + 1;
    // Taken before the first commit, so that two readers of one table never take the same number.
    if (this.#chunk === undefined) table.chunks.push(this.#reserve(number));
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

  #reserve(number: number): CopiedChunk {
    const { after } = this.task.range;
    this.#chunk = { chunk: number, snapshot: this.#snapshot, after, through: after, rows: 0, complete: false };
    return this.#chunk;
  }
}

function selectStatement(table: CopiedTable, columns: LoadColumns, range: KeyRange): string {
  const select = `SELECT ${columns.select.join(", ")} FROM ${quoteTable(table.name)}`;
  const key = rowKey(table.shape);
  // As the rows lie, so that the copy has them in the same order: a diff finds most of them side by side.
  if (key === undefined) return `${select} USE INDEX ()`;
  const names = rowKeyNames(table.shape);
  const condition = rangeCondition(names, table.kinds ?? [], range);
  return (
    `${select} FORCE INDEX (${quoteId(key.name)})` +
    `${condition === "" ? "" : ` WHERE ${condition}`} ORDER BY ${names.map(quoteId).join(", ")}`
  );
}

/** Moves each part to `sent` that can be used again, and forgets the others: the chunk is not committed for a while after. */
async function* chunksOf(parts: Buffer[], sent: Buffer[]): AsyncGenerator<Buffer> {
  for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
    yield part;
    if (LoadMemory.fits(part)) sent.push(part);
  }
}
