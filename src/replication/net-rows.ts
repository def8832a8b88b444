import { randomInt } from "node:crypto";
import type { RowImage } from "../binlog/row-walker.ts";

/** What a row was before, is after, or both where it was changed. */
export type NetKind = "delete" | "update" | "write";

/** Numbers that are kept of a row: its key's hash and place, and of both images the buffer that each lies in and its place there. */
const FIELDS = 9;
const HASH = 0;
const KEY_FROM = 1;
const KEY_TO = 2;
const BEFORE = 3;
const AFTER = 6;

const NONE = -1;
const ROWS_FIRST = 64;
const KEY_BYTES_FIRST = 1024;
const KEY_LENGTH_BYTES = 4;
/** A run of images that is shorter is copied behind others; a longer one goes out as it lies there. */
const RUN_BYTES_MIN = 4096;
const PIECE_BYTES = 64 * 1024;

const FNV_PRIME = 0x0100_0193;
/** Nobody who chooses keys knows which of them meet. */
const SEED = randomInt(0x1_0000_0000);

/**
 * What becomes of each row of a table over any number of changes. Rows are the same if and only if the bytes of their keys
 * are.
 *
 * Nothing is set aside for a row but a few numbers: a batch has tens of thousands of rows, and objects for each of them
 * would outlive the collections of new garbage. The room for them is used again; the events that the images lie in are
 * kept until {@link begin}.
 */
export class NetRows {
  /** Positions of the columns that rows are told apart by. */
  #keyColumns: readonly number[] = [];
  #buffers: Buffer[] = [];
  #rows = new Int32Array(ROWS_FIRST * FIELDS);
  #count = 0;
  /** By hash: one more than the number of a row, 0 where there is none. At most half of it is used. */
  #slots = new Int32Array(ROWS_FIRST * 2);
  #keys = Buffer.allocUnsafe(KEY_BYTES_FIRST);
  #keyBytes = 0;

