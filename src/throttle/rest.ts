import { SHARE_MIN } from "./speed.ts";

/**
 * What a worker owes in rest. Working for a time at a share of a quarter owes three such times; the share may change while
 * it rests, and each moment of rest pays by the share that holds then.
 */
export class RestDebt {
  #workedMs = 0;

  worked(ms: number): void {
    this.#workedMs = Math.max(this.#workedMs, 0) + Math.max(0, ms);
  }

  /** How long there is to rest yet if the share stays; infinite where it is 0. */
  leftMs(share: number): number {
    if (share >= 1 || (this.#workedMs <= 0 && share > 0)) return 0;
    if (share <= 0) return Number.POSITIVE_INFINITY;
    return (this.#workedMs * (1 - share)) / share;
  }

  /** A rest of so long, at a share of so much. */
  rested(ms: number, share: number): void {
    if (share >= 1) this.#workedMs = 0;
    else this.#workedMs = Math.max(0, this.#workedMs - (ms * share) / (1 - share));
  }

  /** The rest is over, paid or not. */
  settle(): void {
    this.#workedMs = 0;
  }
}

/** The share of work that cannot be given up half way: it is slowed, and never stopped. */
export function shareOfWhole(share: number): number {
  return Math.max(share, SHARE_MIN);
}
