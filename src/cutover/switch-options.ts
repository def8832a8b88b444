/** Limits of a switch; all come from the configuration. */
export interface SwitchLimits {
  /** The stream may be this far behind when the gate looks. */
  readonly switchMaxLagMs: number;
  /** How long the proxies may take to get every session ready for the new home. */
  readonly armTimeoutMs: number;
  /** How long transactions that were open when the hold came may take to end; see also {@link endOpenAfterMs}. */
  readonly drainTimeoutMs: number;
  /** `lock_wait_timeout` of the sessions that lock tables; the server knows whole seconds only. */
  readonly lockWaitTimeoutSeconds: number;
  /** From the hold to the swap; past it the attempt is aborted, and proxies give the hold up by themselves. */
  readonly holdBudgetMs: number;
  /** How long one LOCK TABLES may be pending, and one old transaction may stand in its way. */
  readonly fenceWaitMs: number;
  /** After the swap: how long a proxy may take to acknowledge before its connections to the old home are KILLed. */
  readonly releaseTimeoutMs: number;
  /** How long a KILLed connection may take to leave the processlist. */
  readonly killTimeoutMs: number;
  /** A diff that ended longer ago does not open the gate. */
  readonly diffMaxAgeHours: number;
  /** How far ahead of the old home's counter the new home's is set before the hold. */
  readonly autoIncrementAhead: number;
}

export const DEFAULT_SWITCH_LIMITS: SwitchLimits = {
  switchMaxLagMs: 1000,
  armTimeoutMs: 30_000,
  drainTimeoutMs: 2000,
  lockWaitTimeoutSeconds: 1,
  holdBudgetMs: 5000,
  fenceWaitMs: 500,
  releaseTimeoutMs: 2000,
  killTimeoutMs: 5000,
  diffMaxAgeHours: 24,
  autoIncrementAhead: 1000,
};

/**
 * How the old home itself refuses writes while the tables change hands, to whoever comes past the proxies. The lasting fence
 * that follows the swap is the same for all.
 *
 * - `lock`: `LOCK TABLES … WRITE`.
 * - `lock-read`: `LOCK TABLES … READ`, granted beside readers; they are waited for after the swap.
 * - `none`: nothing until after the swap. Needs `--force`.
 */
export const FENCES = ["lock", "lock-read", "none"] as const;

export type FenceKind = (typeof FENCES)[number];

/**
 * What a switch does about sessions that stand in its way.
 *
 * - `wait`: it waits, and aborts where they are still there at the end.
 * - `abort`: it aborts as soon as it sees one.
 * - `kill`: it waits for `drainTimeoutMs`, or less, see {@link endOpenAfterMs} and {@link endPinnedAfterMs}; then the
 *   proxies end them, and their clients are told.
 */
export type Insistence = "wait" | "abort" | "kill";

/**
 * When `kill` ends what is open, counted from the hold. Half of the hold is kept for the end of it and the rest of the
 * switch: whoever is ended must not be ended for nothing.
 */
export function endOpenAfterMs({ drainTimeoutMs, holdBudgetMs }: SwitchLimits): number {
  return Math.min(drainTimeoutMs, Math.floor(holdBudgetMs / 2));
}

/** When `kill` ends sessions that cannot follow, counted from the arming: half of the time to get ready is kept, as well. */
export function endPinnedAfterMs({ drainTimeoutMs, armTimeoutMs }: SwitchLimits): number {
  return Math.min(drainTimeoutMs, Math.floor(armTimeoutMs / 2));
}

/** What one `switch` or `rollback` was asked to do. */
export interface SwitchOptions {
  readonly migration: string;
  readonly kind: "switch" | "rollback";
  readonly who: string;
  readonly reason?: string;
  readonly limits: SwitchLimits;
  /** `lock` unless said otherwise. */
  readonly fence?: FenceKind;
  /** Why the gate's forceable checks may fail; recorded in the history. */
  readonly force?: string;
  /** Do everything but the swap, then go back: what a switch would meet, and how long clients would wait. */
  readonly rehearse?: boolean;
  /** What to do about transactions, and whatever else lasts beyond a statement, on the old home. `wait` unless said otherwise. */
  readonly openTransactions?: Insistence;
  /** What to do about sessions that cannot follow to the new home. `abort` unless said otherwise. */
  readonly pinned?: Insistence;
}
