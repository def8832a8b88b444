import type { Clock } from "../base/clock.ts";
import { deferred } from "../base/deferred.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { LEADER_KEY } from "../rules/store-keys.ts";
import type { Lease, Store } from "../store/store.ts";

/** How leadership is sought and kept. */
export interface LeadershipOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Names this process in the leader key. */
  readonly id: string;
  readonly leaseTtlMs: number;
  /** Subtracted from the lease's end: the holder stops believing in it this much earlier. */
  readonly leaseMarginMs: number;
  readonly retryMs: number;
}

/** A term of leadership. */
export interface Term {
  /** Aborts when the term has ended, by loss of the lease or by {@link resign}. */
  readonly ended: AbortSignal;
  /** Grows from term to term: the store's revision at which the leader key was taken. */
  readonly fencingToken: number;
  resign(): Promise<void>;
}

/**
 * Waits until this process leads. At most one process believes that it does, as far as clocks can tell; what a
 * leader does to servers and to the rules is safe without that, by sessions and compare-and-swap.
 *
 * @throws {SwitchyardError} `CANCELLED` when `signal` aborts first.
 */
export async function lead(options: LeadershipOptions, signal: AbortSignal): Promise<Term> {
  for (;;) {
    signal.throwIfAborted();
    try {
      const term = await tryOnce(options);
      if (term !== undefined) return term;
    } catch (error) {
      options.log.warn({ error: messageOf(error) }, "the store did not let this controller ask for leadership");
    }
    await waitForChange(options, signal);
  }
}

async function tryOnce(options: LeadershipOptions): Promise<Term | undefined> {
  const lease = await options.store.lease(options.leaseTtlMs);
  try {
    const value = JSON.stringify({ format: 1, id: options.id });
    const result = await options.store.transact(
      [{ key: LEADER_KEY, revision: 0 }],
      [{ put: LEADER_KEY, value, lease }],
    );
    if (result.succeeded) return term(options, lease, result.revision);
  } catch (error) {
    await lease.revoke().catch(() => undefined);
    throw error;
  }
  await lease.revoke();
  return undefined;
}

function term(options: LeadershipOptions, lease: Lease, fencingToken: number): Term {
  const ended = new AbortController();
  const end = (): void => {
    clearInterval(watchdog);
    if (!ended.signal.aborted) ended.abort();
  };
  // A store that is merely away says nothing, so the holder also looks at its own clock.
  const watchdog = setInterval(() => {
    const trustedUntil = lease.confirmedSentAtMs() + options.leaseTtlMs - options.leaseMarginMs;
    if (options.clock.monotonicMs() >= trustedUntil) end();
  }, 100);
  watchdog.unref();
  lease.lost.addEventListener("abort", end, { once: true });
  return {
    ended: ended.signal,
    fencingToken,
    async resign() {
      end();
      await lease.revoke().catch(() => undefined);
    },
  };
}

/** Returns when the leader key has gone, or after `retryMs` all the same. */
async function waitForChange(options: LeadershipOptions, signal: AbortSignal): Promise<void> {
  const gone = deferred<void>();
  const watch = await options.store
    .watch(LEADER_KEY, {
      reset: (entries) => {
        if (entries.length === 0) gone.resolve();
      },
      change: (events) => {
        if (events.some((event) => event.value === undefined)) gone.resolve();
      },
    })
    .catch(() => undefined);
  try {
    await Promise.race([gone.promise, options.clock.sleep(options.retryMs, signal)]);
  } finally {
    await watch?.close();
  }
}
