import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import type { PacedWork } from "../base/pace.ts";
import type { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { SourceReplica } from "../mysql/source-replica.ts";
import type { CopiedTable } from "./copy-state.ts";
import type { LedgerClaim } from "./ledger.ts";
import type { StreamLimits } from "./stream-options.ts";

/** What one cycle of the copy works with. */
export interface CopyContext {
  readonly claim: LedgerClaim;
  /** The server that rows are read from: the stream's source, or a replica of it. */
  readonly source: Endpoint;
  /** Set where it is a replica. */
  readonly replica?: SourceReplica;
  readonly target: Endpoint;
  /** A session on that server for questions; not one that reads the snapshot. */
  readonly observer: Connection;
  /** A session on the target that no transaction is open on. */
  readonly control: Connection;
  readonly limits: StreamLimits;
  /** The target's `max_allowed_packet`. */
  readonly packetBytesMax: number;
  readonly failpoint: FailpointHook;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly isOver: () => boolean;
  readonly whilePaused: () => Promise<void>;
  readonly pace: PacedWork;
  readonly onRows: (table: CopiedTable, rows: number) => void;
  /** What was copied of a table that counts only as a whole is gone: its copy begins, for so many times now. */
  readonly onAgain: (table: CopiedTable, beginnings: number) => void;
  /** Rows of each table, by the source's own guess. */
  readonly estimates: ReadonlyMap<string, number>;
  /** `server_uuid` of the server that rows are read from: a snapshot of any other is not used. */
  readonly sourceUuid: string;
}
