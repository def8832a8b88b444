import type { DiffSummary, Direction, MigrationDocument } from "../cutover/migration-document.ts";
import { newestDiff } from "../cutover/newest-diff.ts";
import type { DiffProgress } from "../diff/diff-report.ts";
import type { StreamStatus } from "../replication/stream-status.ts";
import { describeMapping } from "../table/table-mapping.ts";
import type { ThrottleStatus } from "../throttle/throttle.ts";
import { count, duration, facts, table } from "./format.ts";
import type { Progress } from "./progress.ts";
import { describeThrottle, describeTuning } from "./throttle-view.ts";

/** A migration as the admin API shows it; the history is a page of its own. */
export type ShownMigration = Omit<MigrationDocument, "history">;

/** Live progress, where a controller works on the migration. */
export interface ShownStatus {
  /** Of the direction that runs in this phase. */
  readonly stream?: StreamStatus & { readonly direction: Direction };
  /** What the controller is busy with, for example `switch`. */
  readonly busy?: string;
  /** What keeps it from settling what an attempt has left. */
  readonly unsettled?: string;
  /** Present while a diff runs. */
  readonly diff?: DiffProgress;
  readonly strays?: { readonly server: string; readonly total: number };
  /** Present while a clean diff is kept fresh. */
  readonly freshness?: ShownFreshness;
  /** Present while rows are copied or compared. */
  readonly throttle?: ThrottleStatus;
  /** Of a paused stream. */
  readonly paused?: {
    readonly lagMs?: number;
    readonly runwayMs?: number;
    readonly unsure?: string;
    readonly problem?: string;
  };
}

/** How far rows that were changed since a clean diff have been compared again. */
export interface ShownFreshness {
  readonly keysPending: number;
  readonly keysRefreshed: number;
  readonly problem?: string;
}

/** A migration in the list of all, with the controller that runs it. */
export type ListedMigration = ShownMigration & { readonly status?: ShownStatus; readonly controller?: string };

/** The pages of a migration, as text. */
export function describeMigration(
  migration: ShownMigration,
  status: ShownStatus | undefined,
  controller?: string,
): string {
  const lines: (readonly [string, string | undefined])[] = [
    ["migration", migration.id],
    ["phase", migration.phase],
    ["from", migration.source],
    ["to", migration.target],
    ["tables", migration.tables.join(", ")],
    ...Object.entries(migration.mappings ?? {}).map(
      ([table, mapping]) => ["mapping", `${table}: ${describeMapping(mapping)}`] as const,
    ),
    ["on DDL", migration.onDdl],
  ];
  if (controller !== undefined) lines.push(["controller", controller]);
  for (const direction of ["forward", "reverse"] as const) lines.push(...streamFacts(direction, migration, status));
  const stream = status?.stream;
  if (stream !== undefined && stream.rowsEstimated > 0) {
    const total = count(Math.max(stream.rowsEstimated, stream.rowsCopied));
    lines.push(["copied", `${count(stream.rowsCopied)} of about ${total} rows`]);
  }
  for (const { table: name, beginnings } of stream?.tables ?? []) {
    if (beginnings !== undefined)
      lines.push(["  begun", `${name} for the ${beginnings}. time: it is copied whole or not at all`]);
  }
  if (status?.throttle !== undefined) lines.push(["speed", describeThrottle(status.throttle)]);
  if (migration.tuning !== undefined) lines.push(["tuned", describeTuning(migration.tuning)]);
  if (status?.diff !== undefined) lines.push(["comparing", describeDiffProgress(status.diff)]);
  for (const diff of migration.diffs) {
    const found = diff.differences === 0 ? "clean" : `${count(diff.differences)} differences`;
    lines.push([
      "last diff",
      `${diff.direction}: ${found}, ${count(diff.rows)} rows, verified as of ${diff.verifiedTime ?? diff.finishedAt}`,
    ]);
  }
  lines.push(...freshnessFacts(migration.diffs, status?.freshness));
  const { attempt } = migration;
  if (attempt !== undefined) lines.push(["under way", `${attempt.kind} by ${attempt.who} since ${attempt.startedAt}`]);
  if (status?.busy !== undefined) lines.push(["busy", status.busy]);
  if (status?.unsettled !== undefined) lines.push(["not settled", status.unsettled.split("\n")[0]]);
  const { strays } = status ?? {};
  if (strays !== undefined)
    lines.push(["conflicts", `${count(strays.total)} writes on ${strays.server} that are not ours`]);
  if (status === undefined && isOpen(migration)) lines.push(["note", "no controller works on it at the moment"]);
  return facts(lines);
}

/** As of when both sides are known to be equal, and what is known to have changed since. */
export function freshnessFacts(
  diffs: readonly DiffSummary[],
  freshness: ShownFreshness | undefined,
): (readonly [string, string])[] {
  const newest = newestDiff(diffs);
  if (newest?.differences !== 0) return [];
  const pending = freshness === undefined ? "" : `, ${count(freshness.keysPending)} keys pending`;
  const at = `as of ${newest.verifiedAt} (${newest.verifiedTime ?? newest.finishedAt})${pending}`;
  const behind = Object.entries(newest.refreshed?.behind ?? {});
  return [
    ["verified", at],
    ...behind.map(
      ([name, since]) =>
        ["  behind", `${name} has no key and was changed: as of ${since}, until it is compared whole`] as const,
    ),
    ...(newest.notRefreshed === undefined ? [] : [["  not again", newest.notRefreshed] as const]),
    ...(freshness?.problem === undefined ? [] : [["  problem", freshness.problem] as const]),
  ];
}

