import { randomUUID } from "node:crypto";
import { backoffMs } from "../base/backoff.ts";
import { within } from "../base/deadline.ts";
import { messageOf } from "../base/errors.ts";
import { noFailpoints } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import type { GtidSet } from "../gtid/gtid-set.ts";
import { LagMeter } from "./lag-meter.ts";
import { isAway, isRetryable } from "./retryable.ts";
import { RunwayMeter } from "./runway-meter.ts";
import { StandstillMeter } from "./standstill-meter.ts";
import { StatementSpell } from "./statement-spell.ts";
import { StreamAttempt } from "./stream-attempt.ts";
import { StreamGate } from "./stream-gate.ts";
import { DEFAULT_STREAM_LIMITS, type StreamLimits, type StreamOptions } from "./stream-options.ts";
import { StreamProgress } from "./stream-progress.ts";
import { connectSource } from "./stream-session.ts";
import type { StreamStatus } from "./stream-status.ts";

/** A stream that is less late is on its way. */
const BEHIND_MS = 2000;

/** Beyond this count the waits between attempts no longer grow. */
const AWAY_FAILURES = 10;

/**
 * One direction of a migration: copies what is not copied yet, then follows the source's log for as long as it runs.
 *
 * {@link run} is called once. The other methods may be called at any time from then on; what they ask for holds
 * over reconnects. Everything that has been done is in the ledger of the target, so a stream may be killed at any
 * moment and a new one goes on from there, in this process or another: the newer one wins.
 */
