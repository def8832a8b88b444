import type { Gtid, GtidSet } from "../gtid/gtid-set.ts";
import type { TableMap } from "./table-map.ts";

/** What the header of an event says. */
export interface EventHeader {
  /** Seconds since 1970, when the statement began on the server where it was first run. */
  readonly timestamp: number;
  readonly type: number;
  readonly serverId: number;
  readonly size: number;
  /** End of the event in its file modulo 2^32; 0 where it has none. `LogPlace` makes a position of it. */
  readonly logPosition: number;
  readonly flags: number;
}

/** What the event that begins a transaction says besides its identity. */
export interface TransactionFacts {
  /** When it committed on the server that is read, in microseconds since 1970. */
  readonly commitMicros: number;
  /** When it committed on the server where it was first run. */
  readonly originalCommitMicros: number;
  /** Bytes of the whole transaction in the log, as the server says; a hint only. */
  readonly transactionBytes: number;
  /** Logical clock: the newest transaction that must be applied before this one may begin. */
  readonly lastCommitted: number;
  /** Logical clock: the transaction's own number in its file. */
  readonly sequenceNumber: number;
  /** Whether the transaction may hold statements as text besides rows. */
  readonly mayHaveStatements: boolean;
  /** As 90704 for 9.7.4; 0 where the server did not write it. */
  readonly serverVersion: number;
  /** The version of the server where it was first run. */
  readonly originalServerVersion: number;
}

/** A transaction begins. */
export interface GtidEvent extends TransactionFacts {
  readonly kind: "gtid";
  readonly gtid: Gtid;
}

/** A transaction without identity begins (`gtid_mode` other than ON). */
export interface AnonymousGtidEvent extends TransactionFacts {
  readonly kind: "anonymous-gtid";
}

/** A statement as text: BEGIN, COMMIT, XA statements, DDL, or data changes in statement format. */
export interface QueryEvent {
  readonly kind: "query";
  /** Seconds since 1970, when the statement began on the server where it was first run. */
  readonly timestamp: number;
  /** The default schema of the statement; may be empty. */
  readonly schema: string;
  readonly sql: string;
  /** The session's `sql_mode` bits, by which the text must be read; 0 where the event does not tell. */
  readonly sqlMode: bigint;
  readonly threadId: number;
  readonly executionSeconds: number;
  /** The error with which the statement ended on the source; 0 for none. */
  readonly errorCode: number;
  /** The session's settings, for `decodeQueryStatus`. */
  readonly status: Buffer;
  /** It depends on its session: it names a temporary table, or asks for the connection's number. */
  readonly ofThread: boolean;
}

export type RowOperation = "write" | "update" | "delete";

/** Changed rows of one table. The rows stay raw bytes until a {@link RowWalker} goes over them. */
export interface RowsEvent {
  readonly kind: "rows";
  readonly operation: RowOperation;
  readonly table: TableMap;
  /** Bits of `ROWS_FLAG`. */
  readonly flags: number;
  readonly statementEnd: boolean;
  /** The partitions of the row before and after, where the table has any: one number, or two for updates. */
  readonly partitions: readonly number[] | undefined;
  /** One bit per column, lowest first: whether the image before (for `write`, the only image) has it. */
  readonly columns: Buffer;
  /** The same for the image after an update; equal to {@link columns} for other operations. */
  readonly columnsAfter: Buffer;
  /** Images after the update may hold JSON values as differences from the image before. */
  readonly partialJson: boolean;
  readonly rows: Buffer;
}

/** The name of an XA branch. */
export interface XaBranch {
  readonly formatId: number;
  readonly gtrid: Buffer;
  readonly bqual: Buffer;
}

export interface XaPrepareEvent {
  readonly kind: "xa-prepare";
  /** The transaction was committed at once by XA COMMIT … ONE PHASE. */
  readonly onePhase: boolean;
  readonly branch: XaBranch;
}

/** A transaction that the server has packed into one event. Its inner events can be had once, in one way or the other. */
export interface PayloadEvent {
  readonly kind: "payload";
  readonly compression: "zstd" | "none";
  /** What the event claims that it unpacks to. More is never unpacked, less is an error. */
  readonly uncompressedBytes: number;
  readonly compressedBytes: number;
  /** Unpacks all at once; refused above the decoder's limit. @throws {SwitchyardError} `BINLOG_PAYLOAD_TOO_LARGE` */
  readonly events: () => Generator<BinlogEvent>;
  /** Unpacks piece by piece: never more in memory than one inner event and one piece, however large the whole is. */
  readonly stream: () => AsyncGenerator<BinlogEvent>;
}

export interface FormatDescriptionEvent {
  readonly kind: "format-description";
  readonly serverVersion: string;
  /** Whether the events that follow have checksums. */
  readonly checksums: boolean;
}

/** A decoded event. `skipped` are those without meaning for a reader: ends of files, group replication, ignorable ones. */
export type BinlogEvent =
  | GtidEvent
  | AnonymousGtidEvent
  | QueryEvent
  | RowsEvent
  | XaPrepareEvent
  | PayloadEvent
  | FormatDescriptionEvent
  | { readonly kind: "table-map"; readonly table: TableMap }
  | { readonly kind: "xid"; readonly xid: bigint }
  /** The log goes on in another file. */
  | { readonly kind: "rotate"; readonly file: string; readonly position: number }
  | { readonly kind: "previous-gtids"; readonly set: GtidSet }
  /** Nothing new: the log is read up to this place. */
  | { readonly kind: "heartbeat"; readonly file: string; readonly position: number }
  /** The text of the statement whose rows follow. */
  | { readonly kind: "rows-query"; readonly sql: string }
  | { readonly kind: "statement-context"; readonly type: number }
  | { readonly kind: "skipped"; readonly type: number };
