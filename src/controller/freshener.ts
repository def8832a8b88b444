import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import { parseTableKey } from "../base/table-name.ts";
import type { DiffSummary, Direction, MigrationDocument } from "../cutover/migration-document.ts";
import type { KeptTable } from "../diff/diff-keeper.ts";
import type { DiffReport } from "../diff/diff-report.ts";
import { DifferenceFiles } from "../diff/difference-files.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import { DIFFS_PREFIX } from "../rules/store-keys.ts";
import { activeDirection } from "./active-direction.ts";
import { differencesDirectory, withoutDiffs } from "./diff-run.ts";
import { type FreshSummary, freshSummary, refreshedTo, replaced } from "./freshness.ts";
import { KeptDiff } from "./kept-diff.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { type RoundOutcome, refreshRound, type TableFound } from "./refresh-round.ts";
import { diffOptions, openStream, withFewerSamples } from "./run-diff.ts";

const HOUR_MS = 3_600_000;
/** After a round that failed the next one begins so much later, or as late as any. */
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
    if (summary === undefined || document.attempt !== undefined || !this.#streamRuns) return;
    const now = context.clock.monotonicMs();
    if (summary.finishedAt === this.#about && now < this.#dueMs) return;
    this.#about = summary.finishedAt;
    this.#abort = new AbortController();
    let nextMs = everyMs;
    this.#round = this.#run(summary, this.#abort.signal)
      .catch((error: unknown) => {
        if (isSwitchyardError(error, "CANCELLED")) nextMs = 0;
        else nextMs = Math.min(everyMs, this.#failed(error));
      })
      .finally(() => {
        this.#pending = 0;
        this.#dueMs = context.clock.monotonicMs() + nextMs;
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

  get #direction(): Direction | undefined {
    const { document } = this.#runner;
    const atRest = document.phase === "running" || document.phase === "switched";
    return atRest ? activeDirection(document) : undefined;
  }

  get #streamRuns(): boolean {
    const direction = this.#direction;
    const stream = direction === undefined ? undefined : this.#runner.keepers[direction].stream;
    return stream?.epoch !== undefined && stream.status().state === "running";
  }

  /** When to try again, ms. */
  #failed(error: unknown): number {
    this.#problem = messageOf(error).split("\n")[0];
    this.#runner.log.warn(
      { error: messageOf(error) },
      "rows that were changed since the diff could not be compared again",
    );
    return RETRY_MS;
  }

  async #run(summary: FreshSummary, signal: AbortSignal): Promise<void> {
    const direction = this.#direction;
    if (direction === undefined) return;
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
      await this.#write(summary, (one) => refreshedTo(one, direction, outcome.refreshed));
    }
  }

  /** Changes the journal, unless the diff is not in it any more, or a switch has begun. */
  async #write(summary: DiffSummary, change: (summary: DiffSummary) => DiffSummary): Promise<void> {
    await this.#runner.update((document) => {
      const next = document.attempt === undefined ? replaced(document, summary, change(summary)) : undefined;
      if (next === undefined) throw notAnyMore();
      return next;
    });
  }

  async #giveUp(summary: FreshSummary, notRefreshed: string): Promise<void> {
    const { refreshed: _, ...rest } = summary;
    await this.#record("rows changed since the last diff are not compared again any more", notRefreshed, (document) =>
      replaced(document, summary, { ...rest, notRefreshed }),
    );
  }

  async #withdraw(summary: FreshSummary, { server, why }: { server: string; why: string }): Promise<void> {
    await this.#record(
      `the last diff is withdrawn: what rows were changed on ${server} cannot be told`,
      why,
      (document) => (replaced(document, summary, summary) === undefined ? undefined : withoutDiffs(document)),
    );
  }

  /** Rows that were equal are not any more: kept as a diff keeps them, so that they can be looked at and repaired. */
  async #differs(
    summary: FreshSummary,
    direction: Direction,
    { found, keys, refreshed }: RoundOutcome,
    { run, startedAt, files }: { readonly run: string; readonly startedAt: string; readonly files: DifferenceFiles },
  ): Promise<void> {
    const { context, id, keepers } = this.#runner;
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
    const value = JSON.stringify({ format: 1, migration: id, direction, again: true, ...withFewerSamples(report) });
    await context.store.transact(context.leadership(), [{ put: DIFFS_PREFIX + id, value }]);
    context.metrics.gauge("diff_differences", { migration: id }).set(differences);
    const { refreshed: _, ...rest } = now;
    await this.#record(
      "rows that were changed since the last diff differ",
      `${differences} differences`,
      (document) => {
        // What an unfinished diff has kept has given way to these.
        const { diffRun: _run, fastRun: _fast, ...others } = document;
        return replaced(others, summary, { ...rest, differences });
      },
    );
    this.#runner.log.error(
      { differences, epoch: String(keepers[direction].stream?.epoch) },
      "rows differ on both sides",
    );
  }

  async #keep(now: DiffSummary, direction: Direction, found: readonly TableFound[], run: string): Promise<void> {
    const { context, id, keepers } = this.#runner;
    const { other, signal } = diffOptions(this.#runner, direction, new AbortController().signal);
    const epoch = (): bigint => openStream(keepers[direction]).epoch ?? 0n;
    const kept = await KeptDiff.open(other, { migration: id, direction, run, epoch, clock: context.clock }, signal);
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

  async #record(
    what: string,
    result: string,
    change: (document: MigrationDocument) => MigrationDocument | undefined,
  ): Promise<void> {
    await this.#runner.record({ who: WHO, what, result }, (document) => {
      const next = document.attempt === undefined ? change(document) : undefined;
      if (next === undefined) throw notAnyMore();
      return next;
    });
  }
}

/** Nothing is written: the next round knows better. */
function notAnyMore(): SwitchyardError {
  return new SwitchyardError("CANCELLED", { what: "what was compared again is not what the journal has any more" });
}