export class Stream {
  readonly #options: StreamOptions;
  readonly #limits: StreamLimits;
  readonly #log: Logger;
  readonly #gate = new StreamGate();
  readonly #progress: StreamProgress;
  readonly #lag: LagMeter;
  readonly #runway: RunwayMeter;
  readonly #standstill: StandstillMeter;
  readonly #closing = new AbortController();
  readonly #replicaUuid = randomUUID();
  readonly #spell: StatementSpell;
  #epoch: bigint | undefined;
  #running: Promise<void> | undefined;
  #failure: unknown;
  /** What the last attempt has failed with, and when, if another has been or will be made. */
  #setback: { readonly error: unknown; readonly steps: number; readonly atMs: number } | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#limits = {
      ...DEFAULT_STREAM_LIMITS,
      ...options.limits,
      ...(options.copyCycleMaxMs === undefined ? {} : { copyCycleMaxMs: options.copyCycleMaxMs }),
    };
    this.#log = options.log;
    this.#spell = new StatementSpell(options.clock);
    this.#progress = new StreamProgress(options.tables);
    const name = { migration: options.migration, direction: options.direction };
    this.#lag = new LagMeter({
      name,
      connect: () => connectSource(options.source, name, this.#closing.signal),
      clock: options.clock,
      everyMs: this.#limits.heartbeatMs,
      log: options.log,
      signal: this.#closing.signal,
    });
    this.#runway = new RunwayMeter({
      name,
      source: options.source,
      clock: options.clock,
      log: options.log,
      signal: this.#closing.signal,
      limits: this.#limits,
      executed: () => this.#gate.executed,
      lagMs: () => this.#lag.lagMs(),
    });
    this.#standstill = new StandstillMeter({
      name,
      target: options.target,
      clock: options.clock,
      signal: this.#closing.signal,
      steps: () => this.#progress.steps,
      isBehind: () => !this.#gate.paused && this.#lag.lagMs() > BEHIND_MS,
    });
  }

  /**
   * Claims the ledger, copies what is not copied, follows. Connections that are lost are made again. Resolves after
   * {@link close}; rejects with what a person must look at.
   */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  status(): StreamStatus {
    return this.#progress.status({
      gate: this.#gate,
      lagMs: this.#lag.lagMs(),
      runwayMs: this.#runway.leftMs(),
      neededBytes: this.#runway.neededBytes,
      closed: this.#closing.signal.aborted,
      failure: this.#failure,
      retrying: this.#retrying(),
      waiting: this.#standstill.waiting,
    });
  }

  /** The newest setback, until something has been done since, or none has come for longer than an attempt waits for the next. */
  #retrying(): unknown {
    if (this.#setback === undefined || this.#setback.steps !== this.#progress.steps) return undefined;
    const ageMs = this.#options.clock.monotonicMs() - this.#setback.atMs;
    return ageMs > 2 * this.#limits.reconnectMaxMs ? undefined : this.#setback.error;
  }

  /** The epoch under which this stream has claimed its ledger last. */
  get epoch(): bigint | undefined {
    return this.#epoch;
  }

  /** Stops copying and applying between chunks and transactions, until {@link resume}. */
  pause(): void {
    this.#gate.setPaused(true);
  }

  resume(): void {
    this.#gate.setPaused(false);
  }

  /**
   * From when it resolves on, nothing newer is applied until {@link continue} or {@link stopAt}. To be called before
   * a snapshot of the source whose position the stream is then brought to.
   */
  async pauseIntake(): Promise<void> {
    this.closeIntake();
    await this.#gate.idle();
  }

  /** From now on, nothing is begun to be applied, until {@link continue} or {@link stopAt}; what has been begun goes on. */
  closeIntake(): void {
    this.#gate.close();
  }

  /**
   * Applies everything in `position`, nothing else that concerns the tables, and stays there until {@link continue}.
   * A position that was read while only some tables were locked is exact for these alone: they are named then.
   *
   * Differs from {@link waitFor}, which lets the stream run on past `position`.
   *
   * @throws {SwitchyardError} `STREAM_POSITION_PASSED` when the target already holds more than `position`; `TIMEOUT`,
   *   after which the stream still stops there when it arrives
   */
  async stopAt(
    position: GtidSet,
    options: { readonly timeoutMs: number; readonly tables?: readonly TableName[] },
  ): Promise<void> {
    const tables = options.tables === undefined ? undefined : new Set(options.tables.map(tableKey));
    await within(
      this.#orFailure(this.#gate.until(position, tables)),
      options.timeoutMs,
      "bringing the stream to a position",
    );
  }

  /** Lets the stream go on after {@link pauseIntake} or {@link stopAt}. */
  continue(): void {
    this.#gate.open();
  }

  /** Resolves once everything in `position` is done with. @throws {SwitchyardError} `TIMEOUT` */
  async waitFor(position: GtidSet, options: { readonly timeoutMs: number }): Promise<void> {
    const { promise, give } = this.#gate.reached(position);
    try {
      await within(this.#orFailure(promise), options.timeoutMs, "waiting for the stream to reach a position");
    } finally {
      give();
    }
  }

  /**
   * Ends the stream after the transaction under way and closes its connections. Never throws; what `run` would have
   * rejected with, it still does.
   */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#gate.wake();
    await this.#running?.catch(() => undefined);
  }

  /** Rejects as soon as the stream has failed, so that nobody waits for what cannot come. */
  async #orFailure<T>(work: Promise<T>): Promise<T> {
    const ended = this.#running?.then(() => new Promise<never>(() => undefined)) ?? new Promise<never>(() => undefined);
    return await Promise.race([work, ended]);
  }

  async #run(): Promise<void> {
    const beating = { started: false };
    void this.#standstill.run();
    for (let failures = 0; ; failures++) {
      const before = this.#progress.steps;
      try {
        await this.#attempt(beating);
        if (this.#closing.signal.aborted) return;
        // Behind a definition statement: with the tables as they are from there on.
        failures = -1;
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        // A server or a store that is away or closed for long may still come back; anything else that only repeats itself will not pass.
        const away = isAway(error);
        if (this.#progress.steps !== before || away) failures = away ? Math.min(failures, AWAY_FAILURES) : 0;
        if (!isRetryable(error) || failures >= this.#limits.failuresMax) {
          this.#failure = error;
          this.#closing.abort();
          this.#log.error({ error: messageOf(error) }, "the stream has stopped");
          throw error;
        }
        this.#setback = { error, steps: this.#progress.steps, atMs: this.#options.clock.monotonicMs() };
        this.#log.warn({ error: messageOf(error), failures }, "the stream tries again");
        const limits = { firstMs: this.#limits.reconnectFirstMs, maxMs: this.#limits.reconnectMaxMs };
        await this.#options.clock
          .sleep(backoffMs(failures, limits, Math.random()), this.#closing.signal)
          .catch(() => undefined);
        if (this.#closing.signal.aborted) return;
      }
    }
  }

  async #attempt(beating: { started: boolean }): Promise<void> {
    const attempt = new StreamAttempt({
      options: this.#options,
      limits: this.#limits,
      failpoint: this.#options.failpoint ?? noFailpoints,
      gate: this.#gate,
      progress: this.#progress,
      lag: this.#lag,
      runway: this.#runway,
      signal: this.#closing.signal,
      replicaUuid: this.#replicaUuid,
      spell: this.#spell,
      ownEpoch: this.#epoch,
      onClaim: (epoch) => {
        this.#epoch = epoch;
      },
      onReady: () => {
        if (!beating.started) void Promise.all([this.#lag.run(), this.#runway.run()]);
        beating.started = true;
      },
    });
    await attempt.run();
  }
}
