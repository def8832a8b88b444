import { SwitchyardError } from "../base/errors.ts";
import { Mutex } from "../base/mutex.ts";
import { fullPace, type PacedWork } from "../base/pace.ts";
import { tableKey } from "../base/table-name.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { ANSWER_QUIET_MS } from "../mysql/answer-watch.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { SourceReplica } from "../mysql/source-replica.ts";
import { mappingOf } from "../table/table-mapping.ts";
import { compareOpenTable } from "./compare-open-table.ts";
import { planMapped } from "./comparison-plan.ts";
import type { KeptTable } from "./diff-keeper.ts";
import {
  DEFAULT_DIFF_LIMITS,
  type DiffLimits,
  type DiffOptions,
  diffAttributes,
  type ReadingOptions,
} from "./diff-options.ts";
import type { DiffPauses, DiffReport, SchemaDifference, TableResult } from "./diff-report.ts";
import { DiffTally } from "./diff-tally.ts";
import { marked, orEndSessions } from "./left-sessions.ts";
import { openTable } from "./open-table.ts";
import { restWhileStanding } from "./rest-while-standing.ts";
import { schemaDifferences } from "./schema-differences.ts";
import { TableRun } from "./table-run.ts";

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
 * are differences or not. However it ends, the stream goes on, and no session of it is left on a server that can be reached.
 *
 * @throws {SwitchyardError} `CANCELLED`, `DIFF_TABLE_CHANGED`, `DIFF_TABLES_UNLIKE`, what the
 *   stream's port throws, and the codes of connections and of locked snapshots.
 */
export async function runDiff(given: DiffOptions): Promise<DiffReport> {
  const options = marked(given);
  return await orEndSessions(options, () => compareBoth(options));
}

