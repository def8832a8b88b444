import type { Gtid, GtidSet } from "../gtid/gtid-set.ts";
import type { TableMap } from "./table-map.ts";

/** What the header of an event says. */
export interface EventHeader {
  /** Seconds since 1970, when the statement began on the server where it was first run. */
  readonly timestamp: number;
  readonly type: number;
  readonly serverId: number;
  readonly size: number;
  /** End of the event in its file modulo 2^32; never used as a position. */
  readonly logPosition: number;
  readonly flags: number;
}

/** A transaction begins. */
export interface GtidEvent {
  readonly kind: "gtid";
  readonly gtid: Gtid;
  /** When it committed on the server that is read, in microseconds since 1970. */
  readonly commitMicros: number;
  /** Bytes of the whole transaction in the log, as the server says; a hint only. */
  readonly transactionBytes: number;
}

/** A statement as text: BEGIN, COMMIT, XA statements, DDL, or data changes in statement format. */
export interface QueryEvent {
  readonly kind: "query";
  /** The default schema of the statement; may be empty. */
  readonly schema: string;
  readonly sql: string;
  /** The session's `sql_mode` bits, by which the text must be read; 0 where the event does not tell. */
  readonly sqlMode: bigint;
}

export type RowOperation = "write" | "update" | "delete";

/** Changed rows of one table. The rows stay raw bytes until a {@link RowWalker} goes over them. */
export interface RowsEvent {
  readonly kind: "rows";
  readonly operation: RowOperation;
  readonly table: TableMap;
  readonly statementEnd: boolean;
  /** One bit per column, lowest first: whether the image before (for `write`, the only image) has it. */
  readonly columns: Buffer;
  /** The same for the image after an update; equal to {@link columns} for other operations. */
  readonly columnsAfter: Buffer;
  readonly rows: Buffer;
}

export interface XaPrepareEvent {
  readonly kind: "xa-prepare";
  /** The transaction was committed at once by XA COMMIT … ONE PHASE. */
  readonly onePhase: boolean;
}

/** A decoded event. `skipped` are those without meaning for a reader: rotations, annotations, ignorable ones. */
export type BinlogEvent =
  | GtidEvent
  | QueryEvent
  | RowsEvent
  | XaPrepareEvent
  | { readonly kind: "table-map"; readonly table: TableMap }
  | { readonly kind: "xid" }
  | { readonly kind: "format-description"; readonly serverVersion: string }
  | { readonly kind: "rotate"; readonly file: string }
  | { readonly kind: "previous-gtids"; readonly set: GtidSet }
  | { readonly kind: "heartbeat" }
  | { readonly kind: "statement-context"; readonly type: number }
  | { readonly kind: "payload"; readonly events: () => Generator<BinlogEvent> }
  | { readonly kind: "skipped"; readonly type: number };
