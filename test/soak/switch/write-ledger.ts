/**
 * What a client knows of a write: `acknowledged` by an OK; `refused` by an error before anything could last, or taken back by a
 * ROLLBACK that was acknowledged; `unknown` from when it is sent until the answer, and for good where none came.
 */
export type WriteState = "unknown" | "acknowledged" | "refused";

/** One write of one client: so many rows of `ledger.entry`, and one more in its counter where it counts. */
export interface Write {
  readonly client: number;
  readonly sequence: number;
  readonly parts: number;
  readonly counts: boolean;
  state: WriteState;
  /** What becomes of the deletion of its rows; absent where nobody has tried. */
  deletion?: WriteState;
}

/** The clients' ledger, kept outside of the databases: each write with what its client was told. */
export class WriteLedger {
  readonly #writes = new Map<number, Write[]>();

  /** The next write of a client, noted before anything of it is sent. */
  begin(client: number, plan: { readonly parts: number; readonly counts: boolean }): Write {
    const writes = this.#of(client);
    const write: Write = { client, sequence: writes.length + 1, ...plan, state: "unknown" };
    writes.push(write);
    return write;
  }

  get clients(): readonly number[] {
    return [...this.#writes.keys()];
  }

  /** In their order; the first has the sequence 1. */
  writesOf(client: number): readonly Write[] {
    return this.#writes.get(client) ?? [];
  }

  counts(): Record<WriteState, number> {
    const counts = { unknown: 0, acknowledged: 0, refused: 0 };
    for (const writes of this.#writes.values()) for (const { state } of writes) counts[state] += 1;
    return counts;
  }

  #of(client: number): Write[] {
    const known = this.#writes.get(client);
    if (known !== undefined) return known;
    const writes: Write[] = [];
    this.#writes.set(client, writes);
    return writes;
  }
}
