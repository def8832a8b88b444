import type { OnDdl } from "../rules/on-ddl.ts";
import type { TableMappings } from "../table/table-mapping.ts";
import type { Phase } from "./phase.ts";
import type { FenceKind } from "./switch-options.ts";

/** Which way rows flow: `forward` from the source as first created, `reverse` back to it. */
export type Direction = "forward" | "reverse";

/** One thing that was done or happened, for `migration history`. Only ever appended. */
export interface HistoryEntry {
  /** ISO 8601, of the process that wrote it. */
  readonly at: string;
  readonly who: string;
  readonly what: string;
  readonly reason?: string;
  readonly result?: string;
}

/** Who paused a stream and why; and, but for pauses of earlier versions, when, and how late it was then. */
export interface StreamPause {
  readonly by: string;
  readonly reason: string;
  /** ISO 8601. */
  readonly at?: string;
  readonly lagMs?: number;
}

/** What an operator or an error has done to a stream; it leaves the phase as it was. */
export interface StreamState {
  readonly paused?: StreamPause;
  /** The message of the error that stopped it; cleared by `resume`. */
  readonly error?: string;
  /** The transaction of the DDL that it stopped before, where it can go on after it. */
  readonly stoppedAtDdl?: string;
  /** The one that somebody has said it may go on after, as the tables it writes to are level with it. */
  readonly afterDdl?: string;
}

/** An attempt to switch or roll back, from its first write to the store until it has ended either way. */
export interface SwitchAttempt {
  /** Fresh for each attempt: names its arming, its hold and the reverse stream's start position. */
  readonly token: string;
  readonly kind: "switch" | "rollback";
  readonly startedAt: string;
  readonly who: string;
  /**
   * Set once the rules are certain not to be swapped by this attempt: what is left of it is to be cleared away on the
   * servers. Absent while it may still swap, and after it has.
   */
  readonly state?: "aborting";
  /** How the old home is fenced until the lasting fence stands; `lock` where absent. */
  readonly fence?: FenceKind;
  /** The token under which the stream that feeds the new home had begun; absent for the first forward stream. */
  readonly feedingToken?: string;
}

/**
 * How far rows that were changed since a diff have been compared again. It holds whichever way rows flow: every row that
 * neither server has changed behind its set here is equal on both.
 */
export interface Refreshed {
  /** GTID sets of both servers. */
  readonly source: string;
  readonly target: string;
  /** ISO 8601, just before these were read. */
  readonly time: string;
  /** Tables whose rows no key tells apart, changed since they were compared: by name, as of when they were, ISO 8601. */
  readonly behind?: Readonly<Record<string, string>>;
}

/** The outcome of the last diff of one direction, as far as the gate needs it. */
export interface DiffSummary {
  readonly direction: Direction;
  readonly finishedAt: string;
  /** GTID set of the home at which both sides were compared, or all rows that it has changed since once more. */
  readonly verifiedAt: string;
  /** ISO 8601: just before that; what is compared is as old as this. Absent in those of earlier versions, which say `finishedAt` only. */
  readonly verifiedTime?: string;
  readonly rows: number;
  readonly differences: number;
  /** Absent where rows that are changed from then on are not compared again, as in those of earlier versions. */
  readonly refreshed?: Refreshed;
  /** Why they are not, or not any more. */
  readonly notRefreshed?: string;
}

/** A diff that is under way, or was when something ended it, as long as another may go on from what it has kept. */
export interface DiffRun {
  /** That of the order that began it. */
  readonly id: string;
  readonly direction: Direction;
  /** Rules generation of the last switch or rollback before it. */
  readonly generation: number;
  readonly readFrom?: string;
}

/** What may be said of one migration's throttling; each wins over the limit of that name in the configuration. */
export const THROTTLE_LIMITS = [
  "throttleHistoryMax",
  "throttleSourceThreadsMax",
  "throttleTargetThreadsMax",
  "throttleCommitMs",
  "throttleReplicaLagMs",
  "throttleProxyP99Ms",
  "throttleSpeedPercent",
] as const;

export type ThrottleLimit = (typeof THROTTLE_LIMITS)[number];

/** How gently a migration's copy and diffs go, as an operator has said; what is left out is as configured. */
export interface Tuning {
  readonly limits?: Readonly<Partial<Record<ThrottleLimit, number>>>;
  /** Names of `backends:` whose lag is watched: replicas of the source or of the target. */
  readonly replicas?: readonly string[];
  /** Name in `backends:` of the replica of the source that the copy and the diffs read rows from; the source where absent. */
  readonly readFrom?: string;
}

/**
 * The journal of one migration, under {@link MIGRATIONS_PREFIX} + id. After a crash this document says where the
 * migration stands; what the steps between hold and swap have done is read from the servers.
 */
export interface MigrationDocument {
  readonly format: 3;
  readonly id: string;
  /** Names of `backends:`. */
  readonly source: string;
  readonly target: string;
  readonly sourceUuid: string;
  readonly targetUuid: string;
  /** Keys `schema.table`, sorted. */
  readonly tables: readonly string[];
  /** In what target tables differ from the source's, as was said when the migration was created. Absent where in nothing. */
  readonly mappings?: TableMappings;
  /** Target tables that this migration created; only these may `cancel` drop. */
  readonly createdTables: readonly string[];
  readonly createdSchemas: readonly string[];
  readonly phase: Phase;
  /** What becomes of DDL on the tables, on whichever server is their home. */
  readonly onDdl: OnDdl;
  readonly streams: Readonly<Record<Direction, StreamState>>;
  readonly diffs: readonly DiffSummary[];
  /** Absent where no diff is under way or could be gone on with. */
  readonly diffRun?: DiffRun;
  /** Like {@link diffRun}, of a fast one; not both. A program that does not know it begins a full diff in its place. */
  readonly fastRun?: DiffRun;
  /** Absent where nothing was said: everything as configured. */
  readonly tuning?: Tuning;
  /**
   * Replicas that the copy was told to read from before it was done. A diff that reads the same one cannot see what had gone
   * wrong there, and so says nothing about the source.
   */
  readonly copiedFrom?: readonly string[];
  /** Set from arming until the attempt has ended. */
  readonly attempt?: SwitchAttempt;
  /**
   * The attempt that moved the tables last: from its swap on, the server that is not their home is fenced under
   * this token. While it equals the token of {@link attempt}, that attempt has swapped the rules.
   */
  readonly fenceToken?: string;
  /**
   * GTID set of that server, read under its fence just before the swap. Writes to the tables there that are not in
   * it and not made by our streams are strays.
   */
  readonly cutPosition?: string;
  /** Rules generation and switch id of the last switch or rollback. */
  readonly generation: number;
  readonly switchId: string;
  /** What was done and what happened, oldest first; bounded, but the first entry stays. */
  readonly history: readonly HistoryEntry[];
}
