import type { Direction } from "../cutover/migration-document.ts";
import type { Counter, Metrics } from "../metrics/metrics.ts";
import type { StreamStatus } from "../replication/stream-status.ts";
import type { ThrottleStatus } from "../throttle/throttle.ts";
import type { PausedStatus } from "./paused-watch.ts";

type Labels = { readonly migration: string; readonly direction: Direction };

const STATES = ["copying", "catching-up", "running", "stopped-at", "paused", "failed", "closed"] as const;

/** Turns a stream's status, whose counts begin at 0 with each new stream, into metrics that only ever grow. */
export class StreamMetrics {
  readonly #metrics: Metrics;
  readonly #migration: string;
  readonly #copied: Counter;
  #direction: Direction | undefined;
  #last = { rowsCopied: 0, drift: 0, applied: 0 };

  constructor(metrics: Metrics, migration: string) {
    this.#metrics = metrics;
    this.#migration = migration;
    this.#copied = metrics.counter("copy_rows_total", { migration });
  }

  record(direction: Direction, status: StreamStatus): void {
    if (this.#direction !== direction) this.#forget();
    this.#direction = direction;
    const labels = { migration: this.#migration, direction };
    const { rowsCopied, drift, appliedTransactions: applied } = status;
    this.#copied.add(Math.max(0, rowsCopied - this.#last.rowsCopied));
    this.#metrics.counter("drift_total", labels).add(Math.max(0, drift - this.#last.drift));
    this.#metrics.counter("stream_transactions_total", labels).add(Math.max(0, applied - this.#last.applied));
    this.#last = { rowsCopied, drift, applied };
    this.#metrics.gauge("copy_rows_estimated", { migration: this.#migration }).set(status.rowsEstimated);
    this.#metrics.gauge("stream_lag_seconds", labels).set(status.lagMs / 1000);
    this.#recordNeeded(labels, status.runwayMs, status.neededBytes);
    this.#recordState(direction, status.state);
  }

  /** A paused stream has no status of its own. */
  recordPause(direction: Direction, { lagMs, runwayMs }: PausedStatus): void {
    const labels = { migration: this.#migration, direction };
    if (lagMs !== undefined) this.#metrics.gauge("stream_lag_seconds", labels).set(lagMs / 1000);
    this.#recordNeeded(labels, runwayMs, undefined);
    this.#recordState(direction, "paused");
  }

  /** What is not known has no value: an old one would be taken for the present one. */
  #recordNeeded(labels: Labels, runwayMs: number | undefined, bytes: number | undefined): void {
    if (runwayMs === undefined) this.#metrics.remove("binlog_runway_seconds", labels);
    else this.#metrics.gauge("binlog_runway_seconds", labels).set(runwayMs / 1000);
    if (bytes === undefined) this.#metrics.remove("binlog_needed_bytes", labels);
    else this.#metrics.gauge("binlog_needed_bytes", labels).set(bytes);
  }

  #recordState(direction: Direction, now: (typeof STATES)[number]): void {
    for (const state of STATES) {
      const labels = { migration: this.#migration, direction, state };
      this.#metrics.gauge("stream_state", labels).set(state === now ? 1 : 0);
    }
  }

  /** How fast bulk work may go; nothing while there is none. */
  recordThrottle(throttle: ThrottleStatus | undefined): void {
    const labels = { migration: this.#migration };
    this.#metrics.remove("throttle_signal", labels);
    this.#metrics.remove("throttle_over", labels);
    if (throttle === undefined) {
      this.#metrics.remove("throttle_share", labels);
      return;
    }
    this.#metrics.gauge("throttle_share", labels).set(throttle.share);
    for (const { name: signal, value, verdict } of throttle.signals) {
      if (value !== undefined) this.#metrics.gauge("throttle_signal", { ...labels, signal }).set(value);
      this.#metrics.gauge("throttle_over", { ...labels, signal }).set(verdict === "clear" ? 0 : 1);
    }
  }

  /** How long ago both sides were known to be equal, and what is known to have been changed since. */
  recordFreshness(ageMs: number | undefined, keysPending: number | undefined): void {
    const labels = { migration: this.#migration };
    if (ageMs === undefined) this.#metrics.remove("diff_verified_age_seconds", labels);
    else this.#metrics.gauge("diff_verified_age_seconds", labels).set(ageMs / 1000);
    if (keysPending === undefined) this.#metrics.remove("diff_keys_pending", labels);
    else this.#metrics.gauge("diff_keys_pending", labels).set(keysPending);
  }

  /** The migration has ended: its gauges go. */
  remove(): void {
    this.#forget();
    this.recordThrottle(undefined);
    this.recordFreshness(undefined, undefined);
    this.#metrics.remove("copy_rows_estimated", { migration: this.#migration });
    this.#metrics.remove("diff_differences", { migration: this.#migration });
  }

  /** A stream that has ended has no lag and no state. */
  #forget(): void {
    for (const name of [
      "stream_lag_seconds",
      "stream_state",
      "binlog_runway_seconds",
      "binlog_needed_bytes",
    ] as const) {
      this.#metrics.remove(name, { migration: this.#migration });
    }
  }
}
