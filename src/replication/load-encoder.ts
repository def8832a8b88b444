import { HEADER_BYTES, PACKET_PAYLOAD_MAX } from "../wire/capabilities.ts";
import { NULL_LENGTH, TextRow } from "../wire/text-row.ts";

/** A buffer of up to so many times the usual size is used again. */
const KEPT_BUFFERS_MAX = 4;

const BACKSLASH = 0x5c;
const TAB = 0x09;
const NEWLINE = 0x0a;

/** Second byte of the escape for each byte that needs one (`\t` is backslash and t); 0 for the others. */
const ESCAPES = new Uint8Array(256);
ESCAPES[BACKSLASH] = BACKSLASH;
ESCAPES[TAB] = 0x74;
ESCAPES[NEWLINE] = 0x6e;
ESCAPES[0x00] = 0x30;
const SPECIAL: readonly number[] = [BACKSLASH, TAB, NEWLINE, 0x00];
/** From this length on a value is searched by the machine's own means. */
const LONG_BYTES_MIN = 200;

const LOAD_BUFFER_BYTES = 256 * 1024;

/** Buffers that are used again, up to so many bytes: what a copy needs is the same all the time, and much to collect. */
export class LoadMemory {
  readonly #bytesMax: number;
  readonly #free: Buffer[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** One of exactly this size, if there is any. */
  take(bytes: number): Buffer | undefined {
    const last = this.#free.at(-1);
    return last?.length === bytes ? this.#free.pop() : undefined;
  }

  /** Takes what {@link LoadEncoder.take} gave, once nobody reads it any more. */
  giveBack(taken: Buffer): void {
    const room = (this.#free.length + 1) * LOAD_BUFFER_BYTES <= this.#bytesMax;
    if (room && LoadMemory.fits(taken)) this.#free.push(Buffer.from(taken.buffer));
  }

  /** Whether it lies in a buffer of its own, of the usual size. */
  static fits({ buffer, byteOffset }: Buffer): boolean {
    return byteOffset === 0 && buffer.byteLength === LOAD_BUFFER_BYTES;
  }
}

/** Takes the rows that cannot be loaded. */
export interface RowsAside {
  /** Positions of the columns that have a field more, behind all others. */
  readonly columns: readonly number[];
  /** The row is valid during the call only. */
  add(row: TextRow): void;
}

/**
 * Turns raw rows of the text protocol into the bytes of a `LOAD DATA` file: fields separated by tabs, rows ended by
 * newlines, NULL as `\N`, special bytes escaped with a backslash. Values pass as bytes; none is decoded.
 */
export class LoadEncoder {
  readonly #row: TextRow;
  readonly #columns: number;
  readonly #aside: RowsAside | undefined;
  readonly #bufferBytes: number;
  readonly #memory: LoadMemory | undefined;
  #buffer: Buffer;
  #length = 0;
  #rows = 0;

  /**
   * For rows of `columns` fields, and of one more for each of `aside.columns`. Where any of these is not NULL the row is
   * given to `aside` and not encoded, but counted. Buffers of about `bufferBytes` are handed out, of `memory` where it has
   * any; a larger row makes a larger one.
   */
  constructor(columns: number, bufferBytes = LOAD_BUFFER_BYTES, aside?: RowsAside, memory?: LoadMemory) {
    this.#row = new TextRow(columns + (aside?.columns.length ?? 0));
    this.#columns = columns;
    this.#aside = aside;
    this.#bufferBytes = bufferBytes;
    this.#memory = memory;
    this.#buffer = this.#newBuffer();
  }

  /** Rows added since the beginning. */
  get rows(): number {
    return this.#rows;
  }

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.#length;
  }

  get full(): boolean {
    return this.#length >= this.#bufferBytes;
  }

  /** The row that was added last; a view of the bytes that it was in. */
  get lastRow(): TextRow {
    return this.#row;
  }

  /**
   * Adds rows of `run`, which holds whole row packets with their headers one behind the other, beginning with the packet
   * at `from`: `rowsMax` of them, or as many as there are, or until the buffer is full. Returns where the next one begins.
   *
   * @throws {SwitchyardError} `WIRE_MALFORMED` when the lengths of a row do not fit.
   */
  addRun(run: Buffer, from: number, rowsMax: number): number {
    let at = from;
    for (let rows = 0; rows < rowsMax && at < run.length && !this.full; rows += 1) {
      const length = packetLength(run, at);
      if (length >= PACKET_PAYLOAD_MAX) {
        at = this.#addHuge(run, at);
      } else {
        this.#addPart(run, at + HEADER_BYTES, at + HEADER_BYTES + length);
        at += HEADER_BYTES + length;
      }
    }
    return at;
  }

