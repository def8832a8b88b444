/** What a follower did at one rate. */
export interface AtRate {
  /** Transactions a second that the clients have committed. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface RateSearch {
  /** Runs the clients at this many transactions a second; 0: as fast as they can. */
  readonly at: (rate: number) => Promise<AtRate>;
  /** A follower that is later than this does not keep up. */
  readonly p99MsMax: number;
  /** What the clients reach when nothing holds them back, and how late the follower was then. */
  readonly full: AtRate;
  readonly steps: number;
}

/** Clients that commit less than this share of what they were told cannot go faster. */
const REACHED = 0.93;

/**
 * The highest rate at which the follower keeps within the bound: what the clients reach where it does even then, else
 * the best of a bisection below it; 0 where no rate that was tried did.
 */
export async function highestRate({ at, p99MsMax, full, steps }: RateSearch): Promise<number> {
  if (full.p99Ms <= p99MsMax) return full.perSecond;
  let [low, high, best] = [0, full.perSecond, 0];
  for (let step = 0; step < steps; step += 1) {
    const rate = Math.round((low + high) / 2);
    const { perSecond, p99Ms } = await at(rate);
    if (p99Ms <= p99MsMax && perSecond >= rate * REACHED) {
      low = rate;
      best = Math.max(best, perSecond);
    } else {
      high = rate;
    }
  }
  return best;
}
