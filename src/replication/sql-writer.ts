const HEX = Buffer.from("0123456789abcdef", "latin1");

/** Builds SQL text as bytes, without strings in between for the values that are bytes anyway. */
export class SqlWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(bytes = 64 * 1024) {
    this.#buffer = Buffer.allocUnsafe(bytes);
  }

  get length(): number {
    return this.#length;
  }

  /** Text without characters beyond ASCII. */
  ascii(text: string): this {
    this.#reserve(text.length);
    this.#length += this.#buffer.write(text, this.#length, "latin1");
    return this;
  }

  utf8(text: string): this {
    this.#reserve(text.length * 3);
    this.#length += this.#buffer.write(text, this.#length, "utf8");
    return this;
  }

  raw(bytes: Buffer): this {
    this.#reserve(bytes.length);
    bytes.copy(this.#buffer, this.#length);
    this.#length += bytes.length;
    return this;
  }

  /** Bytes as hexadecimal digits, filled up with `zeros` zero bytes. */
  hex(bytes: Buffer, start: number, end: number, zeros = 0): this {
    this.#reserve((end - start + zeros) * 2);
    const out = this.#buffer;
    let at = this.#length;
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number;
      out[at++] = HEX[byte >> 4] as number;
      out[at++] = HEX[byte & 15] as number;
    }
    out.fill(0x30, at, at + zeros * 2);
    this.#length = at + zeros * 2;
    return this;
  }

  /** Forgets what was written after `length`. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** What has been written, and begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
    return taken;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