async function compareBoth(given: DiffOptions): Promise<DiffReport> {
  const pauses: number[] = [];
  const { pace, stands, goesOn } = restWhileStanding((given.pace ?? fullPace).open(), given.clock);
  const options: DiffOptions = {
    ...given,
    home: given.readHomeFrom ?? given.home,
    onPause: (pausedMs) => {
      goesOn(pausedMs);
      pauses.push(pausedMs);
      given.onPause?.(pausedMs);
    },
    onStand: stands,
  };
  const limits = { ...DEFAULT_DIFF_LIMITS, ...options.limits };
  const startedAt = options.clock.now().toISOString();
  const tally = new DiffTally(options, limits);
  tally.step("waiting for the stream");
  const opened: Connection[] = [];
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
    const { results, counters } = await compareAll(
      { ...options, ...(replica === undefined ? {} : { replica, homeUuid: observers.home.serverUuid }) },
      limits,
      observers,
      tally,
    );
    // One that is told to stop has stopped, though nothing was left to be read.
    options.signal.throwIfAborted();
    return reportOf(results, { startedAt, schema: [...schema, ...counters], options, tally, pauses });
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

function reportOf(
  results: readonly TableResult[],
  of: {
    readonly startedAt: string;
    readonly schema: readonly SchemaDifference[];
    readonly options: DiffOptions;
    readonly tally: DiffTally;
    readonly pauses: readonly number[];
  },
): DiffReport {
  const { startedAt, schema, options, tally, pauses } = of;
  const sets = results.map(({ verifiedAt }) => GtidSet.parse(verifiedAt));
  const files = options.files?.written;
  const others = results.map(({ otherAt }) => (otherAt === undefined ? undefined : GtidSet.parse(otherAt)));
  const otherAt = others.reduce((all, one) => (one === undefined ? undefined : all?.intersect(one)), others[0]);
  const paused = summarize(pauses);
  return {
    ...(options.fast === true ? { fast: true } : {}),
    verifiedAt: sets.reduce((all, one) => all.intersect(one), sets[0] ?? GtidSet.empty).toString(),
    verifiedTime: results.map(({ verifiedTime }) => verifiedTime).sort()[0] ?? startedAt,
    ...(otherAt === undefined ? {} : { otherAt: otherAt.toString() }),
    ...(paused === undefined ? {} : { pauses: paused }),
    startedAt,
    finishedAt: options.clock.now().toISOString(),
    tables: results,
    rows: results.reduce((sum, result) => sum + result.rows, 0),
    differences: results.reduce((sum, result) => sum + result.differences, 0),
    schema,
    samples: tally.samples(),
    ...(files === undefined ? {} : { files }),
  };
}

function summarize(pauses: readonly number[]): DiffPauses | undefined {
  if (pauses.length === 0) return undefined;
  const sorted = [...pauses].sort((one, other) => one - other);
  const at = (share: number): number => Math.round((sorted[Math.ceil(sorted.length * share) - 1] ?? 0) * 10) / 10;
  return { count: pauses.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

async function connectObserver(endpoint: Endpoint, options: DiffOptions, opened: Connection[]): Promise<Connection> {
  const wishes = { attributes: diffAttributes(options), signal: options.signal, answerQuietMs: ANSWER_QUIET_MS };
  const observer = await Connection.connect(endpoint, wishes);
  opened.push(observer);
  // What is told of counters is what they are, not what they were a day ago.
  await observer.query("SET SESSION wait_timeout = 86400, information_schema_stats_expiry = 0");
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
  found.push(...((await options.objects?.()) ?? []));
  return found.slice(0, SCHEMA_DIFFERENCES_MAX);
}

/** Compares the tables, several at a time; the first that fails ends the others. */
async function compareAll(
  options: ReadingOptions,
  limits: DiffLimits,
  observers: Observers,
  tally: DiffTally,
): Promise<{ readonly results: readonly TableResult[]; readonly counters: readonly SchemaDifference[] }> {
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const opening = new Mutex();
  const runs = await takenUp(options, observers, tally);
  const waiting = runs.filter((run) => !run.done);
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    try {
      for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
        await compareRun(run, { ...options, signal }, limits, observers, tally, opening);
      }
    } catch (error) {
      failures.push(error);
      stop.abort();
    }
  };
  await Promise.all(Array.from({ length: Math.min(limits.tablesAtOnce, options.tables.length) }, work));
  // What failed first is what is told; the others only failed because of it.
  if (failures.length > 0) throw failures[0];
  return { results: runs.map((run) => run.result), counters: runs.flatMap(({ counters = [] }) => counters) };
}

/** The tables, with what earlier processes have compared of them. */
async function takenUp(
  options: DiffOptions,
  { home, other }: Observers,
  tally: DiffTally,
): Promise<readonly TableRun[]> {
  const kept = (await options.keeper?.load()) ?? new Map<string, KeptTable>();
  const runs: TableRun[] = [];
  for (const name of options.tables) {
    const run = new TableRun(name, options);
    const state = kept.get(tableKey(name));
    if (state !== undefined && run.adopt(state)) tally.before(tableKey(name), state);
    else if (state !== undefined) await run.forget();
    // One that is not done is looked at again when it is open.
    if (run.done) {
      const shapes = await Promise.all([readTableShape(home, name), readTableShape(other, name)]);
      if (!run.isOf(...shapes)) await beginAnew(run, options, tally);
    }
    runs.push(run);
  }
  return runs;
}

async function beginAnew(run: TableRun, { log }: DiffOptions, tally: DiffTally): Promise<void> {
  const table = tableKey(run.name);
  log.warn({ table }, "the definition is another than that of the rows compared so far: beginning anew");
  await run.forget();
  tally.anew(table);
}

/** Compares what is left of a table, one pair of snapshots after the other. */
async function compareRun(
  run: TableRun,
  options: ReadingOptions,
  limits: DiffLimits,
  observers: Observers,
  tally: DiffTally,
  opening: Mutex,
): Promise<void> {
  const name = tableKey(run.name);
  for (let outcome = "cut"; outcome === "cut"; ) {
    await observers.pace.whenMayOpen(options.signal);
    const table = await opening.run(() => openTable(options, limits, run.name, observers.other));
    options.log.info({ table: name, position: table.position, rowsBefore: run.rows }, "comparing both sides");
    tally.step("comparing");
    try {
      if (!run.isOf(table.home.shape, table.other.shape)) await beginAnew(run, options, tally);
      outcome = await compareOpenTable({ table, run, options, limits, observers, tally });
    } finally {
      // Rows of a table that was cut are still on their way.
      if (outcome === "cut") table.cut();
      else await table.close();
    }
  }
}
