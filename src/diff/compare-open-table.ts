import type { PaceWorker } from "../base/pace.ts";
import { tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import type { TableShape } from "../table/table-shape.ts";
import { compareByRanges, whyNotFast } from "./compare-ranges.ts";
import { type ComparisonPlan, planMapped, type RowOrder } from "./comparison-plan.ts";
import { counterDifferences } from "./counter-differences.ts";
import type { DiffLimits, DiffOptions } from "./diff-options.ts";
import type { TableResult } from "./diff-report.ts";
import type { DiffTally } from "./diff-tally.ts";
import type { DifferenceFile } from "./difference-files.ts";
import { DifferenceLog } from "./difference-log.ts";
import type { OpenTable, TableSide } from "./open-table.ts";
import { definitionChanged, requireSameDefinition } from "./pinned-definition.ts";
import { StreamedRows } from "./row-source.ts";
import type { Observers } from "./run-diff.ts";
import { compareTable } from "./table-comparison.ts";
import { TableMarks } from "./table-marks.ts";
import type { Compared, TableRun } from "./table-run.ts";

/** A table that is being compared, and all that this takes. */
export interface Comparing {
  readonly plan: ComparisonPlan;
  readonly table: OpenTable;
  readonly run: TableRun;
  readonly log: DifferenceLog;
  readonly options: DiffOptions;
  readonly limits: DiffLimits;
  readonly observers: Observers;
  readonly tally: DiffTally;
}

/**
 * Compares a table that is open on both sides: in key order, and a second time in the order of its bytes where too many
 * rows found no partner in the order of keys; without a key, any. A fast diff does so with the ranges of keys only whose
 * sums differ. Goes on behind what `run` has of it already, and keeps there what it comes to. `cut` where the snapshots have
 * been open for long enough: the rest is for the next pair.
 *
 * @throws {SwitchyardError} `DIFF_TABLE_CHANGED` when its definition is not what it was under the lock.
 */
export async function compareOpenTable(of: Omit<Comparing, "plan" | "log">): Promise<"complete" | "cut"> {
  const { table, run, options, limits, tally } = of;
  const plan = planMapped(options, table.home.shape, table.other.shape);
  const log = new DifferenceLog(plan, options.direction, limits, filesOf(run, options), run.counts);
  const comparing: Comparing = { ...of, plan, log };
  const name = tableKey(plan.table);
  try {
    run.counters ??= await counterDifferences(table, of.observers, options);
    const outcome = options.fast === true ? await compareFast(comparing) : await compareInOrder(comparing);
    tally.found(name, log.samples);
    if (outcome === "complete") tally.finished(name, run.rows, log.count);
    if (options.keeper === undefined && log.differences.keys.length > 0) options.onDifferences?.(log.differences);
    return outcome;
  } catch (error) {
    if (!isMysqlError(error, ERRNO.TABLE_DEFINITION_CHANGED)) throw error;
    throw definitionChanged(plan.table, "one of the servers", error);
  } finally {
    log.close();
  }
}

function filesOf(run: TableRun, { files }: DiffOptions): DifferenceFile | undefined {
  return files?.open(tableKey(run.name), run.counts.fileBytes);
}

async function compareFast(of: Comparing): Promise<"complete" | "cut"> {
  const notFast = whyNotFast(of.plan, of.table.home.shape);
  if (notFast !== undefined) return await compareInOrder(of, { notFast });
  const outcome = await compareByRanges(of, notCompared(of.plan, of.options));
  if (outcome !== "unpaired") return outcome;
  return await compareInOrder(of, { notFast: "rows on one side only, with keys in an order of the server's own" });
}

async function compareInOrder(of: Comparing, notes: Pick<TableResult, "notFast"> = {}): Promise<"complete" | "cut"> {
  const { plan, table, run, log, options, limits, observers, tally } = of;
  const name = tableKey(plan.table);
  const alone = { ...notCompared(plan, options), ...notes };
  for (let order: RowOrder = plan.order; ; order = "bytes") {
    // Behind what was kept on the way, if anything was.
    const base = { rows: run.rows, bytes: run.bytes };
    const [home, other] = await Promise.all([
      openRows(plan.home.select(order, run.through), table.home, observers.home, observers.pace.worker(options.signal)),
      openRows(plan.other.select(order, run.through), table.other, observers.other),
    ]);
    const compared = (rows: number): Compared => ({
      rows,
      bytes: home.cursor.bytesPassed + other.cursor.bytesPassed,
      ...alone,
    });
    const marks = new TableMarks(options.clock, limits, (key, keys) => run.keep(table, log, base, compared(keys), key));
    const onRows = (rows: number): void => tally.compared(name, base.rows + rows, log.count);
    const outcome = await compareTable({
      ...limits,
      plan,
      order,
      home,
      other,
      listener: log,
      onRows,
      ...(order === "bytes" || plan.byContent ? {} : { marks }),
    });
    if (outcome.end === "lost-order") {
      options.log.warn({ table: name }, "rows without a partner: comparing in the order of bytes");
      log.revoke();
      await Promise.all([home.drain(), other.drain()]);
      continue;
    }
    if (outcome.end === "complete") await run.keep(table, log, base, compared(outcome.keys), undefined);
    return outcome.end;
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

/** Begins to read one side. @throws {SwitchyardError} `DIFF_TABLE_CHANGED` */
async function openRows(
  select: string,
  side: TableSide,
  observer: Connection,
  pace?: PaceWorker,
): Promise<StreamedRows> {
  const rows = new StreamedRows(side.reader, select, pace);
  await rows.begun;
  await requireSameDefinition(side, observer);
  return rows;
}
