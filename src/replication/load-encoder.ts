import { NULL_LENGTH, TextRow } from "../wire/text-row.ts";

const BACKSLASH = 0x5c;
const TAB = 0x09;
const NEWLINE = 0x0a;

/** Second byte of the escape for each byte that needs one (`\t` is backslash and t); 0 for the others. */
const ESCAPES = new Uint8Array(256);
ESCAPES[BACKSLASH] = BACKSLASH;
ESCAPES[TAB] = 0x74;
ESCAPES[NEWLINE] = 0x6e;
ESCAPES[0x00] = 0x30;

/**
 * Turns raw rows of the text protocol into the bytes of a `LOAD DATA` file: fields separated by tabs, rows ended by
 * newlines, NULL as `\N`, special bytes escaped with a backslash. Values pass as bytes; none is decoded.
 */
export class LoadEncoder {
  readonly #row: TextRow;
  readonly #bufferBytes: number;
  #buffer: Buffer;
  #length = 0;
  #rows = 0;

  /** For rows of `columns` fields. Buffers of about `bufferBytes` are handed out; a larger row makes a larger one. */
  constructor(columns: number, bufferBytes = 256 * 1024) {
    this.#row = new TextRow(columns);
    this.#bufferBytes = bufferBytes;
    this.#buffer = Buffer.allocUnsafe(bufferBytes);
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

  /**
   * Adds one row: the payload of a row packet, which is not kept.
   *
   * @throws {SwitchyardError} `WIRE_MALFORMED` when its lengths do not fit.
   */
  add(payload: Buffer): void {
    const { offsets, lengths } = this.#row.scan(payload);
    // Each byte becomes at most two, each field has one separator, and NULL takes two bytes for its one.
    this.#reserve(payload.length * 2 + offsets.length + 1);
    for (let column = 0; column < offsets.length; column += 1) {
      if (column > 0) this.#buffer[this.#length++] = TAB;
      const start = offsets[column] ?? 0;
      const length = lengths[column] ?? NULL_LENGTH;
      if (length === NULL_LENGTH) {
        this.#buffer[this.#length++] = BACKSLASH;
        this.#buffer[this.#length++] = 0x4e;
      } else {
        this.#escape(payload, start, start + length);
      }
    }
    this.#buffer[this.#length++] = NEWLINE;
    this.#rows += 1;
  }

  /** What has been added and not taken yet; the encoder goes on with a fresh buffer. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = Buffer.allocUnsafe(this.#bufferBytes);
    this.#length = 0;
    return taken;
  }

  #escape(payload: Buffer, start: number, end: number): void {
    let out = this.#length;
    const buffer = this.#buffer;
    for (let at = start; at < end; at += 1) {
      const byte = payload[at] ?? 0;
      const second = ESCAPES[byte] ?? 0;
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
