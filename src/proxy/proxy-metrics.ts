import type { Counter, Gauge, Histogram, Metrics } from "../metrics/metrics.ts";
import type { StatementKind } from "../sql/statement.ts";
import type { Disconnect } from "./disconnect.ts";
import type { HoldQueueLimits } from "./hold-queue.ts";
import type { ReportedSession } from "./session-report.ts";
import { StatementTimes } from "./statement-times.ts";

/** Why the proxy answered a statement with an error of its own. */
export type RefusalReason =
  | "split"
  | "transaction"
  | "unknown-home"
  | "pinned"
  | "hint"
  | "not-built"
  | "held-too-long"
  | "hold-full"
  | "rolled-back"
  | "killed"
  | "backend"
  | "protocol";

type SessionCount = ReportedSession["state"];

/** The worker's figures, with handles made once. */
export class ProxyMetrics {
  readonly #metrics: Metrics;
  /** By backend and kind: looked up once for each statement. */
  readonly #statements = new Map<string, Map<StatementKind | "command", Counter>>();
  readonly #sessions: Readonly<Record<SessionCount, Gauge>>;
  readonly #opened: Counter;
  readonly #held: Gauge;
  readonly #heldBytes: Gauge;
  readonly #onTheWay: Gauge;
  readonly #holdWait: Histogram;
  readonly #generation: Gauge;
  readonly #stale: Gauge;
  readonly #leaseLeft: Gauge;
  /** Of statements that have been answered since the last report. */
  readonly times = new StatementTimes();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#sessions = {
      idle: metrics.gauge("sessions", { state: "idle" }),
      executing: metrics.gauge("sessions", { state: "executing" }),
      held: metrics.gauge("sessions", { state: "held" }),
    };
    this.#opened = metrics.counter("sessions_total", {});
    this.#held = metrics.gauge("held_statements", {});
    this.#heldBytes = metrics.gauge("held_bytes", {});
    this.#onTheWay = metrics.gauge("released_in_flight", {});
    this.#holdWait = metrics.histogram("hold_wait_seconds", {});
    this.#generation = metrics.gauge("rules_generation", {});
    this.#stale = metrics.gauge("rules_stale", {});
    this.#leaseLeft = metrics.gauge("lease_seconds_left", {});
  }

  statement(backend: string, kind: StatementKind | "command"): void {
    let ofBackend = this.#statements.get(backend);
    if (ofBackend === undefined) {
      ofBackend = new Map();
      this.#statements.set(backend, ofBackend);
    }
    let counter = ofBackend.get(kind);
    if (counter === undefined) {
      counter = this.#metrics.counter("statements_total", { backend, kind });
      ofBackend.set(kind, counter);
    }
    counter.add();
  }

  refused(reason: RefusalReason): void {
    this.#metrics.counter("refused_statements_total", { reason }).add();
  }

  /** What became of a statement's hint to a backend. */
  routeHint(outcome: "followed" | "ignored"): void {
    this.#metrics.counter("route_hints_total", { outcome }).add();
  }

  sessionOpened(): void {
    this.#opened.add();
  }

  sessionClosed(end: Disconnect): void {
    this.#metrics.counter("disconnects_total", { source: end.source, reason: end.reason }).add();
  }

  /** How many sessions are in each state now. */
  sessions(counts: Readonly<Record<SessionCount, number>>): void {
    this.#sessions.idle.set(counts.idle);
    this.#sessions.executing.set(counts.executing);
    this.#sessions.held.set(counts.held);
  }

  backendOpened(backend: string, change: 1 | -1): void {
    this.#metrics.gauge("backend_connections", { backend }).add(change);
  }

  /** What waits for holds, and what has gone on after one and has no answer yet. */
  held(waiting: number, bytes: number, onTheWay: number): void {
    this.#held.set(waiting);
    this.#heldBytes.set(bytes);
    this.#onTheWay.set(onTheWay);
  }

  /** The bounds of holds and of their release, beside which the figures of {@link held} can be read. */
  holdLimits(limits: HoldQueueLimits): void {
    const set = (limit: string, value: number): void => this.#metrics.gauge("hold_limit", { limit }).set(value);
    set("holdStatementsMax", limits.holdStatementsMax);
    set("holdBytesMax", limits.holdBytesMax);
    set("releaseInFlightMax", limits.releaseInFlightMax);
  }

  holdWaited(ms: number): void {
    this.#holdWait.observe(ms / 1000);
  }

  generation(generation: number): void {
    this.#generation.set(generation);
  }

  stale(isStale: boolean): void {
    this.#stale.set(isStale ? 1 : 0);
  }

  leaseLeft(ms: number): void {
    this.#leaseLeft.set(ms / 1000);
  }
}
