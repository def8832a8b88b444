import { quoteId, quoteTable, quoteText, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { DiffOptions } from "./diff-options.ts";
import type { SchemaDifference } from "./diff-report.ts";
import type { OpenTable, TableSide } from "./open-table.ts";
import type { Observers } from "./run-diff.ts";

interface Counter {
  /** What the server gives next. */
  readonly next: bigint;
  /** The largest value in the read view. */
  readonly largest: bigint;
}

const WHOLE = /^-?\d+$/;

/**
 * Whether one side's AUTO_INCREMENT counter would give values again that the other side has. A counter that is ahead is no
 * difference: those of a new home are, on purpose. Asked for once the table is open: the rows are as of that moment, and counters
 * go up only.
 */
export async function counterDifferences(
  { home, other }: OpenTable,
  observers: Observers,
  { direction }: Pick<DiffOptions, "direction">,
): Promise<readonly SchemaDifference[]> {
  const counters = await Promise.all([counterOf(home, observers.home), counterOf(other, observers.other)]);
  const [mine, theirs] = counters;
  if (mine === undefined || theirs === undefined) return [];
  if (!isBehind(mine, theirs) && !isBehind(theirs, mine)) return [];
  const [source, target] = direction === "forward" ? [mine, theirs] : [theirs, mine];
  return [{ table: tableKey(home.shape.name), what: "counter", source: shown(source), target: shown(target) }];
}

function isBehind(one: Counter, other: Counter): boolean {
  return one.next <= other.largest && one.next < other.next;
}

function shown({ next, largest }: Counter): Readonly<Record<string, string>> {
  return { next: String(next), largest: String(largest) };
}

async function counterOf({ reader, shape }: TableSide, observer: Connection): Promise<Counter | undefined> {
  const column = shape.columns.find(({ autoIncrement }) => autoIncrement);
  if (column === undefined) return undefined;
  const { schema, table } = shape.name;
  const [largest] = await reader.rows(`SELECT MAX(${quoteId(column.name)}) AS v FROM ${quoteTable(shape.name)}`);
  const [next] = await observer.rows(
    `SELECT auto_increment AS v FROM information_schema.tables WHERE table_schema = ${quoteText(schema)} AND table_name = ${quoteText(table)}`,
  );
  const [top, counter] = [largest?.["v"] ?? "0", next?.["v"] ?? ""];
  return WHOLE.test(top) && WHOLE.test(counter) ? { next: BigInt(counter), largest: BigInt(top) } : undefined;
}
