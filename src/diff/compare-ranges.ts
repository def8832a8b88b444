import type { PaceWorker } from "../base/pace.ts";
import { tableKey } from "../base/table-name.ts";
import { rowKeyColumns } from "../table/row-key.ts";
import type { TableShape } from "../table/table-shape.ts";
import type { Comparing } from "./compare-open-table.ts";
import type { ComparisonPlan, PlanKey, SidePlan } from "./comparison-plan.ts";
import type { TableResult } from "./diff-report.ts";
import type { DifferenceLog } from "./difference-log.ts";
import type { TableSide } from "./open-table.ts";
import { requireSameDefinition } from "./pinned-definition.ts";
import { StreamedRows } from "./row-source.ts";
import { compareTable, type DifferenceListener } from "./table-comparison.ts";
import { TableMarks } from "./table-marks.ts";

/** A server finds no range by these: each would be a walk through the whole table. */
const NOT_ENTERED_BY: ReadonlySet<string> = new Set(["float", "double", "bit", "enum", "set"]);

/** Why all rows of a table must be read to compare it; `undefined` where sums of ranges of its keys will do. */
export function whyNotFast(plan: ComparisonPlan, home: TableShape): string | undefined {
  if (plan.byContent) return "it has no key";
  if (plan.order !== "key") return "the two sides order its keys differently";
  const types = rowKeyColumns(home).map((position) => home.columns[position]?.dataType ?? "");
  const type = types.find((one) => NOT_ENTERED_BY.has(one));
  return type === undefined ? undefined : `its key has a column of type ${type.toUpperCase()}`;
}

/**
 * Compares a table that is open on both sides range by range of its keys: by a sum that each server computes of its rows,
 * and row by row where the sums differ. Like a comparison of all rows in what it tells and keeps.
 *
 * `unpaired` where rows of a range had no partner in it, and whether another range has one is not ours to say: what lies
 * behind the kept key is to be compared row by row.
 */
export async function compareByRanges(
  of: Comparing,
  alone: Pick<TableResult, "notCompared">,
): Promise<"complete" | "cut" | "unpaired"> {
  const { plan, table, run, log, options, limits, observers, tally } = of;
  await openBoth(of);
  const base = { rows: run.rows, bytes: run.bytes };
  const ranges = new RangeComparison(of, observers.pace.worker(options.signal));
  const keep = (key: PlanKey | undefined): Promise<void> =>
    run.keep(table, log, base, { rows: ranges.rows, bytes: ranges.bytes, ...alone }, key);
  const marks = new TableMarks(options.clock, limits, keep);
  for (let after = run.through; ; ) {
    const end = await ranges.end(limits.fastRangeRows, after);
    const before = { rows: ranges.rows, bytes: ranges.bytes };
    log.mark(false);
    if (!(await ranges.settle(limits.fastRangeRows, after, end))) {
      log.revoke();
      Object.assign(ranges, before);
      if (after !== undefined) await keep(after);
      return "unpaired";
    }
    tally.compared(tableKey(plan.table), base.rows + ranges.rows, log.count);
    if (end === undefined) break;
    after = end;
    if (marks.due() && !(await marks.passed(after, ranges.rows))) return "cut";
  }
  await keep(undefined);
  return "complete";
}

/** Opens the table in both read views: nobody can change its definition from then on. */
async function openBoth({ plan, table, observers }: Comparing): Promise<void> {
  const open = async (side: TableSide, { selectEnd }: SidePlan, observer: typeof observers.home): Promise<void> => {
    await side.reader.query(selectEnd(1));
    await requireSameDefinition(side, observer);
  };
  await Promise.all([open(table.home, plan.home, observers.home), open(table.other, plan.other, observers.other)]);
}

interface Sum {
  readonly rows: number;
  readonly text: string;
}

class RangeComparison {
  readonly #of: Comparing;
  readonly #pace: PaceWorker;
  /** What has been compared so far: keys on either side, and bytes of rows that were read. */
  rows = 0;
  bytes = 0;

  constructor(of: Comparing, pace: PaceWorker) {
    this.#of = of;
    this.#pace = pace;
  }

  /** The last key of a range of so many rows of the home, if it has as many. */
  async end(rows: number, after?: PlanKey, upTo?: PlanKey): Promise<PlanKey | undefined> {
    const { plan, table } = this.#of;
    const answer = await table.home.reader.query(plan.home.selectEnd(rows, after, upTo));
    return answer.rows[0]?.map((field) => Buffer.from(field ?? ""));
  }

  /** Finds all differences of a range of about so many rows. False where some may not be one. */
  async settle(size: number, after?: PlanKey, upTo?: PlanKey): Promise<boolean> {
    const { plan, table, limits } = this.#of;
    const [home, other] = await Promise.all([
      sumOf(table.home, plan.home.selectSum(after, upTo)),
      sumOf(table.other, plan.other.selectSum(after, upTo)),
    ]);
    await this.#pace.rest();
    if (home.rows === other.rows && home.text === other.text) {
      this.rows += home.rows;
      return true;
    }
    if (size <= limits.fastReadRows) return await this.#read(after, upTo);
    for (let from = after; ; ) {
      const end = await this.end(limits.fastReadRows, from, upTo);
      if (!(await this.settle(limits.fastReadRows, from, end ?? upTo))) return false;
      if (end === undefined) return true;
      from = end;
    }
  }

  /** Compares all rows of a range byte by byte. */
  async #read(after?: PlanKey, upTo?: PlanKey): Promise<boolean> {
    const { plan, table, limits, log } = this.#of;
    const home = new StreamedRows(table.home.reader, plan.home.select("key", after, upTo), this.#pace);
    const other = new StreamedRows(table.other.reader, plan.other.select("key", after, upTo));
    const listener = new SinglesCounted(log);
    const outcome = await compareTable({ ...limits, plan, order: "key", home, other, listener });
    this.bytes += home.cursor.bytesPassed + other.cursor.bytesPassed;
    if (outcome.end !== "complete") {
      await Promise.all([home.drain(), other.drain()]);
      return false;
    }
    this.rows += outcome.keys;
    // Where the order of keys is ours to compute, a row belongs to the same range on both sides.
    return listener.singles === 0 || plan.compare("key") !== undefined;
  }
}

async function sumOf({ reader }: TableSide, sql: string): Promise<Sum> {
  const [row] = (await reader.query(sql)).rows;
  const [rows, text] = row ?? [];
  return { rows: Number(rows?.toString("latin1") ?? 0), text: text?.toString("latin1") ?? "" };
}

/** Tells a log of differences, and counts the keys that are on one side only. */
class SinglesCounted implements DifferenceListener {
  readonly #log: DifferenceLog;
  singles = 0;

  constructor(log: DifferenceLog) {
    this.#log = log;
  }

  homeOnly(home: Buffer): void {
    this.singles += 1;
    this.#log.homeOnly(home);
  }

  otherOnly(other: Buffer): void {
    this.singles += 1;
    this.#log.otherOnly(other);
  }

  different(home: Buffer, other: Buffer): void {
    this.#log.different(home, other);
  }
}
