import { SwitchyardError } from "./errors.ts";

/**
 * Time, passed in wherever it matters, so that tests and the simulation can hold it still.
 *
 * Durations and deadlines use {@link monotonicMs} alone: the wall clock can jump, and is only ever shown to people.
 */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. Fractions are kept. */
  monotonicMs(): number;
  /** The wall clock, for history entries and logs only. */
  now(): Date;
  /** Resolves after `ms`, never before. @throws {SwitchyardError} `CANCELLED` as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A timer that is to wait for longer fires at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** The machine's own clocks. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  now: () => new Date(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(cancelled());
        return;
      }
      const overAtMs = performance.now() + ms;
      let timer: NodeJS.Timeout;
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(cancelled());
      };
      // Timers count whole milliseconds and can be early by one: then a proxy would give its hold up before the switch does.
      const wait = (leftMs: number): void => {
        timer = setTimeout(
          () => {
            const stillMs = overAtMs - performance.now();
            if (stillMs > 0) {
              wait(stillMs);
              return;
            }
            signal?.removeEventListener("abort", onAbort);
            resolve();
          },
          Math.min(TIMER_MAX_MS, Math.ceil(leftMs)),
        );
      };
      wait(ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

function cancelled(): SwitchyardError {
  return new SwitchyardError("CANCELLED", { what: "the wait was cancelled" });
}
