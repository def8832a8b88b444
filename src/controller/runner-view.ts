import type { Direction } from "../cutover/migration-document.ts";
import { newestDiff } from "../cutover/newest-diff.ts";
import { activeDirection } from "./active-direction.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { type PausedStatus, PausedWatch } from "./paused-watch.ts";
import { StreamMetrics } from "./stream-metrics.ts";

/** What people and Prometheus see of one migration. Progress only: decisions read the journal. */
export class RunnerView {
  readonly #runner: MigrationRunner;
  readonly #metrics: StreamMetrics;
  readonly #pausedWatch: PausedWatch;
  #paused: PausedStatus | undefined;

  constructor(runner: MigrationRunner) {
    this.#runner = runner;
    this.#metrics = new StreamMetrics(runner.context.metrics, runner.id);
    this.#pausedWatch = new PausedWatch(runner.context);
  }

  /** Called often. */
  measure(): void {
    const { document, keepers, throttle, freshener } = this.#runner;
    const direction = activeDirection(document);
    const status = direction === undefined ? undefined : keepers[direction].status();
    if (direction !== undefined && status !== undefined) this.#metrics.record(direction, status);
    this.#followPause(direction);
    this.#metrics.recordThrottle(throttle.status());
    this.#metrics.recordFreshness(this.#verifiedAgeMs(), freshener.status?.keysPending);
  }

  publish(): void {
    const { context, id, document, keepers, busy, unsettled, diff, throttle, freshener, strays } = this.#runner;
    const direction = activeDirection(document);
    const stream = direction === undefined ? undefined : keepers[direction].status();
    const limited = throttle.status();
    const freshness = freshener.status;
    context.status.publish({
      format: 1,
      migration: id,
      at: context.clock.now().toISOString(),
      phase: document.phase,
      ...(busy === undefined ? {} : { busy }),
      ...(unsettled === undefined ? {} : { unsettled }),
      ...(stream === undefined || direction === undefined ? {} : { stream: { direction, ...stream } }),
      ...(diff === undefined ? {} : { diff: diff.progress }),
      ...(freshness === undefined ? {} : { freshness }),
      ...(limited === undefined ? {} : { throttle: limited }),
      ...(this.#paused === undefined ? {} : { paused: this.#paused }),
      ...(strays === undefined ? {} : { strays }),
    });
  }

  /** Ends what is watched for it. What is shown stays until {@link remove}. */
  async close(): Promise<void> {
    await this.#pausedWatch.close();
  }

  remove(): void {
    this.#metrics.remove();
    this.#runner.context.status.remove(this.#runner.id);
  }

  /** A paused stream grows late as well, and the source does not wait with purging its log. */
  #followPause(direction: Direction | undefined): void {
    const { document, keepers } = this.#runner;
    const paused = direction === undefined ? undefined : document.streams[direction].paused;
    const home = direction === "reverse" ? document.target : document.source;
    this.#paused = this.#pausedWatch.look(keepers[direction ?? "forward"].isOpen ? undefined : paused, home);
    if (this.#paused !== undefined && direction !== undefined) this.#metrics.recordPause(direction, this.#paused);
  }

  /** How long ago both sides were last known to be equal. */
  #verifiedAgeMs(): number | undefined {
    const { document, context } = this.#runner;
    const newest = newestDiff(document.diffs);
    if (newest?.differences !== 0) return undefined;
    return context.clock.now().getTime() - Date.parse(newest.verifiedTime ?? newest.finishedAt);
  }
}
