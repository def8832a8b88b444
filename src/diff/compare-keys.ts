import { assert } from "../base/assert.ts";
import { fullPace, type PaceWorker } from "../base/pace.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { connectReaders } from "../mysql/snapshot-readers.ts";
import { type ComparisonPlan, planMapped } from "./comparison-plan.ts";
import { DEFAULT_DIFF_LIMITS, type DiffLimits, type DiffOptions, diffAttributes } from "./diff-options.ts";
import type { DifferenceSample } from "./diff-report.ts";
import { DifferenceLog } from "./difference-log.ts";
import { openTable, READER_SESSION } from "./open-table.ts";
import { StreamedRows } from "./row-source.ts";
import { compareTable } from "./table-comparison.ts";

/** Conditions that find the rows of one key, on either side. */
export interface KeyConditions {
  readonly home: string;
  readonly other: string;
}

/** Sessions that see both sides as they are at each statement. */
export interface BothSides {
  readonly home: Connection;
  readonly other: Connection;
}

/** What keys that are not equal have come to. */
export interface KeysFound {
  readonly differences: number;
  readonly keys: readonly (readonly Buffer[])[];
  readonly complete: boolean;
  readonly samples: readonly DifferenceSample[];
}

/** Keys of one statement. */
const KEYS_AT_ONCE = 200;
const CONDITION_BYTES_AT_ONCE = 128 * 1024;
const NOTHING: KeysFound = { differences: 0, keys: [], complete: true, samples: [] };

/** A session for {@link BothSides}; it ends with the diff's signal. */
export async function connectSide(endpoint: Endpoint, options: DiffOptions): Promise<Connection> {
  const { signal } = options;
  const [connection] = await connectReaders(endpoint, 1, { attributes: diffAttributes(options), signal });
  assert(connection !== undefined, "as many connections come up as were asked for");
  signal.addEventListener("abort", () => connection.destroy(), { once: true });
  if (signal.aborted) connection.destroy();
  await connection.query("SET NAMES utf8mb4");
  await connection.query(`${READER_SESSION}, autocommit = 1`);
  return connection;
}

/**
 * Compares the rows of some keys of a table that has one. First as both sides are, with nothing held up: a row that is
 * equal then is equal, or has been changed since, which the logs say. What is not equal for a while may be on its way, or
 * is written all the time: only that is compared as of one moment, as a table is, for which the stream stands.
 *
 * @throws {SwitchyardError} as `runDiff`
 */
export async function compareKeys(
  options: DiffOptions,
  sides: BothSides,
  table: TableName,
  keys: readonly KeyConditions[],
): Promise<KeysFound> {
  const limits = { ...DEFAULT_DIFF_LIMITS, ...options.limits };
  const pace = (options.pace ?? fullPace).open();
  try {
    const worker = pace.worker(options.signal);
    const shapes = [readTableShape(sides.home, table), readTableShape(sides.other, table)] as const;
    const plan = planMapped(options, ...(await Promise.all(shapes)));
    let waiting = keys;
    for (const afterMs of [0, limits.lookAgainMs, limits.lookAgainMs * 3]) {
      if (afterMs > 0) await options.clock.sleep(afterMs, options.signal);
      const log = new DifferenceLog(plan, options.direction, { samplesMax: 0, keysBytesMax: Number.POSITIVE_INFINITY });
      await compareWhere(plan, sides, waiting, log, limits, worker);
      waiting = log.differences.keys.map((key) => conditionsOf(plan, key));
      if (waiting.length === 0) return NOTHING;
    }
    await pace.whenMayOpen(options.signal);
    return await compareAtOneMoment(options, limits, sides, table, waiting, worker);
  } finally {
    pace.close();
  }
}

async function compareAtOneMoment(
  options: DiffOptions,
  limits: DiffLimits,
  sides: BothSides,
  table: TableName,
  keys: readonly KeyConditions[],
  worker: PaceWorker,
): Promise<KeysFound> {
  const open = await openTable(options, limits, table, sides.other);
  try {
    const plan = planMapped(options, open.home.shape, open.other.shape);
    const log = new DifferenceLog(plan, options.direction, limits, options.files?.goOn(tableKey(table)));
    try {
      await compareWhere(plan, { home: open.home.reader, other: open.other.reader }, keys, log, limits, worker);
    } finally {
      log.close();
    }
    const { keys: found, complete } = log.differences;
    return { differences: log.count, keys: found, complete, samples: log.samples };
  } finally {
    await open.close();
  }
}

async function compareWhere(
  plan: ComparisonPlan,
  { home, other }: BothSides,
  keys: readonly KeyConditions[],
  listener: DifferenceLog,
  limits: DiffLimits,
  worker: PaceWorker,
): Promise<void> {
  for (let at = 0; at < keys.length; ) {
    const some: KeyConditions[] = [];
    for (let bytes = 0; at < keys.length && some.length < KEYS_AT_ONCE && bytes < CONDITION_BYTES_AT_ONCE; at += 1) {
      const key = keys[at] as KeyConditions;
      some.push(key);
      bytes += key.home.length + key.other.length;
    }
    const rows = {
      home: new StreamedRows(home, plan.home.selectWhere(some.map((key) => key.home))),
      other: new StreamedRows(other, plan.other.selectWhere(some.map((key) => key.other))),
    };
    await Promise.all([rows.home.begun, rows.other.begun]);
    await compareTable({ ...limits, plan, order: "bytes", ...rows, listener });
    await worker.rest();
  }
}

function conditionsOf(plan: ComparisonPlan, key: readonly Buffer[]): KeyConditions {
  return { home: plan.home.condition(key), other: plan.other.condition(key) };
}
