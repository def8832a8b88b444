import { messageOf, SwitchyardError } from "../base/errors.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { type ComparisonPlan, planComparison, type RowOrder } from "./comparison-plan.ts";
import { DEFAULT_DIFF_LIMITS, type DiffLimits, type DiffOptions } from "./diff-options.ts";
import type { DiffReport, TableResult } from "./diff-report.ts";
import { DiffTally } from "./diff-tally.ts";
import { DifferenceLog } from "./difference-log.ts";
import { openSides, type Side, type Sides } from "./open-sides.ts";
import { StreamedRows } from "./row-source.ts";
import { compareTable } from "./table-comparison.ts";

/**
 * Compares every byte of the tables on both servers as of one moment, while clients write and the stream goes on.
 *
 * Both sides are read as of the same transactions, so a difference that is reported is one; nothing is written
 * anywhere. Resolves with the report whether there are differences or not. However it ends, the stream goes on.
 *
 * @throws {SwitchyardError} `CANCELLED`, `DIFF_TABLE_CHANGED`, `DIFF_TABLES_UNLIKE`, `DIFF_KEY_MISSING`, what the
 *   stream's port throws, and the codes of connections and of locked snapshots.
 */
export async function runDiff(options: DiffOptions): Promise<DiffReport> {
  const limits = { ...DEFAULT_DIFF_LIMITS, ...options.limits };
  const startedAt = options.clock.now().toISOString();
  const tally = new DiffTally(options, limits.progressIntervalMs);
  tally.step("waiting for the stream");
  const readers = Math.max(1, Math.min(limits.tablesAtOnce, options.tables.length));
  let sides: Sides | undefined;
  try {
    sides = await openSides(options, limits, readers);
    options.log.info({ migration: options.migration, position: sides.position }, "comparing both sides");
    const results = await compareAll(sides, options, limits, tally);
    const differences = results.reduce((sum, result) => sum + result.differences, 0);
    return {
      verifiedAt: sides.position,
      startedAt,
      finishedAt: options.clock.now().toISOString(),
      tables: results,
      rows: results.reduce((sum, result) => sum + result.rows, 0),
      differences,
      samples: tally.samples(limits.samplesMax),
    };
  } catch (error) {
    throw explained(error, options);
  } finally {
    await sides?.close();
  }
}

/** Compares the tables, several at a time, each on a connection of its own to either side. */
async function compareAll(
  sides: Sides,
  options: DiffOptions,
  limits: DiffLimits,
  tally: DiffTally,
): Promise<TableResult[]> {
  const plans = new Map(
    options.tables.map((name) => {
      const key = tableKey(name);
      return [key, planComparison(shapeOf(sides.home, key), shapeOf(sides.other, key))] as const;
    }),
  );
  await tally.estimate(sides.home.observer);
  tally.step("comparing");
  const results = new Map<string, TableResult>();
  const waiting = [...options.tables];
  const work = async (lane: number): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const plan = plans.get(tableKey(name));
      if (plan !== undefined) results.set(tableKey(name), await compareOne(plan, lane, sides, options, limits, tally));
    }
  };
  await Promise.all(sides.home.readers.map((_, lane) => work(lane)));
  return options.tables.flatMap((name) => results.get(tableKey(name)) ?? []);
}

async function compareOne(
  plan: ComparisonPlan,
  lane: number,
  sides: Sides,
  options: DiffOptions,
  limits: DiffLimits,
  tally: DiffTally,
): Promise<TableResult> {
  const table = tableKey(plan.table);
  for (let order: RowOrder = plan.order; ; order = "bytes") {
    const log = new DifferenceLog(plan, options.direction, limits.samplesMax);
    const [home, other] = [openRows(plan, order, sides.home, lane), openRows(plan, order, sides.other, lane)];
    await Promise.all([
      home.begun.then(() => requireUnchanged(sides.home, plan.table)),
      other.begun.then(() => requireUnchanged(sides.other, plan.table)),
    ]);
    const onRows = (rows: number): void => tally.compared(table, rows, log.count);
    const outcome = await compareTable({ ...limits, plan, order, home, other, listener: log, onRows });
    if (outcome.end === "complete") {
      tally.finished(table, home.cursor.rowsPassed, log);
      const bytes = home.cursor.bytesPassed + other.cursor.bytesPassed;
      return { table, rows: outcome.keys, bytes, differences: log.count };
    }
    options.log.warn({ migration: options.migration, table }, "too many rows without partner: comparing by bytes");
    await Promise.all([home.drain(), other.drain()]);
  }
}

function openRows(plan: ComparisonPlan, order: RowOrder, side: Side, lane: number): StreamedRows {
  return new StreamedRows(side.readers[lane] as Connection, plan.select(order));
}

function shapeOf(side: Side, key: string): NonNullable<ReturnType<Side["shapes"]["get"]>> {
  const shape = side.shapes.get(key);
  if (shape === undefined)
    throw new SwitchyardError("INTERNAL_INVARIANT", { what: `the shape of ${key} was not read` });
  return shape;
}

/**
 * The definition is read again now that the table is open and nobody can change it: a column that was renamed since
 * the snapshot would be read under its new name without any error.
 */
async function requireUnchanged(side: Side, name: TableName): Promise<void> {
  const now = await readTableShape(side.observer, name);
  if (JSON.stringify(now) === JSON.stringify(side.shapes.get(tableKey(name)))) return;
  throw tableChanged(tableKey(name), side.observer.endpoint.name);
}

function tableChanged(table: string, server: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError("DIFF_TABLE_CHANGED", {
    what: `the definition of ${table} on server "${server}" changed while both sides were being compared`,
    changed: "Nothing was changed; the report is not made.",
    fix: "Start the diff again.",
    cause,
  });
}

function explained(error: unknown, options: DiffOptions): unknown {
  if (options.signal.aborted) {
    return new SwitchyardError("CANCELLED", {
      what: `the diff of migration "${options.migration}" was stopped`,
      cause: error,
    });
  }
  if (isMysqlError(error, ERRNO.TABLE_DEFINITION_CHANGED)) return tableChanged("a table", messageOf(error), error);
  return error;
}
