import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import { parseTableKey } from "../base/table-name.ts";
import type { DiffSummary, Direction, MigrationDocument } from "../cutover/migration-document.ts";
import type { KeptTable } from "../diff/diff-keeper.ts";
import type { DiffReport } from "../diff/diff-report.ts";
import { DifferenceFiles } from "../diff/difference-files.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import { directionAtRest } from "./active-direction.ts";
import { endpointOf } from "./controller-context.ts";
import { differencesDirectory, withoutDiffs, withoutRun } from "./diff-run.ts";
import { type FreshSummary, freshSummary, refreshedTo, replaced } from "./freshness.ts";
import { KeptDiff } from "./kept-diff.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { type RoundOutcome, refreshRound, type TableFound } from "./refresh-round.ts";
import { diffOptions, epochOf, storeReport, withFewerSamples } from "./run-diff.ts";

const HOUR_MS = 3_600_000;
/** A round that has failed is tried again after this, or after `diffRefreshSeconds` where that is less. */
const RETRY_MS = 15_000;
const WHO = "switchyard";

/** What people see of the rounds. */
export interface Freshness {
  /** Keys that were found changed and are not compared again yet. */
  readonly keysPending: number;
  /** Keys that have been compared again since this controller runs the migration. */
  readonly keysRefreshed: number;
  /** Why the last round did not end. */
  readonly problem?: string;
}

/**
 * Keeps a clean diff fresh: compares again, every `diffRefreshSeconds`, what has been changed since, and writes into the
 * journal as of when both sides are equal. What it has not ended is known again from the sets in there.
 */
export class Freshener {
  readonly #runner: MigrationRunner;
  #abort = new AbortController();
  #round: Promise<void> | undefined;
  #holds = 0;
  #closed = false;
  #dueMs = Number.NEGATIVE_INFINITY;
  /** The diff that the last round was about: one that has just ended does not wait. */
  #about: string | undefined;
  #pending = 0;
  #refreshed = 0;
  #problem: string | undefined;

  constructor(runner: MigrationRunner) {
    this.#runner = runner;
  }

