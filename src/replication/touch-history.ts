import { type Gtid, GtidSet, GtidSetBuilder } from "../gtid/gtid-set.ts";

/** Keys of the migrating tables that a transaction changes; `all` where it is too large to be known in time. */
export type Touched = ReadonlySet<string> | "all";

/** Transactions that are remembered one by one; there are up to twice as many. */
const GENERATION = 50_000;

type ByTable = Map<string, GtidSetBuilder>;

/**
 * Which tables recent transactions have changed. A stream runs for weeks, so of older ones it only knows that they may
 * have changed any: that is enough, because a position to stop at is always a recent one and holds them all.
 */
export class TouchHistory {
  readonly #generation: number;
  #older: GtidSet = GtidSet.empty;
  /** All that was done with when the generation before the present one began. */
  #turn: GtidSet = GtidSet.empty;
  #before: ByTable = new Map();
  #now: ByTable = new Map();
  #count = 0;

  constructor(generation: number = GENERATION) {
    this.#generation = generation;
  }

  /** What was done before this process began: it may have changed any table. */
  addUnknown(set: GtidSet): void {
    this.#older = this.#older.union(set);
  }

  /** `executed` gives all that is done with, this one included; it is asked for rarely. */
  add(gtid: Gtid, touched: Touched, executed: () => GtidSet): void {
    const tables = touched === "all" ? ["all"] : touched;
    for (const table of tables) {
      const set = this.#now.get(table) ?? new GtidSetBuilder();
      this.#now.set(table, set);
      set.add(gtid.uuid, gtid.tag, gtid.gno);
    }
    if (touched !== "all" && touched.size === 0) return;
    if (++this.#count < this.#generation) return;
    this.#count = 0;
    this.#older = this.#older.union(this.#turn);
    this.#turn = executed();
    this.#before = this.#now;
    this.#now = new Map();
  }

  /** Transactions that have, or may have, changed one of these tables; any table where none are named. */
  touching(tables: ReadonlySet<string> | undefined): GtidSet {
    let union = this.#older;
    for (const generation of [this.#before, this.#now]) {
      for (const [table, set] of generation) {
        if (tables === undefined || table === "all" || tables.has(table)) union = union.union(set.build());
      }
    }
    return union;
  }
}

/** Whether a transaction changes one of these tables; any table where none are named. */
export function concerns(touched: Touched, tables: ReadonlySet<string> | undefined): boolean {
  if (touched === "all") return true;
  return tables === undefined ? touched.size > 0 : [...touched].some((table) => tables.has(table));
}
