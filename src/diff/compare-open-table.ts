import { SwitchyardError } from "../base/errors.ts";
import type { PaceWorker } from "../base/pace.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import type { TableShape } from "../table/table-shape.ts";
import { type ComparisonPlan, planMapped, type RowOrder } from "./comparison-plan.ts";
import type { DiffLimits, DiffOptions } from "./diff-options.ts";
import type { TableResult } from "./diff-report.ts";
import type { DiffTally } from "./diff-tally.ts";
import { DifferenceLog } from "./difference-log.ts";
import type { OpenTable, TableSide } from "./open-table.ts";
import { StreamedRows } from "./row-source.ts";
import type { Observers } from "./run-diff.ts";
import { compareTable } from "./table-comparison.ts";

/**
 * Compares a table that is open on both sides: in key order, and a second time in the order of its bytes where too many
 * rows found no partner in the order of keys; without a key, any.
 *
 * @throws {SwitchyardError} `DIFF_TABLE_CHANGED` when its definition is not what it was under the lock.
 */
export async function compareOpenTable(
  table: OpenTable,
  options: DiffOptions,
  limits: DiffLimits,
  observers: Observers,
  tally: DiffTally,
): Promise<TableResult> {
  const plan = planMapped(options, table.home.shape, table.other.shape);
  try {
    return await compareInOrder(plan, table, options, limits, observers, tally);
  } catch (error) {
    if (!isMysqlError(error, ERRNO.TABLE_DEFINITION_CHANGED)) throw error;
    throw changed(plan.table, "one of the servers", error);
  }
}

async function compareInOrder(
  plan: ComparisonPlan,
  table: OpenTable,
  options: DiffOptions,
  limits: DiffLimits,
  observers: Observers,
  tally: DiffTally,
): Promise<TableResult> {
  const name = tableKey(plan.table);
  for (let order: RowOrder = plan.order; ; order = "bytes") {
    const log = new DifferenceLog(plan, options.direction, limits);
    const [home, other] = await Promise.all([
      openRows(plan, plan.home.select(order), table.home, observers.home, observers.pace.worker(options.signal)),
      openRows(plan, plan.other.select(order), table.other, observers.other),
    ]);
    const onRows = (rows: number): void => tally.compared(name, rows, log.count);
    const outcome = await compareTable({ ...limits, plan, order, home, other, listener: log, onRows });
    if (outcome.end === "complete") {
      tally.finished(name, home.cursor.rowsPassed, log);
      if (log.count > 0) options.onDifferences?.(log.differences);
      const bytes = home.cursor.bytesPassed + other.cursor.bytesPassed;
      const found = { verifiedAt: table.position, rows: outcome.keys, bytes, differences: log.count };
      return { table: name, ...found, ...notCompared(plan, options) };
    }
    options.log.warn({ table: name }, "rows without a partner: comparing in the order of bytes");
    await Promise.all([home.drain(), other.drain()]);
  }
}

/** What one side alone has, by the names of the migration's ends. */
function notCompared({ carried }: ComparisonPlan, { direction }: DiffOptions): Pick<TableResult, "notCompared"> {
  const { from, to, columns } = carried;
  const only = (shape: TableShape, side: "from" | "to"): readonly string[] => {
    const compared = new Set(columns.map((column) => column[side]));
    return shape.columns.filter((_, position) => !compared.has(position)).map(({ name }) => name);
  };
  const [home, other] = [only(from, "from"), only(to, "to")];
  if (home.length + other.length === 0) return {};
  return { notCompared: direction === "forward" ? { source: home, target: other } : { source: other, target: home } };
}

/**
 * Begins to read one side. The definition is looked at again once the table is open and nobody can change it: a column
 * that was renamed since the snapshot would be read under its new name without any error.
 */
async function openRows(
  plan: ComparisonPlan,
  select: string,
  side: TableSide,
  observer: Connection,
  pace?: PaceWorker,
): Promise<StreamedRows> {
  const rows = new StreamedRows(side.reader, select, pace);
  await rows.begun;
  const now = await readTableShape(observer, plan.table);
  if (JSON.stringify(now) !== JSON.stringify(side.shape))
    throw changed(plan.table, `server "${observer.endpoint.name}"`);
  return rows;
}

function changed(table: TableName, where: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError("DIFF_TABLE_CHANGED", {
    what: `the definition of ${tableKey(table)} on ${where} changed while both sides were being compared`,
    changed: "Nothing was changed; the report is not made.",
    fix: "Start the diff again.",
    cause,
  });
}