function streamFacts(
  direction: Direction,
  migration: ShownMigration,
  status: ShownStatus | undefined,
): (readonly [string, string])[] {
  const state = migration.streams[direction];
  const live = status?.stream?.direction === direction ? status.stream : undefined;
  if (live === undefined && state.error === undefined && state.paused === undefined) return [];
  const lines: (readonly [string, string])[] = [[direction, describeStream(live)]];
  if (live?.runwayMs !== undefined) {
    const needed = live.neededBytes === undefined ? "" : `, ${count(live.neededBytes)} bytes of it are needed`;
    lines.push(["  runway", `the source keeps its log for ${duration(Math.max(0, live.runwayMs))} more${needed}`]);
  }
  if (state.paused !== undefined) {
    lines.push(["  paused", `by ${state.paused.by}: ${state.paused.reason}`]);
    const late = describePause(status?.paused);
    if (late !== "") lines.push(["  late", late]);
  }
  if (live?.retrying !== undefined) lines.push(["  retrying", live.retrying]);
  if (live?.waiting !== undefined) lines.push(["  waiting", live.waiting]);
  const error = state.error ?? live?.error;
  if (error !== undefined) lines.push(["  error", error.replaceAll("\n", "\n             ")]);
  return lines;
}

function describePause({ lagMs, runwayMs, unsure, problem }: NonNullable<ShownStatus["paused"]> = {}): string {
  const parts: string[] = [];
  if (lagMs !== undefined) parts.push(`by ${duration(lagMs)} at most`);
  if (runwayMs !== undefined) {
    const left =
      runwayMs > 0
        ? `keeps the log it needs for ${duration(runwayMs)} more at least`
        : "may have purged the log it needs";
    parts.push(`the server ${left}`);
  }
  if (unsure !== undefined) parts.push(`it may purge the log it needs at any time: ${unsure}`);
  if (problem !== undefined) parts.push(`the server cannot be asked: ${problem.split("\n")[0]}`);
  return parts.join("; ");
}

/** One line for each migration. */
export function describeMigrations(list: readonly ListedMigration[]): string {
  if (list.length === 0) return "There is no migration yet.";
  const rows = list.map(({ status, controller = "", ...migration }) => {
    const live = status?.stream;
    const lag = live === undefined ? "" : duration(live.lagMs);
    const { forward, reverse } = migration.streams;
    const failed = forward.error !== undefined || reverse.error !== undefined;
    const paused = forward.paused !== undefined || reverse.paused !== undefined;
    const note = failed ? "stopped, see status" : paused ? "paused" : "";
    const move = `${migration.source} → ${migration.target}`;
    return [migration.id, migration.phase, move, `${migration.tables.length}`, lag, controller, note];
  });
  return table([["MIGRATION", "PHASE", "MOVE", "TABLES", "LAG", "CONTROLLER", ""], ...rows]);
}

/** What a migration is busy with, for a bar. */
export function migrationProgress(migration: ShownMigration, status: ShownStatus | undefined): Progress {
  const stream = status?.stream;
  // Until the first catch-up no lag is known; infinity does not survive JSON and arrives as null.
  const lag = Number.isFinite(stream?.lagMs) ? `lag ${duration(stream?.lagMs ?? 0)}` : "";
  if (migration.phase === "copying" || migration.phase === "created") {
    const total = stream?.rowsEstimated ?? 0;
    return { label: migration.phase, done: stream?.rowsCopied ?? 0, total, unit: "rows", note: lag };
  }
  return { label: migration.phase, done: stream?.appliedTransactions ?? 0, total: 0, unit: "transactions", note: lag };
}

/** How far a running diff is, in words: `12,000 of about 50,000 rows compared, 9,000/s, 4.2 s left`. */
export function describeDiffProgress(diff: Partial<DiffProgress>): string {
  const { rowsCompared = 0, rowsEstimated = 0, rowsPerSecond = 0, leftMs, differences = 0 } = diff;
  const parts = [`${count(rowsCompared)} of about ${count(Math.max(rowsEstimated, rowsCompared))} rows compared`];
  if (rowsPerSecond > 0) parts.push(`${count(rowsPerSecond)}/s`);
  if (leftMs !== undefined) parts.push(`${duration(leftMs)} left`);
  if (differences > 0) parts.push(`${count(differences)} differences`);
  return parts.join(", ");
}

/** How far a running diff is, for a bar. */
export function diffProgress(diff: DiffProgress | undefined): Progress {
  const note = (diff?.differences ?? 0) > 0 ? `${count(diff?.differences ?? 0)} differences` : "";
  return {
    label: diff?.step ?? "comparing",
    done: diff?.rowsCompared ?? 0,
    total: diff?.rowsEstimated ?? 0,
    unit: "rows",
    note,
  };
}

/** Whether nothing more will happen to it by itself. */
export function isOpen({ phase }: ShownMigration): boolean {
  return phase !== "completed" && phase !== "cancelled";
}

function describeStream(live: StreamStatus | undefined): string {
  if (live === undefined) return "not running";
  const parts = [live.state, `lag ${duration(live.lagMs)}`, `${count(live.appliedTransactions)} transactions applied`];
  if (live.drift > 0) parts.push(`drift ${count(live.drift)}`);
  if (live.ddl > 0) parts.push(`${count(live.ddl)} DDL statements seen`);
  return parts.join(", ");
}
