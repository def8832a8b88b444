import { HEADER_BYTES, PACKET_PAYLOAD_MAX } from "../wire/capabilities.ts";

const EMPTY: Buffer = Buffer.alloc(0);

/**
 * A place in a run of whole row packets. Rows in front of it are done with; {@link load} gives the next run when this
 * one is {@link spent}.
 */
export class SegmentCursor {
  #bytes: Buffer = EMPTY;
  #at = 0;
  #rowsLeft = 0;
  /** Rows and payload bytes that have been passed so far, over all runs. */
  rowsPassed = 0;
  bytesPassed = 0;

  /** Only when {@link spent}. */
  load(bytes: Buffer, rows: number): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#rowsLeft = rows;
  }

  get spent(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /**
   * Passes all rows at the front of both that have the same bytes, headers included, as far as the shorter run goes.
   * Answers how many rows that were; 0 means that the next rows differ, if only by their sequence numbers.
   */
  passEqualRun(other: SegmentCursor): number {
    const mine = this.#bytes;
    const theirs = other.#bytes;
    if (mine[this.#at + HEADER_BYTES - 1] !== theirs[other.#at + HEADER_BYTES - 1]) return 0;
    const length = Math.min(mine.length - this.#at, theirs.length - other.#at);
    const same = equalBytes(mine, this.#at, theirs, other.#at, length);
    const shorter = mine.length - this.#at === length ? this : other;
    if (same === length) {
      const rows = shorter.#rowsLeft;
      this.#pass(length, rows);
      other.#pass(length, rows);
      return rows;
    }
    let rows = 0;
    let end = this.#at;
    for (let next = this.#rowEnd(end); next - this.#at <= same; next = this.#rowEnd(next)) {
      rows += 1;
      end = next;
    }
    const passed = end - this.#at;
    this.#pass(passed, rows);
    other.#pass(passed, rows);
    return rows;
  }

  /** The next row's payload: a view, or joined where the row is of several packets. */
  payload(): Buffer {
    const end = this.#rowEnd(this.#at);
    const first = this.#at + HEADER_BYTES;
    if (end - first < PACKET_PAYLOAD_MAX) return this.#bytes.subarray(first, end);
    const parts: Buffer[] = [];
    for (let at = this.#at; at < end; ) {
      const length = this.#bytes.readUIntLE(at, 3);
      parts.push(this.#bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
      at += HEADER_BYTES + length;
    }
    return Buffer.concat(parts);
  }

  /** Passes the next row. */
  passRow(): void {
    this.#pass(this.#rowEnd(this.#at) - this.#at, 1);
  }

  #pass(bytes: number, rows: number): void {
    this.#at += bytes;
    this.#rowsLeft -= rows;
    this.rowsPassed += rows;
    this.bytesPassed += bytes - rows * HEADER_BYTES;
  }

  /** Where the row that begins at `at` ends; past every end where none begins. */
  #rowEnd(at: number): number {
    const bytes = this.#bytes;
    let end = at;
    for (;;) {
      if (end + HEADER_BYTES > bytes.length) return Number.MAX_SAFE_INTEGER;
      const length = (bytes[end] ?? 0) | ((bytes[end + 1] ?? 0) << 8) | ((bytes[end + 2] ?? 0) << 16);
      end += HEADER_BYTES + length;
      if (length < PACKET_PAYLOAD_MAX) return end;
    }
  }
}

/** How many bytes are equal at the front of both: `length`, or the offset of the first that differs. */
function equalBytes(a: Buffer, aAt: number, b: Buffer, bAt: number, length: number): number {
  if (a.compare(b, bAt, bAt + length, aAt, aAt + length) === 0) return length;
  let equal = 0;
  let unsure = length;
  // Invariant: the first `equal` bytes are equal, and some byte before `equal + unsure` is not.
  while (unsure > 1) {
    const half = unsure >> 1;
    const from = equal;
    if (a.compare(b, bAt + from, bAt + from + half, aAt + from, aAt + from + half) === 0) {
      equal += half;
      unsure -= half;
    } else unsure = half;
  }
  return equal;
}
