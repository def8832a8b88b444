import { messageOf, SwitchyardError } from "../base/errors.ts";
import { parseTableKey } from "../base/table-name.ts";
import type { DiffRun, DiffSummary, Direction, MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import type { DiffOptions } from "../diff/diff-options.ts";
import type { DiffReport } from "../diff/diff-report.ts";
import { DifferenceFiles } from "../diff/difference-files.ts";
import { runDiff } from "../diff/run-diff.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import { Connection } from "../mysql/connection.ts";
import { objectDifferences } from "../preflight/object-differences.ts";
import { serverUuid } from "../replication/server-identity.ts";
import { DIFFS_PREFIX } from "../rules/store-keys.ts";
import { directionAtRest } from "./active-direction.ts";
import { whileComparing } from "./comparing.ts";
import { endpointOf } from "./controller-context.ts";
import {
  differencesDirectory,
  earlierRun,
  isFast,
  newRun,
  nothingToResume,
  runOf,
  type WantedDiff,
  withoutRun,
  withRun,
} from "./diff-run.ts";
import { diffsAfter, surprised } from "./diff-verdict.ts";
import { refreshedBy } from "./freshness.ts";
import { KeptDiff } from "./kept-diff.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { replicaOf } from "./read-from.ts";
import type { StreamKeeper, Surprises } from "./stream-keeper.ts";

/** The store takes documents of up to 1 MiB. */
const SAMPLES_BYTES_MAX = 512 * 1024;

const NOT_REFRESHED =
  "a prepared XA transaction may have held rows of a table when it was compared, or an earlier version had begun the diff";

/** A stream is waited for this often: about a minute. */
const CLAIM_LOOKS_MAX = 1200;
const CLAIM_LOOK_MS = 50;

type Report = Readonly<Record<string, unknown>>;
/** Set where the home's rows were read from a replica, and where a diff that finds nothing does not open the gate of a switch. */
type Read = { readonly readFrom?: string; readonly proves?: boolean };

/**
 * Compares every byte of both sides while traffic runs, keeps the report in the store, and enters the outcome into
 * the journal, where the gate of a switch looks for it. The report is the result of the order as well.
 */
export async function orderDiff(
  runner: MigrationRunner,
  order: OrderDocument,
  step: (text: string) => void,
): Promise<Report> {
  const direction = requireRunning(runner);
  return await whileComparing(runner, "diff", async (signal) => {
    await untilClaimed(runner, direction, signal);
    // What somebody has written past the streams by now is compared; found later, it would take this diff's proof away.
    await runner.lookForStrays();
    const before = runner.keepers[direction].surprises();
    const readFrom = replicaFor(runner.document, direction, order);
    const replica = replicaOf(runner.context, readFrom);
    const base = diffOptions(runner, direction, signal);
    const fast = isFast(runner.document, order);
    const options = { ...base, ...(replica === undefined ? {} : { readHomeFrom: replica }), fast };
    const { run, kept, files } = await beginOrResume(runner, order, { direction, readFrom, fast }, options, step);
    try {
      step(
        `compare ${options.tables.length} tables of ${options.home.name}${readFrom === undefined ? "" : `, read from ${readFrom},`} and ${options.other.name}`,
      );
      const report = withFewerSamples(await runDiff({ ...options, keeper: kept, files }));
      await kept.finish();
      // Sums that the servers compute find what is different, and are not the proof by which tables move.
      const proves = report.differences > 0 || (!fast && (await provesHome(runner.document, readFrom, uuidAt(runner))));
      const read = { ...(readFrom === undefined ? {} : { readFrom }), ...(proves ? {} : { proves }) };
      await keep(runner, { direction, order, read, run }, report, before);
      return { direction, ...read, ...report };
    } finally {
      await kept.close();
    }
  });
}

/** What the diff of an order keeps and finds, from the beginning, or behind what has been kept of it before. */
async function beginOrResume(
  runner: MigrationRunner,
  order: OrderDocument,
  wanted: WantedDiff,
  { other, clock, signal }: DiffOptions,
  step: (text: string) => void,
): Promise<{ readonly run: DiffRun; readonly kept: KeptDiff; readonly files: DifferenceFiles }> {
  const { id: migration, document, context } = runner;
  const { direction } = wanted;
  const earlier = earlierRun(document, order, wanted);
  if (earlier === undefined && order.options["resume"] === true && runOf(document)?.id !== order.id) {
    throw nothingToResume(migration);
  }
  const run = earlier ?? newRun(document, order, wanted);
  const epoch = (): bigint => epochOf(runner.keepers[direction]);
  const kept = await KeptDiff.open(other, { migration, direction, run: run.id, epoch, clock }, signal);
  try {
    const directory = differencesDirectory(context.dataDirectory, migration);
    const files = new DifferenceFiles(directory, run.id, context.limits.diffFileBytesMax);
    if (earlier === undefined) {
      files.clear();
      // Before the journal names the diff: what is left of another is never taken for its own.
      await kept.begin();
      await runner.update((now) => withRun(now, run, wanted));
    } else step("go on behind what has been compared before");
    return { run, kept, files };
  } catch (error) {
    await kept.close();
    throw error;
  }
}

/** How both sides of a direction are compared. */
export function diffOptions(runner: MigrationRunner, direction: Direction, signal: AbortSignal): DiffOptions {
  const { context, document, id } = runner;
  const [home, other] =
    direction === "forward" ? [document.source, document.target] : [document.target, document.source];
  const homeUuid = direction === "forward" ? document.sourceUuid : document.targetUuid;
  const keeper = runner.keepers[direction];
  return {
    migration: id,
    direction,
    home: endpointOf(context, home),
    ...(homeUuid === "" ? {} : { homeUuid }),
    other: endpointOf(context, other),
    tables: document.tables.map(parseTableKey),
    ...(document.mappings === undefined ? {} : { mappings: document.mappings }),
    objects: () =>
      objectDifferences(
        { source: endpointOf(context, document.source), target: endpointOf(context, document.target) },
        document.tables.map(parseTableKey),
        direction === "forward" ? "source" : "target",
      ),
    stream: {
      closeIntake: () => openStream(keeper).closeIntake(),
      pauseIntake: () => openStream(keeper).pauseIntake(),
      stopAt: (position, options) => openStream(keeper).stopAt(GtidSet.parse(position), options),
      continue: () => keeper.stream?.continue(),
    },
    onProgress: (progress) => {
      if (runner.diff !== undefined) runner.diff.progress = { ...progress };
    },
    onPause: (pausedMs) => {
      context.metrics.histogram("diff_pause_seconds", { migration: id }).observe(pausedMs / 1000);
    },
    signal: AbortSignal.any([signal, context.signal]),
    log: context.log,
    clock: context.clock,
    failpoint: context.failpoint,
    pace: runner.throttle,
    limits: { sliceMaxMs: context.limits.diffSliceMaxSeconds * 1000 },
  };
}

/** A report that fits into one document of the store: samples of very wide rows are left out from the end. */
export function withFewerSamples(report: DiffReport): DiffReport {
  let bytes = 0;
  const samples = report.samples.filter((sample) => {
    bytes += Buffer.byteLength(JSON.stringify(sample));
    return bytes <= SAMPLES_BYTES_MAX;
  });
  return { ...report, samples };
}

/** Shows a report as that of the last diff. */
export async function storeReport(
  { id, context }: MigrationRunner,
  report: Report & Pick<DiffReport, "differences">,
): Promise<void> {
  context.metrics.gauge("diff_differences", { migration: id }).set(report.differences);
  const value = JSON.stringify({ format: 1, migration: id, ...report });
  await context.store.transact(context.leadership(), [{ put: DIFFS_PREFIX + id, value }]);
}

async function keep(
  runner: MigrationRunner,
  of: { readonly direction: Direction; readonly order: OrderDocument; readonly read: Read; readonly run: DiffRun },
  report: DiffReport,
  before: Surprises,
): Promise<void> {
  const { direction, order, read, run } = of;
  const { readFrom, proves = true } = read;
  const rowsRead = report.tables.reduce((sum, one) => sum + one.rows - (one.rowsBefore ?? 0), 0);
  runner.context.metrics.counter("diff_rows_total", { migration: runner.id }).add(rowsRead);
  await storeReport(runner, { direction, ...read, ...report });
  const { finishedAt, verifiedAt, verifiedTime, rows, differences } = report;
  const refreshed = refreshedBy(report, direction);
  const from = refreshed === undefined ? { notRefreshed: NOT_REFRESHED } : { refreshed };
  const summary: DiffSummary = {
    ...{ direction, finishedAt, verifiedAt, verifiedTime, rows, differences },
    ...(differences > 0 ? {} : from),
  };
  const surprises = () => runner.keepers[direction].surprises();
  const notes = [
    ...(readFrom === undefined ? [] : [`read from ${readFrom}`]),
    ...(report.fast === true ? ["by sums of ranges, which open no gate"] : []),
    ...(proves || report.fast === true
      ? []
      : ["rows were copied from there, or may have been: read the source before a switch"]),
    ...(surprised(before, surprises()) || runOf(runner.document)?.id !== run.id
      ? ["drift or DDL came meanwhile: run it again"]
      : []),
  ];
  const result = [`${rows} rows compared, ${differences} differences`, ...notes].join("; ");
  const { diffs } = await runner.record(
    { who: order.who, what: `diff of the ${direction} direction`, result },
    (document) => ({
      ...withoutRun(document),
      // Asked with each try to write: drift may withdraw it meanwhile, and takes the name of the diff out of the journal.
      diffs: proves
        ? diffsAfter(document.diffs, summary, before, surprises(), runOf(document)?.id !== run.id)
        : document.diffs,
    }),
  );
  const counts = diffs.some((one) => one.direction === direction && one.finishedAt === finishedAt);
  if (counts && differences === 0) runner.keepers[direction].markVerified(before);
}

/**
 * Whether a diff that found nothing says that the home is equal. What had gone wrong on a replica was copied from there, and is
 * equal on both sides that are compared. One server may have several names: they are told apart by their `server_uuid`, and
 * one that does not say it may be the same.
 *
 * @param uuidOf undefined where the backend cannot be asked
 */
export async function provesHome(
  { copiedFrom = [] }: Pick<MigrationDocument, "copiedFrom">,
  readFrom: string | undefined,
  uuidOf: (backend: string) => Promise<string | undefined>,
): Promise<boolean> {
  if (readFrom === undefined || copiedFrom.length === 0) return true;
  if (copiedFrom.includes(readFrom)) return false;
  const read = await uuidOf(readFrom);
  const copied = await Promise.all(copiedFrom.map(uuidOf));
  return read !== undefined && copied.every((uuid) => uuid !== undefined && uuid !== read);
}

function uuidAt({ context }: MigrationRunner): (backend: string) => Promise<string | undefined> {
  return async (backend) => {
    try {
      const connection = await Connection.connect(endpointOf(context, backend), { signal: context.signal });
      try {
        return await serverUuid(connection);
      } finally {
        await connection.close();
      }
    } catch (error) {
      context.log.warn(
        { backend, error: messageOf(error) },
        "a replica that was copied from, or read, cannot be asked",
      );
      return undefined;
    }
  };
}

/** The replica that a diff reads the home's rows from: as ordered, else as the migration was told for its copy. */
function replicaFor({ tuning }: MigrationDocument, direction: Direction, order: OrderDocument): string | undefined {
  const ordered = order.options["readFrom"];
  if (typeof ordered === "string") return ordered === "" ? undefined : ordered;
  return direction === "forward" ? tuning?.readFrom : undefined;
}

/** The direction that runs. @throws {SwitchyardError} `MIGRATION_PHASE_REFUSED` */
export function requireRunning(runner: MigrationRunner): Direction {
  const { phase } = runner.document;
  const direction = directionAtRest(runner.document);
  if (direction !== undefined && runner.keepers[direction].isOpen) return direction;
  throw new SwitchyardError("MIGRATION_PHASE_REFUSED", {
    what: `migration "${runner.id}" is ${phase}${direction === undefined ? "" : " and its stream is stopped"}; both sides can be compared only while a stream has caught up and runs`,
    changed: "Nothing was changed.",
    fix: "Wait until `switchyard migration status` says running, or resume its stream.",
  });
}

/**
 * Waits until the stream has claimed its ledger: a process that has just been started is asked before that, and what the
 * claim finds connected to the server is ended.
 *
 * @throws {SwitchyardError} `CANCELLED` when the stream has stopped, `TIMEOUT`
 */
export async function untilClaimed(runner: MigrationRunner, direction: Direction, signal: AbortSignal): Promise<void> {
  const { clock } = runner.context;
  for (let looks = 0; openStream(runner.keepers[direction]).epoch === undefined; looks += 1) {
    if (looks >= CLAIM_LOOKS_MAX) {
      throw new SwitchyardError("TIMEOUT", { what: `the stream of migration "${runner.id}" has not begun in time` });
    }
    await clock.sleep(CLAIM_LOOK_MS, signal);
  }
}

/** @throws {SwitchyardError} `CANCELLED` when the stream has stopped meanwhile */
export function openStream(keeper: StreamKeeper): NonNullable<StreamKeeper["stream"]> {
  const { stream } = keeper;
  if (stream !== undefined) return stream;
  throw new SwitchyardError("CANCELLED", { what: "the stream has stopped while both sides were being compared" });
}

/** What the stream has claimed its ledger under; 0 before it has. @throws {SwitchyardError} as {@link openStream} */
export function epochOf(keeper: StreamKeeper): bigint {
  return openStream(keeper).epoch ?? 0n;
}
