import type { RowsEvent } from "./binlog-event.ts";
import type { ColumnType } from "./column-type.ts";
import { malformed } from "./event-reader.ts";

/** The column is NULL in this image. */
export const VALUE_NULL = -1;
/** The image does not have the column (partial row images). */
export const VALUE_ABSENT = -2;

/**
 * One row image: where each column's bytes lie in {@link buffer}. `starts[i]` is {@link VALUE_NULL} or
 * {@link VALUE_ABSENT} where there are none. Length prefixes are not part of a value.
 */
export interface RowImage {
  readonly buffer: Buffer;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
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
  #offset = 0;

  constructor(event: RowsEvent) {
    this.#event = event;
    this.#columns = event.table.columns;
    const count = this.#columns.length;
    const image = (): RowImage => ({
      buffer: event.rows,
      starts: new Int32Array(count),
      ends: new Int32Array(count),
    });
    this.before = image();
    this.after = event.operation === "delete" ? this.before : image();
  }

  /** Moves to the next row; false at the end. */
  next(): boolean {
    if (this.#offset >= this.#event.rows.length) return false;
    switch (this.#event.operation) {
      case "write":
        this.#walk(this.#event.columns, this.after);
        break;
      case "delete":
        this.#walk(this.#event.columns, this.before);
        break;
      case "update":
        this.#walk(this.#event.columns, this.before);
        this.#walk(this.#event.columnsAfter, this.after);
        break;
    }
    return true;
  }

  #walk(present: Buffer, image: RowImage): void {
    const rows = this.#event.rows;
    const columns = this.#columns;
    const count = columns.length;
    let presentCount = 0;
    for (let i = 0; i < count; i++) if (hasBit(present, i)) presentCount++;
    const nulls = this.#offset;
    let offset = nulls + ((presentCount + 7) >> 3);
    if (offset > rows.length) throw malformed("a row ends in its NULL bits");
    let position = 0;
    for (let i = 0; i < count; i++) {
      if (!hasBit(present, i)) {
        image.starts[i] = VALUE_ABSENT;
        continue;
      }
      const isNull = ((rows[nulls + (position >> 3)] as number) >> (position & 7)) & 1;
      position++;
      if (isNull === 1) {
        image.starts[i] = VALUE_NULL;
        continue;
      }
      const column = columns[i] as ColumnType;
      let length = column.fixedBytes;
      if (length < 0) {
        const prefix = column.prefixBytes;
        if (offset + prefix > rows.length) throw malformed("a row ends in the length of a value");
        length = prefix === 1 ? (rows[offset] as number) : rows.readUIntLE(offset, prefix);
        offset += prefix;
      }
      image.starts[i] = offset;
      offset += length;
      image.ends[i] = offset;
      if (offset > rows.length) throw malformed("a value is longer than its event");
    }
    this.#offset = offset;
  }
}

function hasBit(bitmap: Buffer, index: number): boolean {
  return (((bitmap[index >> 3] as number) >> (index & 7)) & 1) === 1;
}
