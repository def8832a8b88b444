/** Limits of a series of attempts. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/**
 * The wait before attempt `attempt` (0 for the first retry): doubles up to `maxMs`, and takes between half and
 * all of that by `random` (0 ≤ random < 1), so that many waiters do not return together.
 */
export function backoffMs(attempt: number, limits: BackoffLimits, random: number): number {
  const full = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random;
}
