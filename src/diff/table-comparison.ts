import { TextRow } from "../wire/text-row.ts";
import type { ComparisonPlan, KeyComparison, RowOrder } from "./comparison-plan.ts";
import { ParkedRows } from "./parked-rows.ts";
import type { RowSource } from "./row-source.ts";

/** Who is told of the differences; payloads are valid during the call only. */
export interface DifferenceListener {
  /** The key is on the home only. */
  homeOnly(home: Buffer): void;
  otherOnly(other: Buffer): void;
  different(home: Buffer, other: Buffer): void;
}

/** Who keeps how far a comparison has come. */
export interface ComparisonMarks {
  /** Whether to be told the next key that can be told; asked often. */
  due(): boolean;
  /**
   * Every row up to this key, itself included, has been judged, on either side by the order of its own rows; `keys` have
   * been looked at. Whether to go on behind it.
   */
  passed(key: readonly Buffer[], keys: number): Promise<boolean>;
}

export interface ComparisonOptions {
  readonly plan: ComparisonPlan;
  /** The order in which both sources give their rows. */
  readonly order: RowOrder;
  readonly home: RowSource;
  readonly other: RowSource;
  readonly listener: DifferenceListener;
  /** Told often how many rows of the home have passed. */
  readonly onRows?: (rows: number) => void;
  /** Only in the order of the key. */
  readonly marks?: ComparisonMarks;
  readonly parkedRowsMax: number;
  readonly parkedBytesMax: number;
}

/**
 * How a comparison ended. `keys` counts the keys looked at, on either side; rows where there are none. It is `cut` behind the
 * key that its marks were told last.
 */
export type ComparisonOutcome =
  | { readonly end: "complete"; readonly keys: number }
  | { readonly end: "cut" }
  | { readonly end: "lost-order" };

/**
 * Compares the rows of one table, which both sources give in the same order.
 *
 * Runs of the same bytes pass at once. Where rows differ, the one whose key comes first is on its side only; where
 * the order of keys is not known, rows are set aside until the other side brings the same key. When more would have to
 * be set aside than allowed, the outcome is `lost-order`: what was told of differences means nothing, and the table is
 * to be compared again in the order of bytes. So it is where a table without a key differs, in the order in which the
 * server has its rows.
 */
export async function compareTable(options: ComparisonOptions): Promise<ComparisonOutcome> {
  const { home, other } = options;
  const aligner = new Aligner(options);
  for (;;) {
    const homeFill = home.fill();
    const hasHome = typeof homeFill === "boolean" ? homeFill : await homeFill;
    const otherFill = other.fill();
    const hasOther = typeof otherFill === "boolean" ? otherFill : await otherFill;
    if (!hasHome && !hasOther) break;
    if (options.marks?.due() === true && aligner.parkedRows === 0) {
      const key = aligner.passKey(hasHome, hasOther);
      if (key !== undefined && !(await options.marks.passed(key, aligner.keys))) return { end: "cut" };
    } else if (!hasHome) aligner.passOther(true);
    else if (!hasOther) aligner.passHome(true);
    else if (home.cursor.passEqualRun(other.cursor) === 0) aligner.align();
    else aligner.aligned();
    if (aligner.parkedRows > options.parkedRowsMax || aligner.parkedBytes > options.parkedBytesMax) {
      return { end: "lost-order" };
    }
    options.onRows?.(home.cursor.rowsPassed);
  }
  aligner.finish();
  if (aligner.single > 0 && options.plan.byContent && options.order === "key") return { end: "lost-order" };
  return { end: "complete", keys: aligner.keys };
}

/** Decides what becomes of rows at the front that are not the same bytes. */
class Aligner {
  readonly #home: RowSource;
  readonly #other: RowSource;
  readonly #listener: DifferenceListener;
  readonly #compare: KeyComparison | undefined;
  readonly #keyFields: readonly number[];
  /** A row is known by all of it. */
  readonly #byPayload: boolean;
  readonly #row: TextRow;
  readonly #parkedHome = new ParkedRows();
  readonly #parkedOther = new ParkedRows();
  /** Rows that are parked from one side before it is the other's turn; doubles while nothing is found. */
  #stride = 1;
  #turnsLeft = 1;
  #homesTurn = true;
  #single = 0;

  constructor({ plan, order, home, other, listener }: ComparisonOptions) {
    this.#home = home;
    this.#other = other;
    this.#listener = listener;
    this.#compare = plan.compare(order);
    this.#keyFields = plan.keyFields;
    this.#byPayload = plan.byContent && order === "key";
    this.#row = new TextRow(plan.fieldCount);
  }

  /** Keys that were found on one side only; without those that still wait for their partner. */
  get single(): number {
    return this.#single;
  }

  get parkedRows(): number {
    return this.#parkedHome.rows + this.#parkedOther.rows;
  }

  get parkedBytes(): number {
    return this.#parkedHome.bytes + this.#parkedOther.bytes;
  }

