import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { type ControllerName, serializeController } from "../rules/controller-documents.ts";
import { CONTROLLERS_PREFIX } from "../rules/store-keys.ts";
import type { Lease, Store } from "../store/store.ts";

/** How a controller joins the others. */
export interface MembershipOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Names this process. */
  readonly id: string;
  /** Names of the backends that it can work on. */
  readonly backends: readonly string[];
  readonly leaseTtlMs: number;
  /** Subtracted from the lease's end: the holder stops believing in it this much earlier. */
  readonly leaseMarginMs: number;
  readonly retryMs: number;
}

/** One life of a controller: everything that it holds in the store hangs on one lease, and goes with it at once. */
export interface Membership extends ControllerName {
  readonly lease: Lease;
  /** Aborts when the lease may have ended, or by {@link leave}. */
  readonly ended: AbortSignal;
  /** Gives up all that is held, at once. */
  leave(): Promise<void>;
}

/**
 * Waits until the store knows of this controller.
 *
 * The lease says who works, as far as clocks can tell. What a controller does to servers and to the rules is safe
 * without that, by sessions, epochs and compare-and-swap.
 *
 * @throws {SwitchyardError} `CANCELLED` when `signal` aborts first.
 */
export async function join(options: MembershipOptions, signal: AbortSignal): Promise<Membership> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await joinOnce(options);
    } catch (error) {
      options.log.warn({ error: messageOf(error) }, "the store did not let this controller join");
    }
    await options.clock.sleep(options.retryMs, signal);
  }
}

async function joinOnce(options: MembershipOptions): Promise<Membership> {
  const { store, id, backends } = options;
  const lease = await store.lease(options.leaseTtlMs);
  try {
    const name = { id, nonce: randomUUID() };
    await store.transact([], [{ put: CONTROLLERS_PREFIX + id, value: serializeController(name, backends), lease }]);
    return membership(options, name, lease);
  } catch (error) {
    await lease.revoke().catch(() => undefined);
    throw error;
  }
}

function membership(options: MembershipOptions, name: ControllerName, lease: Lease): Membership {
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
    ...name,
    lease,
    ended: ended.signal,
    async leave() {
      end();
      await lease.revoke().catch(() => undefined);
    },
  };
}
