import type { Effect, LedgerEntry } from "./ledger.ts";
import { keyText, type Values, WRITTEN_TABLES, writtenTable } from "./written-tables.ts";

/** What the rows of one table must be. */
export interface Predicted {
  readonly rows: Map<string, Values>;
  /** Keys that an acknowledged write has deleted. */
  readonly deleted: Set<string>;
  /** Keys that a write of unknown outcome may have changed: neither state is wrong. */
  readonly undecided: Set<string>;
}

export interface Prediction {
  readonly tables: ReadonlyMap<string, Predicted>;
  /** `client/sequence` of the writes whose outcome is unknown; rows that carry it may be there or not. */
  readonly unknownWrites: ReadonlySet<string>;
}

/** Replays the acknowledged writes upon the rows that were there before the first of them. */
export function replay(initial: ReadonlyMap<string, readonly Values[]>, entries: readonly LedgerEntry[]): Prediction {
  const tables = new Map<string, Predicted>();
  for (const table of WRITTEN_TABLES) {
    const rows = new Map((initial.get(table.table) ?? []).map((row) => [keyText(table, row), row]));
    tables.set(table.table, { rows, deleted: new Set(), undecided: new Set() });
  }
  const unknownWrites = new Set<string>();
  for (const entry of entries) {
    if (entry.outcome === "unknown") unknownWrites.add(`${entry.client}/${entry.sequence}`);
    for (const effect of entry.effects) {
      const predicted = tables.get(effect.table);
      if (predicted === undefined) throw new Error(`the ledger does not know table ${effect.table}`);
      if (entry.outcome === "acknowledged") apply(predicted, effect);
      if (entry.outcome === "unknown") predicted.undecided.add(keyOf(effect));
    }
  }
  return { tables, unknownWrites };
}

function keyOf(effect: Effect): string {
  return keyText(writtenTable(effect.table), effect.do === "insert" || effect.do === "put" ? effect.row : effect.key);
}

function apply(predicted: Predicted, effect: Effect): void {
  const key = keyOf(effect);
  const before = predicted.rows.get(key);
  switch (effect.do) {
    case "insert":
    case "put":
      predicted.rows.set(key, effect.row);
      predicted.deleted.delete(key);
      return;
    case "delete":
      predicted.rows.delete(key);
      predicted.deleted.add(key);
      return;
    case "set":
      if (before !== undefined) predicted.rows.set(key, { ...before, ...effect.values });
      return;
    case "add":
      if (before !== undefined) predicted.rows.set(key, { ...before, ...added(before, effect.amounts) });
  }
}

function added(row: Values, amounts: Readonly<Record<string, string>>): Values {
  const entries = Object.entries(amounts).map(([column, amount]) => [column, addDecimal(row[column] ?? "0", amount)]);
  return Object.fromEntries(entries) as Values;
}

/** Adds two decimal numbers exactly; the sum has as many places as the first. */
export function addDecimal(value: string, amount: string): string {
  const places = value.split(".")[1]?.length ?? 0;
  const sum = scaled(value, places) + scaled(amount, places);
  const digits = (sum < 0n ? -sum : sum).toString().padStart(places + 1, "0");
  const whole = digits.slice(0, digits.length - places);
  const sign = sum < 0n ? "-" : "";
  return places === 0 ? `${sign}${whole}` : `${sign}${whole}.${digits.slice(-places)}`;
}

function scaled(value: string, places: number): bigint {
  const [whole = "0", fraction = ""] = value.replace("-", "").split(".");
  if (fraction.length > places) throw new Error(`${value} has more than ${places} places`);
  const magnitude = BigInt(whole + fraction.padEnd(places, "0"));
  return value.startsWith("-") ? -magnitude : magnitude;
}
