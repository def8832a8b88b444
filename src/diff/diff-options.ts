import type { Clock } from "../base/clock.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import type { Pace } from "../base/pace.ts";
import type { TableName } from "../base/table-name.ts";
import { MIGRATION_ATTRIBUTE, ROLE_ATTRIBUTE } from "../mysql/connect-attributes.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { SourceReplica } from "../mysql/source-replica.ts";
import type { TableMappings } from "../table/table-mapping.ts";
import type { DiffKeeper } from "./diff-keeper.ts";
import type { DiffProgress, SchemaDifference } from "./diff-report.ts";
import type { DifferenceFiles } from "./difference-files.ts";

/** What a diff asks of the stream that writes to the other side. */
export interface DiffStreamPort {
  /**
   * Takes in nothing newer until {@link continue}; what is in hand may still be applied. Called while a table is locked, and
   * so to be done at once.
   */
  closeIntake(): void | Promise<void>;
  /** The same, and resolves when nothing is in hand any more. */
  pauseIntake(): Promise<void>;
  /**
   * Resolves when the other side holds exactly the transactions of `position` (a GTID set), as far as they concern
   * `tables`, and stays there.
   */
  stopAt(
    position: string,
    options: { readonly timeoutMs: number; readonly tables: readonly TableName[] },
  ): Promise<void>;
  /** Goes on as before; harmless when nothing is paused. */
  continue(): void;
}

export interface DiffLimits {
  /** Tables compared at a time; each takes a connection to either server. */
  readonly tablesAtOnce: number;
  /** How long the stream may take to reach the position of the snapshot. */
  readonly stopTimeoutMs: number;
  readonly lockWaitMs: number;
  /** How long a replica that is read from may take to get what the home has; the stream stands meanwhile. */
  readonly replicaWaitMs: number;
  /** Attempts to lock a table in one pause of the stream, and how many such pauses; between two the stream runs. */
  readonly lockAttempts: number;
  readonly lockRounds: number;
  readonly lockRestMs: number;
  readonly samplesMax: number;
  /** Rows of both sides of a table that may be set aside until their partners come. */
  readonly parkedRowsMax: number;
  readonly parkedBytesMax: number;
  readonly progressIntervalMs: number;
  /** Bytes of the keys of one table's differences that are kept for a repair. */
  readonly keysBytesMax: number;
  /** How long one pair of snapshots of a table stays open: then another is opened, and rows are read on from there. */
  readonly sliceMaxMs: number;
  /** When keys that are not equal are looked at again, and then after three times as long: the stream may be bringing them. */
  readonly lookAgainMs: number;
  /** Between two times that what has been compared is kept. */
  readonly keepEveryMs: number;
  /** Rows of one range whose sums a fast diff compares, and of the smaller ones into which it is cut where these differ. */
  readonly fastRangeRows: number;
  readonly fastReadRows: number;
}

export const DEFAULT_DIFF_LIMITS: DiffLimits = {
  tablesAtOnce: 2,
  stopTimeoutMs: 600_000,
  lockWaitMs: 500,
  replicaWaitMs: 10_000,
  lockAttempts: 4,
  lockRounds: 20,
  lockRestMs: 2000,
  samplesMax: 100,
  parkedRowsMax: 20_000,
  parkedBytesMax: 32 * 1024 * 1024,
  progressIntervalMs: 200,
  keysBytesMax: 16 * 1024 * 1024,
  sliceMaxMs: 600_000,
  lookAgainMs: 100,
  keepEveryMs: 5000,
  fastRangeRows: 10_000,
  fastReadRows: 500,
};

/** The keys of rows that differ, each as the fields by which it was compared. */
export interface TableKeys {
  readonly table: TableName;
  readonly keys: readonly (readonly Buffer[])[];
  /** Whether these are all. */
  readonly complete: boolean;
}

export interface DiffOptions {
  readonly migration: string;
  /** Which side is the home: the migration's source when forward, its target when reverse. */
  readonly direction: "forward" | "reverse";
  /** Where writes go. */
  readonly home: Endpoint;
  /** `server_uuid` of the home, as the stream knows it: no other server is read in its place. Any where left out. */
  readonly homeUuid?: string;
  /** A replica of the home that the home's rows are read from; the home itself where left out. */
  readonly readHomeFrom?: Endpoint;
  /** Where the stream writes. */
  readonly other: Endpoint;
  readonly tables: readonly TableName[];
  /** In what the migration's target differs from its source. */
  readonly mappings?: TableMappings;
  /** How triggers, views and routines of the tables differ between the migration's source and target; not asked where left out. */
  readonly objects?: () => Promise<readonly SchemaDifference[]>;
  readonly stream: DiffStreamPort;
  /** Compares sums of ranges of keys that the servers compute, and reads the rows of those only that differ. */
  readonly fast?: boolean;
  /** Where what has been compared, and the keys of what was found, is kept; nowhere where left out. */
  readonly keeper?: DiffKeeper;
  /** Where every difference is written, with both rows whole. */
  readonly files?: DifferenceFiles;
  /** Told of each table that has differences, once it is compared; of the keys that no keeper has. */
  readonly onDifferences?: (differences: TableKeys) => void;
  readonly onProgress?: (progress: DiffProgress) => void;
  /** Told how long the stream stood each time that both sides were opened as of one moment. */
  readonly onPause?: (pausedMs: number) => void;
  /** Called when the stream begins to stand; `onPause` tells that it goes on. */
  readonly onStand?: () => void;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly clock: Clock;
  readonly failpoint: FailpointHook;
  /** How fast both sides may be read; as fast as they can where left out. */
  readonly pace?: Pace;
  readonly limits?: Partial<DiffLimits>;
  /** What its sessions are found by on the servers; see `left-sessions.ts`. */
  readonly mark?: string;
}

/** The connection attribute that holds {@link DiffOptions.mark}. */
export const DIFF_MARK = "switchyard_diff";

/** How the sessions of a diff are known on the servers. */
export function diffAttributes({ migration, mark }: Pick<DiffOptions, "migration" | "mark">): Record<string, string> {
  const attributes = { [MIGRATION_ATTRIBUTE]: migration, [ROLE_ATTRIBUTE]: "diff" };
  return mark === undefined ? attributes : { ...attributes, [DIFF_MARK]: mark };
}

/** Options of a diff under way: `home` and `homeUuid` are of the server that is read from. */
export interface ReadingOptions extends DiffOptions {
  /** Set where that is a replica. */
  readonly replica?: SourceReplica;
}
