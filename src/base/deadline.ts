import type { Clock } from "./clock.ts";
import { SwitchyardError } from "./errors.ts";

/** A point on the monotonic clock by which a step must have ended. */
export interface Deadline {
  /** Milliseconds left; 0 when it has passed. */
  leftMs(): number;
  readonly passed: boolean;
}

/** A deadline `ms` from now. */
export function deadlineIn(clock: Clock, ms: number): Deadline {
  const at = clock.monotonicMs() + ms;
  return {
    leftMs: () => Math.max(0, at - clock.monotonicMs()),
    get passed() {
      return clock.monotonicMs() >= at;
    },
  };
}

/**
 * Whether `work` ends, well or not, before `ms` have passed on that clock. Otherwise it goes on, and what it fails with then
 * is nobody's.
 */
export async function endsWithin(clock: Clock, work: Promise<unknown>, ms: number): Promise<boolean> {
  const ended = new AbortController();
  const inTime = work.then(
    () => true,
    () => true,
  );
  const late = clock.sleep(ms, ended.signal).then(
    () => false,
    () => true,
  );
  try {
    return await Promise.race([inTime, late]);
  } finally {
    ended.abort();
  }
}

/**
 * Waits for `work`, but no longer than `ms`. The work itself is not stopped: whoever calls must end it
 * (close the connection, abort the signal) when this throws.
 *
 * @throws {SwitchyardError} `TIMEOUT`, naming `step` and the limit.
 */
export async function within<T>(work: Promise<T>, ms: number, step: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new SwitchyardError("TIMEOUT", { what: `${step} did not end within ${ms} ms` }));
    }, ms);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
