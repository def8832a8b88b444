/** Type codes of binary log events, as MySQL 5.6 to 9 write them. */
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
  WRITE_ROWS_V1: 23,
  UPDATE_ROWS_V1: 24,
  DELETE_ROWS_V1: 25,
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

/** Events that no supported source writes, by the names that an operator can look up. They are never skipped. */
export const FOREIGN_EVENTS: Readonly<Record<number, string>> = {
  0: "UNKNOWN",
  1: "START_V3, of MySQL before 5.0",
  6: "LOAD, of MySQL before 5.0",
  7: "number 7, which only ever was in relay logs",
  8: "CREATE_FILE, of MySQL before 5.0",
  10: "EXEC_LOAD, of MySQL before 5.0",
  12: "NEW_LOAD, of MySQL before 5.0",
  20: "PRE_GA_WRITE_ROWS, of MySQL 5.1 before its release",
  21: "PRE_GA_UPDATE_ROWS, of MySQL 5.1 before its release",
  22: "PRE_GA_DELETE_ROWS, of MySQL 5.1 before its release",
  160: "ANNOTATE_ROWS of MariaDB",
  161: "BINLOG_CHECKPOINT of MariaDB",
  162: "GTID of MariaDB",
  163: "GTID_LIST of MariaDB",
  164: "START_ENCRYPTION of MariaDB",
  165: "QUERY_COMPRESSED of MariaDB",
  166: "WRITE_ROWS_COMPRESSED_V1 of MariaDB",
  167: "UPDATE_ROWS_COMPRESSED_V1 of MariaDB",
  168: "DELETE_ROWS_COMPRESSED_V1 of MariaDB",
  169: "WRITE_ROWS_COMPRESSED of MariaDB",
  170: "UPDATE_ROWS_COMPRESSED of MariaDB",
  171: "DELETE_ROWS_COMPRESSED of MariaDB",
};

/** Events that belong to a statement in statement format: its numbers, variables, random seeds and files. */
export const STATEMENT_EVENTS: Readonly<Record<number, string>> = {
  5: "INTVAR",
  9: "APPEND_BLOCK",
  11: "DELETE_FILE",
  13: "RAND",
  14: "USER_VAR",
  17: "BEGIN_LOAD_QUERY",
  18: "EXECUTE_LOAD_QUERY",
};

/** Flags of the event header. */
export const EVENT_FLAG = {
  /** The statement names a temporary table, or something else of its session. */
  THREAD_SPECIFIC: 0x4,
  /** Made up by the server for this dump; not in its log. */
  ARTIFICIAL: 0x20,
  /** May be skipped by a reader that does not know its type. */
  IGNORABLE: 0x80,
} as const;

/** Flags of a rows event. */
export const ROWS_FLAG = {
  STATEMENT_END: 1,
  NO_FOREIGN_KEY_CHECKS: 2,
  RELAXED_UNIQUE_CHECKS: 4,
  COMPLETE_ROWS: 8,
  /** The foreign keys were checked, and rows changed by them logged, above the storage engine. */
  USE_SQL_FOREIGN_KEY: 16,
} as const;

/** Flags of a TABLE_MAP event. */
export const TABLE_FLAG = { GENERATED_INVISIBLE_PRIMARY_KEY: 4 } as const;

/** Length of the common header of every event. */
export const EVENT_HEADER_BYTES = 19;
