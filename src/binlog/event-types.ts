/** Type codes of binary log events, as MySQL 5.7 to 9 write them. */
export const EVENT = {
  QUERY: 2,
  STOP: 3,
  ROTATE: 4,
  INTVAR: 5,
  APPEND_BLOCK: 9,
  DELETE_FILE: 11,
  RAND: 13,
  USER_VAR: 14,
  FORMAT_DESCRIPTION: 15,
  XID: 16,
  BEGIN_LOAD_QUERY: 17,
  EXECUTE_LOAD_QUERY: 18,
  TABLE_MAP: 19,
  INCIDENT: 26,
  HEARTBEAT: 27,
  IGNORABLE: 28,
  ROWS_QUERY: 29,
  WRITE_ROWS: 30,
  UPDATE_ROWS: 31,
  DELETE_ROWS: 32,
  GTID: 33,
  ANONYMOUS_GTID: 34,
  PREVIOUS_GTIDS: 35,
  TRANSACTION_CONTEXT: 36,
  VIEW_CHANGE: 37,
  XA_PREPARE: 38,
  PARTIAL_UPDATE_ROWS: 39,
  TRANSACTION_PAYLOAD: 40,
  HEARTBEAT_V2: 41,
  GTID_TAGGED: 42,
} as const;

/** Flags of the event header. */
export const EVENT_FLAG = {
  /** Made up by the server for this dump; not in its log. */
  ARTIFICIAL: 0x20,
  /** May be skipped by a reader that does not know its type. */
  IGNORABLE: 0x80,
} as const;

/** Flags of a rows event. */
export const ROWS_FLAG = { STATEMENT_END: 1 } as const;

/** Length of the common header of every event. */
export const EVENT_HEADER_BYTES = 19;
