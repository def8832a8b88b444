import type { Clock } from "../base/clock.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import type { Pace } from "../base/pace.ts";
import type { TableName } from "../base/table-name.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { OnDdl } from "../rules/on-ddl.ts";
import type { TableMappings } from "../table/table-mapping.ts";
import type { CarriedDdl } from "./ddl-carrier.ts";
import type { Direction } from "./direction.ts";
import type { StreamStatus } from "./stream-status.ts";

/** What bounds a stream. Times in milliseconds. */
export interface StreamLimits {
  /** Connections that read ranges of the tables side by side, each with one that writes. */
  readonly copyReaders: number;
  /** A chunk ends at whichever of both comes first. Two of them are in memory for each reader. */
  readonly chunkRowsMax: number;
  readonly chunkBytesMax: number;
  /** How long one snapshot of the source may stay open before catch-up gets its turn. */
  readonly copyCycleMaxMs: number;
  /** How long the source's tables may be waited for, and how often, to take a snapshot. */
  readonly snapshotLockWaitMs: number;
  readonly snapshotAttempts: number;
  /** How long a replica that rows are read from may take to get what the source has. */
  readonly replicaWaitMs: number;
  /** How often the copy of a table that counts only as a whole may begin; then the stream stops, and says so. */
  readonly wholeBeginningsMax: number;
  /** Lag below which the next snapshot is opened, and below which the stream counts as running. */
  readonly cycleLagMaxMs: number;
  /** Source transactions that may share one target transaction while the stream is behind. */
  readonly groupTransactionsMax: number;
  /** Bytes of SQL sent to the target at once; a larger row goes alone. */
  readonly groupBytesMax: number;
  /** Bytes of rendered changes that wait for the target before the source's log is left waiting. */
  readonly queueBytesMax: number;
  /** How often the heartbeat row of the source is written. */
  readonly heartbeatMs: number;
  /** How often the server is to say that it has nothing to say. */
  readonly dumpHeartbeatMs: number;
  /** How often the position is written while no transaction touches the tables. */
  readonly idlePositionMs: number;
  /** How long a transaction may be in the source's log before the source counts it as executed. */
  readonly visibilityWaitMs: number;
  /** How often the source is asked how long it keeps its log; below which time that is logged, and a copy stops. */
  readonly runwayEveryMs: number;
  readonly runwayWarnMs: number;
  readonly runwayStopMs: number;
  readonly reconnectFirstMs: number;
  readonly reconnectMaxMs: number;
  /** Failures in a row, without progress between them, after which the stream gives up. */
  readonly failuresMax: number;
}

export const DEFAULT_STREAM_LIMITS: StreamLimits = {
  copyReaders: 2,
  chunkRowsMax: 50_000,
  chunkBytesMax: 4 * 1024 * 1024,
  copyCycleMaxMs: 3_600_000,
  snapshotLockWaitMs: 500,
  snapshotAttempts: 60,
  replicaWaitMs: 30_000,
  wholeBeginningsMax: 20,
  cycleLagMaxMs: 1000,
  groupTransactionsMax: 500,
  groupBytesMax: 1024 * 1024,
  queueBytesMax: 4 * 1024 * 1024,
  heartbeatMs: 500,
  dumpHeartbeatMs: 5000,
  idlePositionMs: 5000,
  visibilityWaitMs: 30_000,
  runwayEveryMs: 30_000,
  runwayWarnMs: 7_200_000,
  runwayStopMs: 1_800_000,
  reconnectFirstMs: 100,
  reconnectMaxMs: 5000,
  failuresMax: 100,
};

export interface StreamOptions {
  readonly migration: string;
  readonly direction: Direction;
  /** The server whose changes are followed. */
  readonly source: Endpoint;
  /** Where the copy's rows are read, from the next snapshot on: a replica of the source, or the source itself. */
  readonly readFrom?: () => Endpoint | undefined;
  /** The server that is written to; the ledger lives there. */
  readonly target: Endpoint;
  /**
   * `server_uuid` of both, as the migration knows them: no other server is followed or written to. Left out, the
   * ledger alone says which server was followed before.
   */
  readonly servers?: { readonly source: string; readonly target: string };
  readonly tables: readonly TableName[];
  /** In what the migration's target differs from its source, in either direction. */
  readonly mappings?: TableMappings;
  /**
   * The token under which a switch has written this stream's start position. Such a stream never copies. Left out
   * for the first stream of a migration, which copies first.
   */
  readonly startToken?: string;
  /** How long one snapshot of the source may stay open; wins over {@link limits}. */
  readonly copyCycleMaxMs?: number;
  readonly limits?: Partial<StreamLimits>;
  readonly log: Logger;
  readonly clock: Clock;
  readonly failpoint?: FailpointHook;
  /** How fast the copy may go; as fast as it can where left out. Catch-up is not asked to wait. */
  readonly pace?: Pace;
  /**
   * Called when rows of the target were not as expected, once the status counts them and before the transaction that found
   * it commits; where it rejects, nothing is committed and the stream tries again. A transaction that comes again is
   * counted again.
   */
  readonly onDrift?: () => Promise<void>;
  /** What becomes of definition statements on the source; they stop the stream where left out. Asked at each. */
  readonly onDdl?: () => OnDdl;
  /** The transaction of a definition statement that somebody has brought the target level with: it is passed over. */
  readonly afterDdl?: string;
  /** Called when one did not stop the stream, before it is recorded; where it rejects the stream tries again. */
  readonly onDdlSeen?: (ddl: CarriedDdl) => Promise<void>;
  /** Called when the status has changed in a way that people want to see at once; poll {@link Stream.status} for the rest. */
  readonly onStatus?: (status: StreamStatus) => void;
}
