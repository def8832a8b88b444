import type { Clock } from "../base/clock.ts";
import type { Lease } from "../store/store.ts";

/**
 * Until when this worker may serve the tables of armed migrations. Others conclude from the end of the lease that it
 * has stopped; so it stops a margin earlier, counted on its own clock from when the last answered keep-alive was sent.
 *
 * {@link good} looks at the clock each time: a process that was stopped for an hour finds out before it sends.
 */
export class Licence {
  readonly #clock: Clock;
  readonly #marginMs: number;
  #lease: Lease | undefined;

  constructor(clock: Clock, marginMs: number) {
    this.#clock = clock;
    this.#marginMs = marginMs;
  }

  /** The lease of the registration that is in force; none while this worker is not registered. */
  use(lease: Lease | undefined): void {
    this.#lease = lease;
  }

  get lease(): Lease | undefined {
    return this.#lease;
  }

  get good(): boolean {
    return this.leftMs > 0;
  }

  get leftMs(): number {
    const lease = this.#lease;
    if (lease === undefined || lease.lost.aborted) return 0;
    return Math.max(0, lease.confirmedSentAtMs() + lease.ttlMs - this.#marginMs - this.#clock.monotonicMs());
  }
}