  /**
   * Adds one row: the payload of a row packet, which is not kept.
   *
   * @throws {SwitchyardError} `WIRE_MALFORMED` when its lengths do not fit.
   */
  add(payload: Buffer): void {
    this.#addPart(payload, 0, payload.length);
  }

  /** What has been added and not taken yet; the encoder does not write into it any more. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    const isLarger = this.#buffer.length > this.#bufferBytes;
    // A buffer that a long row has made larger is mostly empty, and would be kept whole for what is in it.
    if (isLarger && this.#buffer.length <= KEPT_BUFFERS_MAX * this.#bufferBytes) return Buffer.from(taken);
    this.#buffer = this.#newBuffer();
    return taken;
  }

  #newBuffer(): Buffer {
    return this.#memory?.take(this.#bufferBytes) ?? Buffer.allocUnsafeSlow(this.#bufferBytes);
  }

  /** A row of 16 MiB and more, in several packets. Returns where the next row begins. */
  #addHuge(run: Buffer, from: number): number {
    const parts: Buffer[] = [];
    let at = from;
    for (let length = PACKET_PAYLOAD_MAX; length === PACKET_PAYLOAD_MAX; ) {
      length = packetLength(run, at);
      parts.push(run.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
      at += HEADER_BYTES + length;
    }
    this.add(Buffer.concat(parts));
    return at;
  }

  #addPart(payload: Buffer, from: number, to: number): void {
    const { offsets, lengths } = this.#row.scan(payload, from, to);
    this.#rows += 1;
    if (this.#aside !== undefined && this.#isAside(lengths)) {
      this.#aside.add(this.#row);
      return;
    }
    const columns = this.#columns;
    // Each byte becomes at most two, each field has one separator, and NULL takes two bytes for its one.
    this.#reserve((to - from) * 2 + columns + 1);
    for (let column = 0; column < columns; column += 1) {
      if (column > 0) this.#buffer[this.#length++] = TAB;
      const start = offsets[column] as number;
      const length = lengths[column] as number;
      if (length === NULL_LENGTH) {
        this.#buffer[this.#length++] = BACKSLASH;
        this.#buffer[this.#length++] = 0x4e;
      } else if (length < LONG_BYTES_MIN) this.#addShort(payload, start, start + length);
      else this.#addLong(payload, start, start + length);
    }
    this.#buffer[this.#length++] = NEWLINE;
  }

  #isAside(lengths: Int32Array): boolean {
    for (let column = this.#columns; column < lengths.length; column += 1) {
      if (lengths[column] !== NULL_LENGTH) return true;
    }
    return false;
  }

  /** Copies first and looks at the same time: most values have nothing to escape. */
  #addShort(payload: Buffer, start: number, end: number): void {
    let out = this.#length;
    let found = 0;
    const buffer = this.#buffer;
    for (let at = start; at < end; at += 1) {
      const byte = payload[at] as number;
      buffer[out++] = byte;
      found |= ESCAPES[byte] as number;
    }
    if (found === 0) this.#length = out;
    else this.#escape(payload, start, end);
  }

  /** One call for each byte that is special costs little beside what it looks at. */
  #addLong(payload: Buffer, start: number, end: number): void {
    const value = payload.subarray(start, end);
    if (SPECIAL.some((byte) => value.includes(byte))) this.#escape(payload, start, end);
    else this.#length += value.copy(this.#buffer, this.#length);
  }

  #escape(payload: Buffer, start: number, end: number): void {
    let out = this.#length;
    const buffer = this.#buffer;
    for (let at = start; at < end; at += 1) {
      const byte = payload[at] as number;
      const second = ESCAPES[byte] as number;
      if (second === 0) {
        buffer[out++] = byte;
      } else {
        buffer[out++] = BACKSLASH;
        buffer[out++] = second;
      }
    }
    this.#length = out;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

function packetLength(run: Buffer, at: number): number {
  return (run[at] ?? 0) | ((run[at + 1] ?? 0) << 8) | ((run[at + 2] ?? 0) << 16);
}
