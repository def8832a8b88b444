import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { Pace, PacedWork, PaceWorker } from "../base/pace.ts";
import { RestDebt, shareOfWhole } from "./rest.ts";
import { type Ceilings, Readings, type SignalName, type SignalView, snapshotAllowed, verdictOf } from "./signals.ts";
import { nextSpeed, type Speed, type SpeedState, STARTING, type Verdict } from "./speed.ts";

/** Where signals are read from: one server, or the store. */
export interface Probe {
  readonly signals: readonly SignalName[];
  /** Reads all of them. Rejects where it cannot; it is not called again before it has settled. */
  read(): Promise<Partial<Record<SignalName, number>>>;
  /** Gives connections up; called between uses as well. */
  close(): Promise<void>;
}

/** Read anew at each look, so that a change is in force within a second. */
export interface ThrottleSettings {
  readonly ceilings: Ceilings;
  /** The most of the time that bulk work may work, 0 to 1. */
  readonly shareMax: number;
}

export interface ThrottleOptions {
  readonly settings: () => ThrottleSettings;
  /** Made when work begins, and closed when none is left. */
  readonly probes: () => readonly Probe[];
  readonly clock: Clock;
  readonly log: Logger;
}

/** For people. */
export interface ThrottleStatus {
  readonly state: SpeedState;
  /** Part of the time in which bulk work works, 0 to 1. */
  readonly share: number;
  /** Signals that keep it from being faster, or a snapshot from being opened. */
  readonly heldBackBy: readonly SignalName[];
  readonly signals: readonly SignalView[];
}

const LOOK_EVERY_MS = 1000;
/** A signal that is older counts as bad. */
export const SIGNAL_AGE_MAX_MS = 5000;
const STOPPED_MAX_MS = 10_000;
const REST_SLICE_MS = 100;
const FIRST_LOOK_MS = 10;

/**
 * Keeps the copies and diffs of one migration from harming the servers: looks at the signals once a second while there is
 * any such work, and tells it how fast it may go. Catch-up is never slowed: what it does not apply now, it has to apply
 * later, and the source does not keep its log for ever.
 *
 * Slowly up and quickly down, see `speed.ts`. A signal that cannot be read counts as bad once it is too old.
 */
export class Throttle implements Pace {
  readonly #options: ThrottleOptions;
  readonly #readings = new Readings();
  #speed: Speed = STARTING;
  #stoppedSinceMs: number | undefined;
  /** The last snapshot was given up, or was not to be opened, because of its signals. */
  #reopening = false;
  #works = 0;
  #looking: AbortController | undefined;

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  open(): PacedWork {
    this.#works += 1;
    if (this.#works === 1) this.#begin();
    let closed = false;
    const throttle = this;
    return {
      get mayOpenSnapshot(): boolean {
        return throttle.#mayOpen;
      },
      get shouldCloseSnapshot(): boolean {
        return throttle.#shouldClose;
      },
      whenMayOpen: (signal, patienceMs) => this.#whenMayOpen(signal, patienceMs),
      worker: (ending) => this.#worker(ending),
      close: () => {
        if (closed) return;
        closed = true;
        this.#works -= 1;
        if (this.#works === 0) this.#end();
      },
    };
  }

  /** Nothing while no work is under way. */
  status(): ThrottleStatus | undefined {
    if (this.#works === 0) return undefined;
    const signals = this.#views();
    const bad = signals.filter(({ verdict }) => verdict !== "clear").map(({ name }) => name);
    return { state: this.#speed.state, share: this.#share, heldBackBy: bad, signals };
  }

  get #share(): number {
    return Math.min(this.#speed.share, this.#options.settings().shareMax);
  }

  get #mayOpen(): boolean {
    return this.#speed.share > 0 && snapshotAllowed(this.#views(), this.#reopening);
  }

  get #shouldClose(): boolean {
    const { clock } = this.#options;
    const stopped = this.#stoppedSinceMs !== undefined && clock.monotonicMs() - this.#stoppedSinceMs >= STOPPED_MAX_MS;
    return stopped || verdictOf(this.#views(), "snapshot") === "over";
  }

  #views(): readonly SignalView[] {
    const { settings, clock } = this.#options;
    return this.#readings.view(settings().ceilings, { ms: clock.monotonicMs(), ageMaxMs: SIGNAL_AGE_MAX_MS });
  }

  #begin(): void {
    this.#looking = new AbortController();
    this.#speed = STARTING;
    this.#stoppedSinceMs = undefined;
    this.#reopening = false;
    this.#readings.clear();
    const { signal } = this.#looking;
    const probes = this.#options.probes();
    for (const probe of probes) void this.#keepReading(probe, signal);
    void this.#keepJudging(signal);
  }

  #end(): void {
    this.#looking?.abort();
    this.#looking = undefined;
  }

