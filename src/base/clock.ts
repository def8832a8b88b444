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
  /** Resolves after `ms`. @throws {SwitchyardError} `CANCELLED` as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

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
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(cancelled());
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

function cancelled(): SwitchyardError {
  return new SwitchyardError("CANCELLED", { what: "the wait was cancelled" });
}
