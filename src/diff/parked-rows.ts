/**
 * Rows of one side that wait for a partner of the same key from the other side, where the order of the keys is not
 * known; several of one key where that is the content. The owner bounds them by {@link rows} and {@link bytes}.
 */
export class ParkedRows {
  readonly #parked = new Map<string, Buffer[]>();
  #rows = 0;
  #bytes = 0;

  get rows(): number {
    return this.#rows;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy of the row. */
  park(key: string, payload: Buffer): void {
    const same = this.#parked.get(key);
    if (same === undefined) this.#parked.set(key, [Buffer.from(payload)]);
    else same.push(Buffer.from(payload));
    this.#rows += 1;
    this.#bytes += key.length + payload.length;
  }

  /** Takes a row with this key out, if one is there. */
  take(key: string): Buffer | undefined {
    const same = this.#parked.get(key);
    const payload = same?.pop();
    if (same === undefined || payload === undefined) return undefined;
    if (same.length === 0) this.#parked.delete(key);
    this.#rows -= 1;
    this.#bytes -= key.length + payload.length;
    return payload;
  }

  has(key: string): boolean {
    return this.#parked.has(key);
  }

  /** All rows that found no partner, in the order in which their keys came. */
  *remaining(): IterableIterator<Buffer> {
    for (const same of this.#parked.values()) yield* same;
  }
}
