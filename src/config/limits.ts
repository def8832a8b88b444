/** One limit: what it is where nothing is said, and what may be said. */
export interface LimitSpec {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly about: string;
}

const HOUR_MS = 3_600_000;
const GIB = 1024 ** 3;

/** Everything under `limits:` in the configuration. The unit is the end of the name. */
export const LIMITS = {
  switchMaxLagMs: {
    default: 1000,
    min: 0,
    max: HOUR_MS,
    about: "A switch starts only when the stream is less behind.",
  },
  armTimeoutMs: {
    default: 30_000,
    min: 100,
    max: HOUR_MS,
    about: "How long proxies may take to get every session ready for the new home.",
  },
  drainTimeoutMs: {
    default: 2000,
    min: 10,
    max: 600_000,
    about:
      "How long transactions that were open when the hold came may take to end. With `--open-transactions=kill` at most half of holdBudgetMs, with `--pinned=kill` at most half of armTimeoutMs.",
  },
  lockWaitTimeoutSeconds: {
    default: 1,
    min: 1,
    max: 3600,
    about: "lock_wait_timeout of the sessions that lock tables.",
  },
  holdBudgetMs: {
    default: 5000,
    min: 100,
    max: 600_000,
    about: "From the hold to the change of the rules; past it the switch aborts.",
  },
  fenceWaitMs: { default: 500, min: 10, max: 60_000, about: "How long one table lock of the fence may be pending." },
  releaseTimeoutMs: {
    default: 2000,
    min: 10,
    max: 600_000,
    about: "How long a proxy may take to acknowledge new rules before its connections to the old home are killed.",
  },
  killTimeoutMs: {
    default: 5000,
    min: 10,
    max: 600_000,
    about: "How long a killed connection may take to leave the server's processlist.",
  },
  holdStatementsMax: { default: 100_000, min: 1, max: 10_000_000, about: "Statements that one proxy worker holds." },
  holdBytesMax: {
    default: 256 * 1024 ** 2,
    min: 1024,
    max: 64 * GIB,
    about: "Bytes of statements that one worker holds.",
  },
  releaseInFlightMax: {
    default: 128,
    min: 1,
    max: 10_000_000,
    about: "Held statements of one worker that go on at a time when a hold ends; the next follows each answer.",
  },
  releaseSlotMs: {
    default: 100,
    min: 1,
    max: 600_000,
    about: "A released statement without an answer for this long makes room for the next all the same.",
  },
  leaseTtlMs: {
    default: 5000,
    min: 500,
    max: 600_000,
    about: "How long a process counts as alive without a sign of life.",
  },
  leaseMarginMs: {
    default: 1500,
    min: 50,
    max: 300_000,
    about: "A holder stops trusting its lease this much earlier.",
  },
  copyCycleMaxSeconds: { default: 3600, min: 1, max: 86_400, about: "How long one snapshot of a copy stays open." },
  runwayWarnSeconds: {
    default: 7200,
    min: 0,
    max: 31_536_000,
    about: "Warns when the source keeps the binary log that a stream needs for less than this.",
  },
  runwayStopSeconds: {
    default: 1800,
    min: 0,
    max: 31_536_000,
    about:
      "A copy gives way to its stream when the source keeps the binary log that is needed for less than this, and stops where that does not help.",
  },
  diffSliceMaxSeconds: {
    default: 600,
    min: 1,
    max: 86_400,
    about: "How long one pair of snapshots of a diff stays open.",
  },
  diffFileBytesMax: {
    default: GIB,
    min: 0,
    max: 1024 * GIB,
    about: "Bytes that one diff writes of the differences it finds, with both rows; more are counted only.",
  },
  diffMaxAgeHours: {
    default: 24,
    min: 0.01,
    max: 8760,
    about:
      "A clean diff opens the gate of a switch for this long, from when its first rows were compared, or all rows changed since were compared again.",
  },
  diffRefreshSeconds: {
    default: 300,
    min: 0,
    max: 86_400,
    about: "How long after each time rows that were changed since a clean diff are compared again; 0 for never.",
  },
  accountWindowHours: {
    default: 24,
    min: 0.01,
    max: 8760,
    about: "Accounts seen by a proxy within it must exist on the new home.",
  },
  autoIncrementAhead: {
    default: 1000,
    min: 0,
    max: 1_000_000_000,
    about: "How far ahead of the old home's AUTO_INCREMENT counter the new home's is set before a hold.",
  },
  throttleHistoryMax: {
    default: 1_000_000,
    min: 0,
    max: 1_000_000_000,
    about:
      "InnoDB history list of the source beyond which a copy closes its snapshot, and neither copy nor diff opens one; 0 for any. `migration tune` sets this and the others of its kind for one migration.",
  },
  throttleSourceThreadsMax: {
    default: 50,
    min: 0,
    max: 100_000,
    about: "Threads_running on the source beyond which copies and diffs go slower; 0 for any.",
  },
  throttleTargetThreadsMax: { default: 50, min: 0, max: 100_000, about: "The same on the target." },
  throttleCommitMs: {
    default: 250,
    min: 0,
    max: 600_000,
    about: "A commit of one row on the target that takes longer makes copies and diffs slower; 0 for any.",
  },
  throttleReplicaLagMs: {
    default: 10_000,
    min: 0,
    max: HOUR_MS,
    about:
      "Lag of the replicas that a migration was told to watch beyond which its copy and diffs go slower; 0 for any.",
  },
  throttleProxyP99Ms: {
    default: 0,
    min: 0,
    max: 600_000,
    about:
      "99th percentile of the time that clients' statements take, at the slowest proxy worker, beyond which copies and diffs go slower; 0 for any.",
  },
  throttleSpeedPercent: {
    default: 100,
    min: 1,
    max: 100,
    about: "The most of the time that copies and diffs may work; in the rest they do nothing.",
  },
  sessionsMax: { default: 10_000, min: 1, max: 1_000_000, about: "Client sessions of one proxy worker." },
  sessionsPerUserMax: {
    default: 0,
    min: 0,
    max: 1_000_000,
    about: "Sessions of one user in one proxy worker; 0 for any number.",
  },
  loginsPendingMax: {
    default: 2000,
    min: 1,
    max: 1_000_000,
    about: "Clients of one proxy worker that have connected and not logged in yet.",
  },
  loginTimeoutMs: { default: 10_000, min: 50, max: 600_000, about: "How long the login of a client may take." },
  idleTimeoutMs: {
    default: 0,
    min: 0,
    max: 30 * 24 * HOUR_MS,
    about: "A session without a command for this long is ended, as by a server's wait_timeout; 0 for never.",
  },
  queryTimeoutMs: {
    default: 0,
    min: 0,
    max: 30 * 24 * HOUR_MS,
    about:
      "A statement that a server has executed for this long is killed there; 0 for never. Time in which it waits for a switch does not count.",
  },
  orphanTimeoutMs: {
    default: 60_000,
    min: 100,
    max: HOUR_MS,
    about: "How long a killed statement whose client has gone may take to end before its connection is closed.",
  },
  connectTimeoutMs: { default: 5000, min: 50, max: 600_000, about: "How long connecting to a server may take." },
  childRestartMaxMs: {
    default: 10_000,
    min: 100,
    max: 600_000,
    about: "A child process of serve that keeps ending is started again after this wait at most.",
  },
  shutdownTimeoutMs: {
    default: 10_000,
    min: 0,
    max: HOUR_MS,
    about: "After SIGTERM: how long open transactions may take to end before sessions are closed.",
  },
} as const satisfies Record<string, LimitSpec>;

export type LimitName = keyof typeof LIMITS;
export type Limits = Readonly<Record<LimitName, number>>;

/** The limits of a configuration that says nothing about them. */
export const DEFAULT_LIMITS: Limits = Object.fromEntries(
  Object.entries(LIMITS).map(([name, spec]) => [name, spec.default]),
) as Record<LimitName, number>;
