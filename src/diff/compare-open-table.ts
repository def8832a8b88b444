import type { Clock } from "../base/clock.ts";
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
import type { DifferenceFile } from "./difference-files.ts";
import { DifferenceLog } from "./difference-log.ts";
import type { OpenTable, TableSide } from "./open-table.ts";
import { StreamedRows } from "./row-source.ts";
import type { Observers } from "./run-diff.ts";
import { type ComparisonMarks, compareTable } from "./table-comparison.ts";
import type { Compared, TableRun } from "./table-run.ts";

/**
 * Compares a table that is open on both sides: in key order, and a second time in the order of its bytes where too many
 * rows found no partner in the order of keys; without a key, any. Goes on behind what `run` has of it already, and keeps
 * there what it comes to. `cut` where the snapshots have been open for long enough: the rest is for the next pair.
 *
 * @throws {SwitchyardError} `DIFF_TABLE_CHANGED` when its definition is not what it was under the lock.
 */
export async function compareOpenTable(
  table: OpenTable,
  run: TableRun,
  options: DiffOptions,
  limits: DiffLimits,
  observers: Observers,
  tally: DiffTally,
): Promise<"complete" | "cut"> {
  const plan = planMapped(options, table.home.shape, table.other.shape);
  const log = new DifferenceLog(plan, options.direction, limits, filesOf(run, options), run.counts);
  try {
    return await compareInOrder(plan, table, run, log, options, limits, observers, tally);
  } catch (error) {
    if (!isMysqlError(error, ERRNO.TABLE_DEFINITION_CHANGED)) throw error;
    throw changed(plan.table, "one of the servers", error);
  } finally {
    log.close();
  }
}

function filesOf(run: TableRun, { files }: DiffOptions): DifferenceFile | undefined {
  return files?.open(tableKey(run.name), run.counts.fileBytes);
}

async function compareInOrder(
  plan: ComparisonPlan,
  table: OpenTable,
  run: TableRun,
  log: DifferenceLog,
  options: DiffOptions,
  limits: DiffLimits,
  observers: Observers,
  tally: DiffTally,
): Promise<"complete" | "cut"> {
  const name = tableKey(plan.table);
  for (let order: RowOrder = plan.order; ; order = "bytes") {
    // Behind what was kept on the way, if anything was.
    const base = { rows: run.rows, bytes: run.bytes };
    const [home, other] = await Promise.all([
      openRows(
        plan,
        plan.home.select(order, run.through),
        table.home,
        observers.home,
        observers.pace.worker(options.signal),
      ),
      openRows(plan, plan.other.select(order, run.through), table.other, observers.other),
    ]);
    const compared = (rows: number): Compared => ({
      rows,
      bytes: home.cursor.bytesPassed + other.cursor.bytesPassed,
      ...notCompared(plan, options),
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
    tally.found(name, log.samples);
    if (outcome.end === "complete") {
      await run.keep(table, log, base, compared(outcome.keys), undefined);
      tally.finished(name, run.rows, log.count);
    }
    if (options.keeper === undefined && log.differences.keys.length > 0) options.onDifferences?.(log.differences);
    return outcome.end;
  }
}

/** When what has been compared is kept, and when the snapshots have been open for long enough. */
class TableMarks implements ComparisonMarks {
  readonly #clock: Clock;
  readonly #limits: DiffLimits;
  readonly #keep: (key: readonly Buffer[], keys: number) => Promise<void>;
  readonly #openedMs: number;
  #keptMs: number;

  constructor(clock: Clock, limits: DiffLimits, keep: (key: readonly Buffer[], keys: number) => Promise<void>) {
    this.#clock = clock;
    this.#limits = limits;
    this.#keep = keep;
    this.#openedMs = clock.monotonicMs();
    this.#keptMs = this.#openedMs;
  }

  due(): boolean {
    return this.#clock.monotonicMs() - this.#keptMs >= this.#everyMs;
  }

  async passed(key: readonly Buffer[], keys: number): Promise<boolean> {
    await this.#keep(key, keys);
    this.#keptMs = this.#clock.monotonicMs();
    return this.#keptMs - this.#openedMs < this.#limits.sliceMaxMs;
  }

  get #everyMs(): number {
    return Math.min(this.#limits.keepEveryMs, this.#limits.sliceMaxMs);
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