  /** Undefined where there is nothing to be kept fresh. */
  get status(): Freshness | undefined {
    if (freshSummary(this.#runner.document) === undefined) return undefined;
    const problem = this.#problem === undefined ? {} : { problem: this.#problem };
    return { keysPending: this.#pending, keysRefreshed: this.#refreshed, ...problem };
  }

  /** Called often; begins a round when it is time. Does not wait. */
  follow(): void {
    const { context, document, diff } = this.#runner;
    const everyMs = context.limits.diffRefreshSeconds * 1000;
    const summary = freshSummary(document);
    if (this.#closed || this.#holds > 0 || this.#round !== undefined || diff !== undefined || everyMs === 0) return;
    const direction = this.#direction;
    if (summary === undefined || document.attempt !== undefined || direction === undefined) return;
    const now = context.clock.monotonicMs();
    if (summary.finishedAt === this.#about && now < this.#dueMs) return;
    this.#about = summary.finishedAt;
    this.#abort = new AbortController();
    this.#round = this.#run(summary, direction, this.#abort.signal)
      .then(
        () => everyMs,
        (error: unknown) => {
          if (isSwitchyardError(error, "CANCELLED")) return 0;
          this.#failed(error);
          return Math.min(everyMs, RETRY_MS);
        },
      )
      .then((waitMs) => {
        this.#pending = 0;
        this.#dueMs = context.clock.monotonicMs() + waitMs;
        this.#round = undefined;
      });
  }

  /** Ends the round under way, and lets none begin until what it resolves to is called: something else needs the stream, or its rest. */
  async hold(): Promise<() => void> {
    this.#holds += 1;
    this.#abort.abort();
    await this.#round;
    let held = true;
    return () => {
      if (held) this.#holds -= 1;
      held = false;
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#abort.abort();
    await this.#round;
  }

  /** The direction of the stream, where that runs and the tables are at rest. */
  get #direction(): Direction | undefined {
    const { document, keepers } = this.#runner;
    const direction = directionAtRest(document);
    const stream = direction === undefined ? undefined : keepers[direction].stream;
    return stream?.epoch !== undefined && stream.status().state === "running" ? direction : undefined;
  }

  #failed(error: unknown): void {
    this.#problem = messageOf(error).split("\n")[0];
    this.#runner.log.warn(
      { error: messageOf(error) },
      "rows that were changed since the diff could not be compared again",
    );
  }

  async #run(summary: FreshSummary, direction: Direction, signal: AbortSignal): Promise<void> {
    const { context, document, id } = this.#runner;
    const run = `refresh-${summary.finishedAt.replaceAll(/\D/g, "")}`;
    const files = new DifferenceFiles(
      differencesDirectory(context.dataDirectory, id),
      run,
      context.limits.diffFileBytesMax,
    );
    // Of a round that came to nothing.
    files.remove();
    const metrics = context.metrics.counter("diff_keys_refreshed_total", { migration: id });
    const startedAt = context.clock.now().toISOString();
    let outcome: RoundOutcome;
    try {
      outcome = await refreshRound(summary, {
        direction,
        diff: { ...diffOptions(this.#runner, direction, signal), files },
        otherUuid: direction === "forward" ? document.targetUuid : document.sourceUuid,
        keylessAgeMaxMs: (context.limits.diffMaxAgeHours * HOUR_MS) / 2,
        onKeys: (pending, compared) => {
          this.#pending = pending;
          this.#refreshed += compared;
          metrics.add(compared);
        },
      });
    } catch (error) {
      if (!isMysqlError(error, ERRNO.SOURCE_FATAL_READING_BINLOG)) throw error;
      await this.#giveUp(summary, `a binary log that has the changes since is not there any more: ${messageOf(error)}`);
      return;
    }
    this.#problem = undefined;
    if (outcome.found.length > 0) await this.#differs(summary, direction, outcome, { run, startedAt, files });
    else if (outcome.stopped !== undefined) await this.#withdraw(summary, outcome.stopped);
    else {
      await context.failpoint("refresh-before-journal");
      const { refreshed } = outcome;
      await this.#runner.update(
        unlessMoved((now) => replaced(now, summary, refreshedTo(summary, direction, refreshed))),
      );
    }
  }

  async #giveUp(summary: FreshSummary, notRefreshed: string): Promise<void> {
    const { refreshed: _, ...rest } = summary;
    await this.#runner.record(
      { who: WHO, what: "rows changed since the last diff are not compared again any more", result: notRefreshed },
      unlessMoved((document) => replaced(document, summary, { ...rest, notRefreshed })),
    );
  }

  async #withdraw(summary: FreshSummary, { server, why }: { server: string; why: string }): Promise<void> {
    await this.#runner.record(
      { who: WHO, what: `the last diff is withdrawn: what rows were changed on ${server} cannot be told`, result: why },
      unlessMoved((document) =>
        replaced(document, summary, summary) === undefined ? undefined : withoutDiffs(document),
      ),
    );
  }

  /** Rows that were equal are not any more: kept as a diff keeps them, so that they can be looked at and repaired. */
  async #differs(
    summary: FreshSummary,
    direction: Direction,
    { found, keys, refreshed }: RoundOutcome,
    { run, startedAt, files }: { readonly run: string; readonly startedAt: string; readonly files: DifferenceFiles },
  ): Promise<void> {
    const { context } = this.#runner;
    const now = refreshedTo(summary, direction, refreshed);
    const differences = found.reduce((sum, one) => sum + one.differences, 0);
    await this.#keep(now, direction, found, run);
    const report: DiffReport = {
      ...{ verifiedAt: now.verifiedAt, verifiedTime: now.verifiedTime ?? refreshed.time, startedAt },
      finishedAt: context.clock.now().toISOString(),
      tables: found.map(({ table, differences: some, keys: rows }) => ({
        ...{ table, verifiedAt: now.verifiedAt, verifiedTime: refreshed.time, bytes: 0 },
        ...{ rows: rows.length, differences: some },
      })),
      ...{ rows: keys, differences, schema: [], samples: found.flatMap(({ samples }) => samples) },
      ...(files.written === undefined ? {} : { files: files.written }),
    };
    await storeReport(this.#runner, { direction, again: true, ...withFewerSamples(report) });
    const { refreshed: _, ...rest } = now;
    await this.#runner.record(
      {
        who: WHO,
        what: "rows that were changed since the last diff differ",
        result: `${differences} differences`,
      },
      // What an unfinished diff has kept has given way to these.
      unlessMoved((document) => replaced(withoutRun(document), summary, { ...rest, differences })),
    );
    this.#runner.log.error({ differences }, "rows differ on both sides");
  }

  async #keep(now: DiffSummary, direction: Direction, found: readonly TableFound[], run: string): Promise<void> {
    const { context, id, keepers, document } = this.#runner;
    const other = endpointOf(context, direction === "forward" ? document.target : document.source);
    const epoch = (): bigint => epochOf(keepers[direction]);
    const options = { migration: id, direction, run, epoch, clock: context.clock };
    // Not the round's signal: a round that is given up keeps what it has found.
    const kept = await KeptDiff.open(other, options, context.signal);
    try {
      await kept.begin();
      for (const { table, differences, keys, complete } of found) {
        const state: KeptTable = {
          ...{ definitions: "", verifiedAt: now.verifiedAt, verifiedTime: now.verifiedTime ?? "", done: true },
          ...{ rows: keys.length, bytes: 0, differences, keys: keys.length, keysBytes: 0, keysComplete: complete },
          fileBytes: 0,
        };
        await kept.keep(parseTableKey(table), state, keys);
      }
      await kept.finish();
    } finally {
      await kept.close();
    }
  }
}

/** A change that is made neither where the diff that it is about is not in the journal any more, nor once a switch has begun. */
function unlessMoved(
  change: (document: MigrationDocument) => MigrationDocument | undefined,
): (document: MigrationDocument) => MigrationDocument {
  return (document) => {
    const next = document.attempt === undefined ? change(document) : undefined;
    if (next !== undefined) return next;
    // The next round knows better.
    throw new SwitchyardError("CANCELLED", { what: "what was compared again is not what the journal has any more" });
  };
}