  async #keepReading(probe: Probe, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    let failed = false;
    while (!signal.aborted) {
      try {
        const found = await probe.read();
        if (signal.aborted) break;
        for (const name of probe.signals) {
          const value = found[name];
          if (value !== undefined) this.#readings.add(name, value, clock.monotonicMs());
        }
        if (this.#speed.state === "starting") this.#judge();
        failed = false;
      } catch (error) {
        for (const name of probe.signals) this.#readings.fail(name, messageOf(error));
        if (!failed)
          log.warn(
            { error: messageOf(error), signals: probe.signals },
            "signals cannot be read; bulk work waits once they are too old",
          );
        failed = true;
      }
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    }
    await probe.close().catch(() => undefined);
  }

  async #keepJudging(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      this.#judge();
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
    }
  }

  #judge(): void {
    const { clock, log } = this.#options;
    const views = this.#views();
    const before = this.#speed;
    this.#speed = nextSpeed(before, worstOf(views));
    const snapshots = verdictOf(views, "snapshot");
    if (snapshots === "over") this.#reopening = true;
    else if (snapshotAllowed(views, true)) this.#reopening = false;
    if (this.#speed.state !== "stopped") this.#stoppedSinceMs = undefined;
    else this.#stoppedSinceMs ??= clock.monotonicMs();
    if (before.state === this.#speed.state) return;
    const because = views.filter(({ verdict }) => verdict !== "clear");
    log.info({ from: before.state, to: this.#speed.state, because }, "the speed of bulk work changed");
  }

  async #whenMayOpen(signal: AbortSignal, patienceMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    const { clock } = this.#options;
    const beganMs = clock.monotonicMs();
    while (!this.#mayOpen) {
      if (clock.monotonicMs() - beganMs >= patienceMs) return false;
      await clock.sleep(this.#speed.state === "starting" ? FIRST_LOOK_MS : REST_SLICE_MS, signal);
    }
    return true;
  }

  #worker(ending: AbortSignal): PaceWorker {
    const { clock } = this.#options;
    const debt = new RestDebt();
    let sinceMs = clock.monotonicMs();
    const rest = async (isOver: (() => boolean) | undefined): Promise<void> => {
      const share = (): number => (isOver === undefined ? shareOfWhole(this.#share) : this.#share);
      for (;;) {
        const now = share();
        const leftMs = debt.leftMs(now);
        if (leftMs <= 0 || ending.aborted || isOver?.() === true) break;
        const beganMs = clock.monotonicMs();
        await clock.sleep(Math.min(leftMs, REST_SLICE_MS), ending).catch(() => undefined);
        debt.rested(clock.monotonicMs() - beganMs, now);
      }
      debt.settle();
      sinceMs = clock.monotonicMs();
    };
    return {
      rest: (isOver) => {
        const nowMs = clock.monotonicMs();
        debt.worked(nowMs - sinceMs);
        if (this.#share < 1) return rest(isOver);
        debt.settle();
        sinceMs = nowMs;
        return undefined;
      },
    };
  }
}

/** What the speed goes by: what is not known stops it whatever it is; a long history list has its own way to act. */
function worstOf(views: readonly SignalView[]): Verdict {
  return views.some(({ verdict }) => verdict === "unknown") ? "unknown" : verdictOf(views, "pace");
}