  /** Keys seen on either side, those on both counted once. Right while none is set aside, and after {@link finish}. */
  get keys(): number {
    const rows = this.#home.cursor.rowsPassed + this.#other.cursor.rowsPassed;
    return (rows + this.#single) / 2;
  }

  /** Rows were equal again. */
  aligned(): void {
    this.#stride = 1;
    this.#turnsLeft = 1;
  }

  /** Both sides have a row, and the packets differ. Passes one row at least. */
  align(): void {
    const home = this.#home.cursor.payload();
    const other = this.#other.cursor.payload();
    if (home.equals(other)) {
      this.#passBoth();
      return;
    }
    const homeKey = this.#key(home);
    const otherKey = this.#key(other);
    if (sameFields(homeKey, otherKey)) {
      this.#listener.different(home, other);
      this.#passBoth();
    } else if (this.#compare !== undefined) {
      const order = this.#compare(homeKey, otherKey);
      if (order <= 0) this.passHome(true);
      if (order >= 0) this.passOther(true);
    } else this.#park(mapKey(homeKey), mapKey(otherKey));
  }

  /**
   * Passes a row of either side or of both, and gives a copy of its key, up to which then all rows of both sides have been passed and
   * judged: where both have that key, or one of them has none so small, which only an order that is known can tell.
   * Otherwise nothing, and it is like {@link align}. Only while nothing is parked.
   */
  passKey(hasHome: boolean, hasOther: boolean): Buffer[] | undefined {
    const known = this.#compare !== undefined;
    if (!hasHome || !hasOther) {
      const side = hasHome ? this.#home : this.#other;
      const key = copied(this.#key(side.cursor.payload()));
      if (hasHome) this.passHome(true);
      else this.passOther(true);
      return known ? key : undefined;
    }
    const key = copied(this.#key(this.#home.cursor.payload()));
    const otherKey = copied(this.#key(this.#other.cursor.payload()));
    this.align();
    if (sameFields(key, otherKey)) return key;
    if (this.#compare === undefined) return undefined;
    return this.#compare(key, otherKey) <= 0 ? key : otherKey;
  }

  /** Passes a row of the home. `alone` says that the other side can bring no partner any more. */
  passHome(alone: boolean): void {
    const payload = this.#home.cursor.payload();
    const key = this.#compare === undefined ? mapKey(this.#key(payload)) : "";
    const partner = this.#parkedOther.take(key);
    if (partner !== undefined) this.#pair(payload, partner);
    else if (alone) {
      this.#single += 1;
      this.#listener.homeOnly(payload);
    } else this.#parkedHome.park(key, payload);
    this.#home.cursor.passRow();
  }

  /** Like {@link passHome}, for the other side. */
  passOther(alone: boolean): void {
    const payload = this.#other.cursor.payload();
    const key = this.#compare === undefined ? mapKey(this.#key(payload)) : "";
    const partner = this.#parkedHome.take(key);
    if (partner !== undefined) this.#pair(partner, payload);
    else if (alone) {
      this.#single += 1;
      this.#listener.otherOnly(payload);
    } else this.#parkedOther.park(key, payload);
    this.#other.cursor.passRow();
  }

  /** Both sides have ended: what is still parked has no partner. */
  finish(): void {
    this.#single += this.parkedRows;
    for (const payload of this.#parkedHome.remaining()) this.#listener.homeOnly(payload);
    for (const payload of this.#parkedOther.remaining()) this.#listener.otherOnly(payload);
  }

  /** Sets rows of either side aside in turns, for longer and longer, until a partner is found. */
  #park(homeKey: string, otherKey: string): void {
    if (this.#parkedOther.has(homeKey)) this.passHome(false);
    else if (this.#parkedHome.has(otherKey)) this.passOther(false);
    else {
      if (this.#turnsLeft === 0) {
        this.#homesTurn = !this.#homesTurn;
        if (this.#homesTurn) this.#stride *= 2;
        this.#turnsLeft = this.#stride;
      }
      this.#turnsLeft -= 1;
      if (this.#homesTurn) this.passHome(false);
      else this.passOther(false);
    }
  }

  #pair(home: Buffer, other: Buffer): void {
    this.aligned();
    if (!home.equals(other)) this.#listener.different(home, other);
  }

  #passBoth(): void {
    this.#home.cursor.passRow();
    this.#other.cursor.passRow();
  }

  #key(payload: Buffer): Buffer[] {
    if (this.#byPayload) return [payload];
    this.#row.scan(payload);
    return this.#keyFields.map((field) => this.#row.field(field) ?? Buffer.alloc(0));
  }
}

function copied(fields: readonly Buffer[]): Buffer[] {
  return fields.map((field) => Buffer.from(field));
}

function sameFields(left: readonly Buffer[], right: readonly Buffer[]): boolean {
  return left.every((field, index) => field.equals(right[index] ?? Buffer.alloc(0)));
}

/** The fields as one text; lengths keep ("a", "bc") and ("ab", "c") apart. */
function mapKey(fields: readonly Buffer[]): string {
  return fields.map((field) => `${field.length}:${field.toString("latin1")}`).join("");
}
