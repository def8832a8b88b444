import type { Clock } from "../../../src/base/clock.ts";
import { SwitchyardError } from "../../../src/base/errors.ts";
import type { Timer, World } from "./world.ts";

const WALL_START_MS = 1_700_000_000_000;

/** A wait of the process, until its own clock shows `at`. */
interface Sleeper {
  readonly at: number;
  readonly fire: () => void;
  timer: Timer;
}

/** The clocks of one process: they show the world's time until something is done to them. */
export class SimClock implements Clock {
  readonly #world: World;
  /** What the process does only once it goes on. */
  readonly #gate: () => Promise<void>;
  readonly #sleepers = new Set<Sleeper>();
  /** How far the monotonic clock is ahead, stalls that have ended included. */
  #aheadMs = 0;
  #stalledFrom = 0;
  #stalledUntil = 0;
  #wallAheadMs = 0;

  constructor(world: World, gate: () => Promise<void>) {
    this.#world = world;
    this.#gate = gate;
  }

  // As those of the machine's clocks, these can be taken out of it.
  readonly monotonicMs = (): number => {
    const { now } = this.#world;
    return now + this.#aheadMs - (Math.min(now, this.#stalledUntil) - this.#stalledFrom);
  };

  readonly now = (): Date => new Date(WALL_START_MS + this.#world.now + this.#wallAheadMs);

  readonly sleep = (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const cancelled = (): SwitchyardError => new SwitchyardError("CANCELLED", { what: "the wait was cancelled" });
      if (signal?.aborted) {
        reject(cancelled());
        return;
      }
      const onAbort = (): void => {
        sleeper.timer.cancelled = true;
        this.#sleepers.delete(sleeper);
        reject(cancelled());
      };
      const fire = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", onAbort);
        void this.#gate().then(resolve);
      };
      const sleeper: Sleeper = {
        at: this.monotonicMs() + ms,
        fire,
        timer: this.#world.after(ms + this.#stillStalledMs(), fire),
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", onAbort, { once: true });
    });

  /** The monotonic clock jumps ahead: what waits for a time that is over by then, waits no more. */
  jump(ms: number): void {
    this.#aheadMs += ms;
    this.#setTimers();
  }

  /** The monotonic clock stands still for so long. */
  stall(ms: number): void {
    const { now } = this.#world;
    this.#aheadMs -= Math.min(now, this.#stalledUntil) - this.#stalledFrom;
    this.#stalledFrom = now;
    this.#stalledUntil = Math.max(this.#stalledUntil, now + ms);
    this.#setTimers();
  }

  /** The wall clock is set, ahead or back. */
  setWall(ms: number): void {
    this.#wallAheadMs += ms;
  }

  #stillStalledMs(): number {
    return Math.max(0, this.#stalledUntil - this.#world.now);
  }

  #setTimers(): void {
    const now = this.monotonicMs();
    for (const sleeper of this.#sleepers) {
      sleeper.timer.cancelled = true;
      sleeper.timer = this.#world.after(sleeper.at - now + this.#stillStalledMs(), sleeper.fire);
    }
  }
}
