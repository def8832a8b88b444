import type { Clock } from "../base/clock.ts";
import type { Lease } from "./store.ts";

/** Where a {@link KeptLease} sends its keep-alives. */
export interface LeaseKeeper {
  /** False when the store says that the lease is gone; throws when the store does not say. */
  keepAlive(id: string): Promise<boolean>;
  revokeLease(id: string): Promise<void>;
}

/** Keep-alives are sent this many times within the TTL, so that one or two may be lost. */
const SENDS_PER_TTL = 4;

/** A lease that is kept alive from the moment it is made until it is revoked or lost. */
export class KeptLease implements Lease {
  readonly id: string;
  readonly ttlMs: number;
  readonly #clock: Clock;
  readonly #keeper: LeaseKeeper;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  #confirmedSentAtMs: number;

  /** `sentAtMs` is the monotonic time at which the request for the lease was sent. */
  constructor(clock: Clock, keeper: LeaseKeeper, facts: { id: string; ttlMs: number; sentAtMs: number }) {
    this.#clock = clock;
    this.#keeper = keeper;
    this.id = facts.id;
    this.ttlMs = facts.ttlMs;
    this.#confirmedSentAtMs = facts.sentAtMs;
    void this.#keep();
  }

  confirmedSentAtMs(): number {
    return this.#confirmedSentAtMs;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async revoke(): Promise<void> {
    this.#stop.abort();
    await this.#keeper.revokeLease(this.id);
  }

  /** Sends no more keep-alives, and leaves the lease to its TTL. */
  abandon(): void {
    this.#stop.abort();
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#clock.sleep(this.ttlMs / SENDS_PER_TTL, signal).catch(() => undefined);
      // Each is timed by itself and none waits for another: a lost answer must not delay the next keep-alive.
      if (!signal.aborted) void this.#send();
    }
  }

  async #send(): Promise<void> {
    const sentAtMs = this.#clock.monotonicMs();
    let kept: boolean;
    try {
      kept = await this.#keeper.keepAlive(this.id);
    } catch {
      return;
    }
    if (kept) this.#confirmedSentAtMs = Math.max(this.#confirmedSentAtMs, sentAtMs);
    else this.#gone();
  }

  #gone(): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#lost.abort();
  }
}
