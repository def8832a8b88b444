import { SwitchyardError } from "../base/errors.ts";
import { Mutex } from "../base/mutex.ts";
import { fullPace, type PacedWork } from "../base/pace.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import { ANSWER_QUIET_MS } from "../mysql/answer-watch.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { SourceReplica } from "../mysql/source-replica.ts";
import { mappingOf } from "../table/table-mapping.ts";
import { compareOpenTable } from "./compare-open-table.ts";
import { planMapped } from "./comparison-plan.ts";
import {
  DEFAULT_DIFF_LIMITS,
  type DiffLimits,
  type DiffOptions,
  diffAttributes,
  type ReadingOptions,
} from "./diff-options.ts";
import type { DiffReport, SchemaDifference, TableResult } from "./diff-report.ts";
import { DiffTally } from "./diff-tally.ts";
import { openTable } from "./open-table.ts";
import { schemaDifferences } from "./schema-differences.ts";

/** More than these say no more. */
const SCHEMA_DIFFERENCES_MAX = 200;

/** What stands beside the read views: sessions that see definitions as they are now, and how fast rows may be read. */
export interface Observers {
  readonly home: Connection;
  readonly other: Connection;
  readonly pace: PacedWork;
}

/**
 * Compares every byte of the tables on both servers while clients write and the stream goes on; each table as of one
 * moment, at which both sides hold the same transactions.
 *
 * A difference that is reported is therefore one. Nothing is written anywhere. Resolves with the report whether there
 * are differences or not. However it ends, the stream goes on.
 *
 * @throws {SwitchyardError} `CANCELLED`, `DIFF_TABLE_CHANGED`, `DIFF_TABLES_UNLIKE`, what the
 *   stream's port throws, and the codes of connections and of locked snapshots.
 */
export async function runDiff(given: DiffOptions): Promise<DiffReport> {
  const options: DiffOptions = { ...given, home: given.readHomeFrom ?? given.home };
  const limits = { ...DEFAULT_DIFF_LIMITS, ...options.limits };
  const startedAt = options.clock.now().toISOString();
  const tally = new DiffTally(options, limits.progressIntervalMs);
  tally.step("waiting for the stream");
  const opened: Connection[] = [];
  const pace = (options.pace ?? fullPace).open();
  try {
    const observers = {
      home: await connectObserver(options.home, options, opened),
      other: await connectObserver(options.other, options, opened),
      pace,
    };
    const replica = await readReplica(given, observers.home, opened);
    await requireComparable(options, observers);
    const schema = await compareSchemas(options, observers);
    await tally.estimate(observers.home);
    const results = await compareAll(
      { ...options, ...(replica === undefined ? {} : { replica, homeUuid: observers.home.serverUuid }) },
      limits,
      observers,
      tally,
    );
    return {
      // Tables are opened in order, so what the first holds, all others hold as well.
      verifiedAt: results[0]?.verifiedAt ?? "",
      startedAt,
      finishedAt: options.clock.now().toISOString(),
      tables: results,
      rows: results.reduce((sum, result) => sum + result.rows, 0),
      differences: results.reduce((sum, result) => sum + result.differences, 0),
      schema,
      samples: tally.samples(limits.samplesMax),
    };
  } catch (error) {
    if (!options.signal.aborted) throw error;
    throw new SwitchyardError("CANCELLED", {
      what: `the diff of migration "${options.migration}" was stopped`,
      cause: error,
    });
  } finally {
    pace.close();
    await Promise.all(opened.map((connection) => connection.close()));
  }
}

async function connectObserver(endpoint: Endpoint, options: DiffOptions, opened: Connection[]): Promise<Connection> {
  const wishes = { attributes: diffAttributes(options), signal: options.signal, answerQuietMs: ANSWER_QUIET_MS };
  const observer = await Connection.connect(endpoint, wishes);
  opened.push(observer);
  await observer.query("SET SESSION wait_timeout = 86400");
  return observer;
}

/** The replica that is read from, once it is known to be fit; nothing where the home itself is read. */
async function readReplica(
  given: DiffOptions,
  session: Connection,
  opened: Connection[],
): Promise<SourceReplica | undefined> {
  if (given.readHomeFrom === undefined) return undefined;
  const source = await connectObserver(given.home, given, opened);
  const replica = new SourceReplica({ replica: session, source, clock: given.clock, signal: given.signal });
  await replica.check();
  return replica;
}

/** Finds out before any table is locked whether all of them can be compared at all. */
async function requireComparable(options: DiffOptions, observers: Observers): Promise<void> {
  for (const name of options.tables) {
    const shapes = [readTableShape(observers.home, name), readTableShape(observers.other, name)] as const;
    planMapped(options, ...(await Promise.all(shapes)));
  }
}

async function compareSchemas(options: DiffOptions, { home, other }: Observers): Promise<SchemaDifference[]> {
  const [source, target] = options.direction === "forward" ? [home, other] : [other, home];
  const found: SchemaDifference[] = [];
  for (const name of options.tables)
    found.push(...(await schemaDifferences(name, source, target, mappingOf(options.mappings, name))));
  return found.slice(0, SCHEMA_DIFFERENCES_MAX);
}

/** Compares the tables, several at a time; the first that fails ends the others. */
async function compareAll(
  options: ReadingOptions,
  limits: DiffLimits,
  observers: Observers,
  tally: DiffTally,
): Promise<TableResult[]> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const opening = new Mutex();
  const results: TableResult[] = [];
  const waiting = [...options.tables];
  const compareNext = async (name: TableName): Promise<void> => {
    await observers.pace.whenMayOpen(signal);
    const table = await opening.run(() => openTable({ ...options, signal }, limits, name, observers.other));
    options.log.info({ table: tableKey(name), position: table.position }, "comparing both sides");
    tally.step("comparing");
    try {
      results.push(await compareOpenTable(table, { ...options, signal }, limits, observers, tally));
    } finally {
      await table.close();
    }
  };
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    try {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await compareNext(name);
    } catch (error) {
      failures.push(error);
      stop.abort();
    }
  };
  await Promise.all(Array.from({ length: Math.min(limits.tablesAtOnce, options.tables.length) }, work));
  // What failed first is what is told; the others only failed because of it.
  if (failures.length > 0) throw failures[0];
  const order = new Map(options.tables.map((name, index) => [tableKey(name), index]));
  return results.sort((a, b) => (order.get(a.table) ?? 0) - (order.get(b.table) ?? 0));
}
