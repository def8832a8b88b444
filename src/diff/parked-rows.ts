/**
 * Rows of one side that wait for a partner of the same key from the other side, where the order of the keys is not
 * known. The owner bounds them by {@link rows} and {@link bytes}.
 */
export class ParkedRows {
  readonly #rows = new Map<string, Buffer>();
  #bytes = 0;

  get rows(): number {
    return this.#rows.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy of the row. */
  park(key: string, payload: Buffer): void {
    this.#rows.set(key, Buffer.from(payload));
    this.#bytes += key.length + payload.length;
  }

  /** Takes the row with this key out, if it is there. */
  take(key: string): Buffer | undefined {
    const payload = this.#rows.get(key);
    if (payload === undefined) return undefined;
    this.#rows.delete(key);
    this.#bytes -= key.length + payload.length;
    return payload;
  }

  has(key: string): boolean {
    return this.#rows.has(key);
  }

  /** All rows that found no partner, in the order in which they came. */
  remaining(): IterableIterator<Buffer> {
    return this.#rows.values();
  }
}
