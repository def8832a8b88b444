import type { RowsEvent } from "./binlog-event.ts";
import { COLUMN, type ColumnType } from "./column-type.ts";
import { EventReader, malformed } from "./event-reader.ts";

/** The column is NULL in this image. */
export const VALUE_NULL = -1;
/** The image does not have the column (partial row images). */
export const VALUE_ABSENT = -2;
/** This and below: the image has differences from the value before instead of a value; see {@link differencesStart}. */
export const VALUE_DIFFERENCES = -3;

/**
 * One row image: where each column's bytes lie in {@link buffer}. A negative `starts[i]` means that no value is there:
 * {@link VALUE_NULL}, {@link VALUE_ABSENT}, or the differences of a partial JSON update. Length prefixes are not part
 * of a value.
 */
export interface RowImage {
  readonly buffer: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** Where the differences of a JSON value begin; they end at `ends[i]`. `undefined` where the column has none. */
export function differencesStart(image: RowImage, column: number): number | undefined {
  const start = image.starts[column] as number;
  return start <= VALUE_DIFFERENCES ? VALUE_DIFFERENCES - start : undefined;
}

/** The option bit that says that differences may follow. */
const PARTIAL_JSON = 1;

/** The columns that one kind of image in an event has. */
interface Present {
  /** Positions of the columns, ascending. */
  readonly positions: Int32Array;
  readonly nullBytes: number;
}

/**
 * Goes over the rows of an event without copying or decoding them. {@link before} and {@link after} are the same
 * objects for every row: use them before the next call of {@link next}.
 *
 * For `write` only {@link after} is filled, for `delete` only {@link before}.
 */
export class RowWalker {
  readonly before: RowImage;
  readonly after: RowImage;
  readonly #event: RowsEvent;
  readonly #columns: readonly ColumnType[];
  /** Per column: its length, or minus the length of its length. */
  readonly #lengths: Int32Array;
  readonly #presentBefore: Present;
  readonly #presentAfter: Present;
  #afterBegin = 0;
  #begin = 0;
  #offset = 0;

  constructor(event: RowsEvent) {
    this.#event = event;
    this.#columns = event.table.columns;
    const count = this.#columns.length;
    this.#lengths = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const column = this.#columns[i] as ColumnType;
      this.#lengths[i] = column.fixedBytes >= 0 ? column.fixedBytes : -column.prefixBytes;
    }
    const image = (): RowImage => ({
      buffer: event.rows,
      starts: new Int32Array(count).fill(VALUE_ABSENT),
      ends: new Int32Array(count),
    });
    this.before = image();
    this.after = event.operation === "delete" ? this.before : image();
    this.#presentBefore = presentColumns(event.columns, count);
    this.#presentAfter =
      event.columnsAfter === event.columns ? this.#presentBefore : presentColumns(event.columnsAfter, count);
  }

  /** Where the present row begins in the event's rows; its image before, where it has one, begins there. */
  get begin(): number {
    return this.#begin;
  }

  /** Where the image after begins, and the image before ends; meaningless for `delete`. */
  get afterBegin(): number {
    return this.#afterBegin;
  }

  /** Where the present row ends. */
  get end(): number {
    return this.#offset;
  }

  /** Moves to the next row; false at the end. */
  next(): boolean {
    const event = this.#event;
    if (this.#offset >= event.rows.length) return false;
    const begin = this.#offset;
    this.#begin = begin;
    this.#afterBegin = begin;
    if (event.operation === "write") this.#walk(this.#presentAfter, this.after, undefined);
    else this.#walk(this.#presentBefore, this.before, undefined);
    if (event.operation === "update") {
      this.#afterBegin = this.#offset;
      this.#walk(this.#presentAfter, this.after, event.partialJson ? this.#partialBits() : undefined);
    }
    // Only an image without any column takes no bytes, and such are never written: they would go on for ever.
    if (this.#offset === begin) throw malformed("a row without any column");
    return true;
  }

  /** In front of an image after a partial update: its options, and a bit for each JSON column of the table. */
  #partialBits(): Buffer | undefined {
    const { rows, table } = this.#event;
    const reader = new EventReader(rows, this.#offset);
    const options = reader.lenenc();
    if (options > PARTIAL_JSON) throw malformed(`a row with value options ${options}`);
    const bits = options === PARTIAL_JSON ? reader.bytes((table.jsonColumns + 7) >> 3) : undefined;
    this.#offset = reader.offset;
    return bits;
  }

  /** The loop over every value of every row: plain numbers and indexes, nothing is set aside in it. */
  #walk(present: Present, image: RowImage, partial: Buffer | undefined): void {
    const rows = this.#event.rows;
    const end = rows.length;
    const { positions, nullBytes } = present;
    const { starts, ends } = image;
    const lengths = this.#lengths;
    const nulls = this.#offset;
    let offset = nulls + nullBytes;
    if (offset > end) throw malformed("a row ends in its NULL bits");
    for (let i = 0; i < positions.length; i++) {
      const position = positions[i] as number;
      if ((((rows[nulls + (i >> 3)] as number) >> (i & 7)) & 1) === 1) {
        starts[position] = VALUE_NULL;
        continue;
      }
      let length = lengths[position] as number;
      if (length < 0) {
        const prefix = -length;
        if (offset + prefix > end) throw malformed("a row ends in the length of a value");
        length = rows[offset] as number;
        if (prefix > 1) {
          length |= (rows[offset + 1] as number) << 8;
          if (prefix > 2) length |= (rows[offset + 2] as number) << 16;
          if (prefix > 3) length += (rows[offset + 3] as number) * 0x100_0000;
        }
        offset += prefix;
      }
      starts[position] = offset;
      offset += length;
      if (offset > end) throw malformed("a value is longer than its event");
      ends[position] = offset;
    }
    this.#offset = offset;
    if (partial !== undefined) this.#markDifferences(image, partial);
  }

  #markDifferences(image: RowImage, partial: Buffer): void {
    let json = 0;
    for (const [i, column] of this.#columns.entries()) {
      if (column.type !== COLUMN.JSON) continue;
      const isPartial = (((partial[json >> 3] as number) >> (json & 7)) & 1) === 1;
      json++;
      const start = image.starts[i] as number;
      if (isPartial && start >= 0) image.starts[i] = VALUE_DIFFERENCES - start;
    }
  }
}

function presentColumns(bitmap: Buffer, count: number): Present {
  const positions = new Int32Array(count);
  let found = 0;
  for (let i = 0; i < count; i++) {
    if ((((bitmap[i >> 3] as number) >> (i & 7)) & 1) === 1) positions[found++] = i;
  }
  return { positions: positions.subarray(0, found), nullBytes: (found + 7) >> 3 };
}
