const EMPTY: Buffer = Buffer.alloc(0);
const FIRST_BYTES = 4096;

/**
 * Puts together bytes that come in parts. Its memory follows what has arrived, at most doubled, however small the
 * parts are; what a peer announces is a bound and never a size.
 */
export class ByteGatherer {
  #buffer: Buffer = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Copies `part`, whose memory may be used again afterwards. `bytesMax` is the most that will ever be added. */
  add(part: Buffer, bytesMax: number): void {
    const needed = this.#length + part.length;
    if (needed > this.#buffer.length) {
      const room = Math.min(bytesMax, Math.max(FIRST_BYTES, this.#buffer.length * 2));
      const grown = Buffer.allocUnsafe(Math.max(needed, room));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    part.copy(this.#buffer, this.#length);
    this.#length = needed;
  }

  /** All that was added, with `last` behind it, and begins anew. A view of `last` where nothing was added before. */
  finish(last: Buffer): Buffer {
    if (this.#length === 0) return last;
    this.add(last, this.#length + last.length);
    const whole = this.#buffer.subarray(0, this.#length);
    this.#buffer = EMPTY;
    this.#length = 0;
    return whole;
  }
}