  /** Forgets all rows, and begins with those of a table that are told apart by the columns at these positions. */
  begin(keyColumns: readonly number[]): void {
    this.#keyColumns = keyColumns;
    const mask = this.#slots.length - 1;
    // A batch may be a single row, and the room be that of the largest one.
    for (let number = 1; number <= this.#count; number++) {
      let slot = (this.#rows[(number - 1) * FIELDS + HASH] as number) & mask;
      while (this.#slots[slot] !== number) slot = (slot + 1) & mask;
      this.#slots[slot] = 0;
    }
    this.#buffers = [];
    this.#count = 0;
    this.#keyBytes = 0;
  }

  /** A row is there that was not. */
  written(after: RowImage, from: number, to: number): void {
    const row = this.#rowOf(after);
    this.#setImage(row + AFTER, after.buffer, from, to);
  }

  /** A row is not there any more. */
  deleted(before: RowImage, from: number, to: number): void {
    const row = this.#rowOf(before);
    this.#setBefore(row, before.buffer, from, to);
    this.#rows[row + AFTER] = NONE;
  }

  /** A row has other values; with another key, one is gone and another is there. */
  updated(before: RowImage, after: RowImage, from: number, afterFrom: number, to: number): void {
    if (!this.#sameKey(before, after)) {
      this.deleted(before, from, afterFrom);
      this.written(after, afterFrom, to);
      return;
    }
    const row = this.#rowOf(before);
    this.#setBefore(row, before.buffer, from, afterFrom);
    this.#setImage(row + AFTER, after.buffer, afterFrom, to);
  }

  /**
   * The images of all rows of which this is the net change, as they stand in an event: of a row that was changed both, one
   * behind the other. Some of the buffers are parts of those that were added.
   */
  images(kind: NetKind): Buffer[] {
    const runs = new RunCopier(this.#buffers);
    const rows = this.#rows;
    for (let row = 0; row < this.#count * FIELDS; row += FIELDS) {
      const was = rows[row + BEFORE] !== NONE;
      const is = rows[row + AFTER] !== NONE;
      if (was !== (kind !== "write") || is !== (kind !== "delete")) continue;
      if (was) this.#give(runs, row + BEFORE);
      if (is) this.#give(runs, row + AFTER);
    }
    return runs.finish();
  }

  #give(runs: RunCopier, image: number): void {
    const rows = this.#rows;
    runs.add(rows[image] as number, rows[image + 1] as number, rows[image + 2] as number);
  }

  /** What a row was before counts only where the batch meets it for the first time. */
  #setBefore(row: number, buffer: Buffer, from: number, to: number): void {
    if (this.#rows[row + BEFORE] === NONE && this.#rows[row + AFTER] === NONE) {
      this.#setImage(row + BEFORE, buffer, from, to);
    }
  }

  #setImage(image: number, buffer: Buffer, from: number, to: number): void {
    if (this.#buffers.at(-1) !== buffer) this.#buffers.push(buffer);
    this.#rows[image] = this.#buffers.length - 1;
    this.#rows[image + 1] = from;
    this.#rows[image + 2] = to;
  }

  /** Where the numbers of an image's row begin; a row that was not met yet has neither image. */
  #rowOf(image: RowImage): number {
    const from = this.#keyBytes;
    const to = this.#putKey(image);
    const hash = this.#hash(from, to);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (;;) {
      const found = (this.#slots[slot] as number) - 1;
      if (found < 0) break;
      const row = found * FIELDS;
      if (this.#rows[row + HASH] === hash && this.#isKey(row, from, to)) return row;
      slot = (slot + 1) & mask;
    }
    this.#keyBytes = to;
    return this.#add(hash, slot, from, to);
  }

  #add(hash: number, slot: number, from: number, to: number): number {
    const row = this.#count * FIELDS;
    if (row === this.#rows.length) {
      const larger = new Int32Array(this.#rows.length * 2);
      larger.set(this.#rows);
      this.#rows = larger;
    }
    const rows = this.#rows;
    rows[row + HASH] = hash;
    rows[row + KEY_FROM] = from;
    rows[row + KEY_TO] = to;
    rows[row + BEFORE] = NONE;
    rows[row + AFTER] = NONE;
    this.#count += 1;
    this.#slots[slot] = this.#count;
    if (this.#count * 2 > this.#slots.length) this.#spread();
    return row;
  }

  /** Twice as many slots. */
  #spread(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    for (const number of this.#slots) {
      if (number === 0) continue;
      const row = (number - 1) * FIELDS;
      let slot = (this.#rows[row + HASH] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number;
    }
    this.#slots = slots;
  }

  /** Puts the bytes of an image's key behind those that are kept; of several columns each with its length. */
  #putKey({ buffer, starts, ends }: RowImage): number {
    const columns = this.#keyColumns;
    let at = this.#keyBytes;
    for (const position of columns) {
      const [start, end] = [starts[position] as number, ends[position] as number];
      this.#makeRoom(at + KEY_LENGTH_BYTES + end - start);
      if (columns.length > 1) at = this.#keys.writeUInt32LE(end - start, at);
      for (let i = start; i < end; i++) this.#keys[at++] = buffer[i] as number;
    }
    return at;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#keys.length) return;
    const larger = Buffer.allocUnsafe(Math.max(bytes, this.#keys.length * 2));
    this.#keys.copy(larger);
    this.#keys = larger;
  }

  #hash(from: number, to: number): number {
    const keys = this.#keys;
    let hash = SEED | 0;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ (keys[i] as number), FNV_PRIME);
    // The upper bits know more of the key than the lower ones, by which the slot is found.
    return hash ^ (hash >>> 15);
  }

  #isKey(row: number, from: number, to: number): boolean {
    const known = this.#rows[row + KEY_FROM] as number;
    if ((this.#rows[row + KEY_TO] as number) - known !== to - from) return false;
    const keys = this.#keys;
    for (let i = 0; i < to - from; i++) if (keys[known + i] !== keys[from + i]) return false;
    return true;
  }

  #sameKey(one: RowImage, other: RowImage): boolean {
    for (const position of this.#keyColumns) {
      const [start, otherStart] = [one.starts[position] as number, other.starts[position] as number];
      const length = (one.ends[position] as number) - start;
      if ((other.ends[position] as number) - otherStart !== length) return false;
      for (let i = 0; i < length; i++) if (one.buffer[start + i] !== other.buffer[otherStart + i]) return false;
    }
    return true;
  }
}

/** Joins what lies side by side, and copies what is short, so that tens of thousands of rows are a few buffers. */
class RunCopier {
  readonly #buffers: readonly Buffer[];
  readonly #out: Buffer[] = [];
  #piece = Buffer.alloc(0);
  #pieceFrom = 0;
  #pieceTo = 0;
  /** The run that may still go on. */
  #buffer = NONE;
  #from = 0;
  #to = 0;

  constructor(buffers: readonly Buffer[]) {
    this.#buffers = buffers;
  }

  add(buffer: number, from: number, to: number): void {
    if (buffer === this.#buffer && from === this.#to) {
      this.#to = to;
      return;
    }
    this.#endRun();
    this.#buffer = buffer;
    this.#from = from;
    this.#to = to;
  }

  finish(): Buffer[] {
    this.#endRun();
    this.#endPiece();
    return this.#out;
  }

  #endRun(): void {
    const source = this.#buffers[this.#buffer];
    if (source === undefined) return;
    const length = this.#to - this.#from;
    if (length >= RUN_BYTES_MIN) {
      this.#endPiece();
      this.#out.push(source.subarray(this.#from, this.#to));
      return;
    }
    if (this.#pieceTo + length > this.#piece.length) {
      this.#endPiece();
      this.#piece = Buffer.allocUnsafe(PIECE_BYTES);
      this.#pieceFrom = 0;
      this.#pieceTo = 0;
    }
    this.#pieceTo += source.copy(this.#piece, this.#pieceTo, this.#from, this.#to);
  }

  #endPiece(): void {
    if (this.#pieceTo > this.#pieceFrom) this.#out.push(this.#piece.subarray(this.#pieceFrom, this.#pieceTo));
    this.#pieceFrom = this.#pieceTo;
  }
}
