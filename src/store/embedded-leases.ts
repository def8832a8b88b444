import { randomUUID } from "node:crypto";
import type { Clock } from "../base/clock.ts";

interface LeaseRecord {
  readonly ttlMs: number;
  readonly ended: AbortController;
  deadlineMs: number;
}

/** Counts the leases of the embedded store on the monotonic clock, and says when one has run out. */
export class EmbeddedLeases {
  readonly #clock: Clock;
  readonly #expired: (id: string) => void;
  readonly #leases = new Map<string, LeaseRecord>();

  /** `expired` is called when a lease's time is over; it ends the lease through {@link end} or finds it renewed. */
  constructor(clock: Clock, expired: (id: string) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  grant(ttlMs: number): string {
    const id = randomUUID();
    const lease = { ttlMs, ended: new AbortController(), deadlineMs: this.#clock.monotonicMs() + ttlMs };
    this.#leases.set(id, lease);
    void this.#count(id, lease);
    return id;
  }

  /** Counts the TTL anew from now. False when the lease has ended. */
  keepAlive(id: string): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    lease.deadlineMs = this.#clock.monotonicMs() + lease.ttlMs;
    return true;
  }

  /** Whether its time is over: it may have been renewed since {@link #expired} was called. */
  isOver(id: string): boolean {
    const lease = this.#leases.get(id);
    return lease !== undefined && lease.deadlineMs <= this.#clock.monotonicMs();
  }

  end(id: string): void {
    this.#leases.get(id)?.ended.abort();
    this.#leases.delete(id);
  }

  endAll(): void {
    for (const id of [...this.#leases.keys()]) this.end(id);
  }

  async #count(id: string, lease: LeaseRecord): Promise<void> {
    while (!lease.ended.signal.aborted) {
      const leftMs = lease.deadlineMs - this.#clock.monotonicMs();
      if (leftMs <= 0) {
        this.#expired(id);
        // Whoever hears of it may still be busy with earlier work; ask again until the lease has ended.
        await this.#clock.sleep(Math.max(1, lease.ttlMs / 10), lease.ended.signal).catch(() => undefined);
      } else {
        await this.#clock.sleep(leftMs, lease.ended.signal).catch(() => undefined);
      }
    }
  }
}
