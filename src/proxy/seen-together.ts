/** A set with more tables than this is kept cut: it is enough that any two of them would be separated. */
const TABLES_PER_SET_MAX = 32;

/** Which tables have met in one statement or one transaction, so that a switch which would separate them is refused. */
export class SeenTogether {
  readonly #setsMax: number;
  readonly #sets = new Map<string, readonly string[]>();
  readonly #onNew: () => void;

  constructor(setsMax: number, onNew: () => void) {
    this.#setsMax = setsMax;
    this.#onNew = onNew;
  }

  /** Notes that these tables were used together. Sets of fewer than two say nothing. */
  note(tables: readonly string[] | ReadonlySet<string>): void {
    if (("size" in tables ? tables.size : tables.length) < 2) return;
    const sorted = [...tables].sort().slice(0, TABLES_PER_SET_MAX);
    const key = sorted.join("\n");
    if (this.#sets.has(key) || this.#sets.size >= this.#setsMax) return;
    this.#sets.set(key, sorted);
    this.#onNew();
  }

  list(): readonly (readonly string[])[] {
    return [...this.#sets.values()];
  }
}
