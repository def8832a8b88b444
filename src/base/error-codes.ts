/** What the program itself needs to know of a code; its doc comment is for the operator. */
export interface ErrorKind {
  /** Whether the same thing done again, unchanged, can succeed. */
  readonly retryable: boolean;
  /**
   * Exit code of a command that ends with it: 1 failed, 2 usage, 3 refused by a gate (nothing changed),
   * 4 aborted (back as before), 5 outcome unknown.
   */
  readonly exit: 1 | 2 | 3 | 4 | 5;
}

/**
 * Every error that Switchyard raises on purpose, by area, each with what it means and what to do about it.
 * The reference page is generated from this file, so each entry carries its explanation as a doc comment.
 */
export const ERROR_CODES = {
  // base
  /** A defect of Switchyard. Report it with the log around it; nothing an operator did can cause it. */
  INTERNAL_INVARIANT: { retryable: false, exit: 1 },
  /** The work was asked to stop (shutdown, cancellation, a client that went away) before it was done. */
  CANCELLED: { retryable: true, exit: 1 },
  /** A step did not end within its limit. The message names the step and the limit. */
  TIMEOUT: { retryable: true, exit: 1 },
  /** A bounded queue is full; the sender must wait or give up. */
  QUEUE_FULL: { retryable: true, exit: 1 },

  /** A table was not named as schema.table. */
  TABLE_NAME_INVALID: { retryable: false, exit: 2 },

  // gtid
  /** A GTID set, as text or in binary form, is malformed or holds numbers above 2^53. */
  GTID_SET_INVALID: { retryable: false, exit: 2 },

  // wire
  /** A packet breaks the MySQL protocol: damaged on the way, or the peer is not a MySQL server or client. The connection is closed. */
  WIRE_MALFORMED: { retryable: false, exit: 1 },
  /** The peer announces a packet larger than the limit for this kind of connection. The connection is closed. */
  WIRE_PACKET_TOO_LARGE: { retryable: false, exit: 1 },
  /** A packet came where the protocol allows none, or none of its kind. The connection is closed. */
  WIRE_UNEXPECTED_PACKET: { retryable: false, exit: 1 },

  // sql
  /** A client sent more statements in one text than are read. Send fewer at once. */
  SQL_TOO_MANY_STATEMENTS: { retryable: false, exit: 1 },

  // config
  /** The configuration file cannot be read. */
  CONFIG_UNREADABLE: { retryable: false, exit: 2 },
  /** The configuration has entries that cannot be used; the message names each with its line and what is expected. */
  CONFIG_INVALID: { retryable: false, exit: 2 },
  /** `switchyard proxy` and `switchyard controller` need a store that other processes can reach: name an etcd. */
  CONFIG_STORE_NOT_SHARED: { retryable: false, exit: 2 },
  /** The environment variables that arm a failpoint for tests are wrong. */
  CONFIG_FAILPOINT_INVALID: { retryable: false, exit: 2 },

  /** `default:` in the configuration is not what the stored rules say. Routing would not be what it was. */
  CONFIG_DEFAULT_CHANGED: { retryable: false, exit: 1 },

  // binlog
  /** An event of the binary log breaks its format: damaged, cut, or not from a MySQL server. */
  BINLOG_MALFORMED: { retryable: false, exit: 1 },
  /** An event of the binary log does not match its checksum. A damaged network path heals on reconnect; a damaged disk does not. */
  BINLOG_CHECKSUM_WRONG: { retryable: true, exit: 1 },
  /** An event of a type that Switchyard does not know and that the server does not mark as ignorable. */
  BINLOG_EVENT_UNKNOWN: { retryable: false, exit: 1 },
  /** An event that Switchyard knows and cannot apply: partial JSON updates, transactions without GTID. */
  BINLOG_EVENT_REFUSED: { retryable: false, exit: 1 },
  /** The source wrote an incident into its log: changes may be missing there. The copy must start again. */
  BINLOG_SOURCE_INCIDENT: { retryable: false, exit: 1 },
  /** A table in the binary log has a column of a type that Switchyard does not know. */
  BINLOG_COLUMN_UNKNOWN: { retryable: false, exit: 1 },
  /** Rows came without the event that describes their table. */
  BINLOG_TABLE_MAP_MISSING: { retryable: false, exit: 1 },
  /** The tables of one transaction take more than 64 MiB to describe, which no server's own tables do. */
  BINLOG_TABLE_MAPS_TOO_LARGE: { retryable: false, exit: 1 },
  /** A compressed transaction is larger than the configured limit. */
  BINLOG_PAYLOAD_TOO_LARGE: { retryable: false, exit: 1 },
  /** The events of a transaction came in an order that no MySQL server writes, or that Switchyard cannot follow. */
  BINLOG_TRANSACTION_SHAPE: { retryable: false, exit: 1 },

  // table
  /** A table does not exist, is a view, or the account may not see it. */
  TABLE_MISSING: { retryable: false, exit: 3 },

  // mysql
  /** A MySQL server cannot be reached: nothing listens, the name is unknown, or no answer came in time. */
  MYSQL_UNREACHABLE: { retryable: true, exit: 1 },
  /** A MySQL server refuses the account: wrong password, unknown user, not allowed from this machine, locked or expired. */
  MYSQL_ACCESS_DENIED: { retryable: false, exit: 1 },
  /** The TLS mode of a backend requires TLS, and the server offers none. The password was not sent. */
  MYSQL_TLS_UNAVAILABLE: { retryable: false, exit: 1 },
  /** A MySQL server offers none of the compression algorithms that the configuration allows for it. The password was not sent. */
  MYSQL_COMPRESSION_UNAVAILABLE: { retryable: false, exit: 1 },
  /** TLS with a MySQL server could not be agreed on, most often because its certificate does not verify. The password was not sent. */
  MYSQL_TLS_FAILED: { retryable: false, exit: 1 },
  /** A MySQL server wants an authentication method that is not supported, or one that would send the password in clear text. */
  MYSQL_AUTH_METHOD_UNKNOWN: { retryable: false, exit: 1 },
  /** A MySQL server answered a statement with an error. The message carries its number and text. */
  MYSQL_SERVER_ERROR: { retryable: false, exit: 1 },
  /** A connection to a MySQL server ended. The message says whether a statement was in flight, whose outcome is then unknown. */
  MYSQL_CONNECTION_LOST: { retryable: true, exit: 1 },
  /**
   * Commits on a server do not end: as a rule the disk of its binary log is full, and it waits for room. A session that waits there is
   * not ended, because the server would stop itself.
   */
  MYSQL_COMMITS_STAND_STILL: { retryable: true, exit: 1 },
  /** A MySQL server asked for the contents of a file that no statement of ours offered. It got nothing. Distrust that server. */
  MYSQL_LOCAL_INFILE_REFUSED: { retryable: false, exit: 1 },
  /** A table could not be locked for a snapshot within the attempts allowed: others held it. The message names who. */
  MYSQL_SNAPSHOT_LOCK_TIMEOUT: { retryable: true, exit: 1 },
  /** Sessions of one address came up on several servers, or not on the one that was checked. What one server shows is never taken for another's. Give an address that leads to one server. */
  MYSQL_SERVERS_MIXED: { retryable: true, exit: 1 },
  /** Rows cannot be read from this server in place of its source: it is no replica of it, has transactions of its own, or leaves some out. */
  MYSQL_REPLICA_UNFIT: { retryable: false, exit: 3 },
  /** A replica that rows are to be read from does not get what its source has; it may have stopped. */
  MYSQL_REPLICA_BEHIND: { retryable: true, exit: 1 },

  // store
  /** The store cannot be reached or has stopped; it certainly did nothing. */
  STORE_UNAVAILABLE: { retryable: true, exit: 1 },
  /** The store did not say whether a write was applied. Only a later read or swap tells; never send it again blind. */
  STORE_OUTCOME_UNKNOWN: { retryable: false, exit: 5 },
  /** A write named a lease that has ended; nothing was written. Its holder must take a new one. */
  STORE_LEASE_LOST: { retryable: false, exit: 1 },
  /** A key, value, lease or transaction is out of the store's bounds; nothing was written. */
  STORE_REQUEST_INVALID: { retryable: false, exit: 1 },
  /** The journal of the embedded store is damaged. Restore the data directory from a backup. */
  STORE_CORRUPT: { retryable: false, exit: 1 },
  /** Another process uses the same data directory. Stop it, or give this one a directory of its own. */
  STORE_LOCKED: { retryable: false, exit: 1 },
  /** The data directory cannot be made, read or written. Check its owner, its mode and the disk. */
  STORE_DIRECTORY_UNUSABLE: { retryable: false, exit: 1 },
  /** A stored document was written by a newer version. It is left as it is; run a version at least as new. */
  STORE_FORMAT_NEWER: { retryable: false, exit: 1 },

  // rules
  /** A document of the routing rules or of a proxy in the store cannot be read. Restore it from a backup of the store. */
  RULES_MALFORMED: { retryable: false, exit: 1 },
  /** The store holds no routing rules yet. The first `serve` or controller writes them. */
  RULES_MISSING: { retryable: true, exit: 1 },
  /** Another migration has armed or holds one of the tables. Wait until it has switched or given up. */
  RULES_TABLE_TAKEN: { retryable: true, exit: 3 },
  /** The rules kept changing while a change was tried; it was not made. Try again. */
  RULES_CONTENDED: { retryable: true, exit: 4 },

  // proxy
  /** A backend cannot be reached, does not greet, or lacks what the client uses. Nothing was sent to it. */
  PROXY_BACKEND_UNREACHABLE: { retryable: true, exit: 1 },
  /** The server closed a session's connection. Where a statement was in flight, its client is told and disconnected. */
  PROXY_BACKEND_LOST: { retryable: false, exit: 1 },
  /** The proxy cannot listen on its address: another program uses the port, or the address is not this machine's. */
  PROXY_LISTEN_FAILED: { retryable: false, exit: 1 },

  // replication
  /** A signal that copies and diffs are slowed by cannot be read. They wait once it is too old; the message says what to do. */
  THROTTLE_SIGNAL_MISSING: { retryable: true, exit: 1 },
  /** Another process, or the end of a switch, has taken the ledger: this stream may no longer apply. Nothing is lost. */
  REPLICATION_LEDGER_TAKEN: { retryable: false, exit: 1 },
  /** A switch or rollback has sealed the ledger of the stream that fed the new home: only its own abort lets the stream go on. Nothing is lost. */
  REPLICATION_LEDGER_SEALED: { retryable: false, exit: 1 },
  /** The sidecar holds no start position for the stream under the token of the switch that it belongs to. */
  REPLICATION_START_MISSING: { retryable: false, exit: 1 },
  /** `SHOW CREATE TABLE` printed a layout that cannot be cut safely into rows first, keys later. */
  REPLICATION_DEFINITION_UNREADABLE: { retryable: false, exit: 3 },
  /** A value or column type that Switchyard cannot write exactly. The message says what to do with it. */
  REPLICATION_VALUE_UNSUPPORTED: { retryable: false, exit: 1 },
  /** The definition of a table is not the one that was copied, or changed while it was being copied. */
  REPLICATION_TABLE_CHANGED: { retryable: false, exit: 1 },
  /** A session on the source logs only part of each row (`binlog_row_image`). */
  REPLICATION_ROW_IMAGE_PARTIAL: { retryable: false, exit: 1 },
  /** Somebody changed the definition of a migrating table, or wrote to it in statement format. */
  REPLICATION_STATEMENT_SEEN: { retryable: false, exit: 1 },
  /**
   * DDL of the source could not be carried to the target, or passed over. The target's tables are as they were; the message
   * says what to do by hand.
   */
  REPLICATION_DDL_FAILED: { retryable: false, exit: 1 },
  /** A process died while it carried DDL to the target, and the table there is neither as before nor as it was to become. */
  REPLICATION_DDL_UNCERTAIN: { retryable: false, exit: 1 },
  /** Rows came with a column that the target's table does not have: the DDL that added it was passed over. */
  REPLICATION_COLUMN_MISSING: { retryable: false, exit: 1 },
  /** An XA transaction on migrating tables was prepared; its outcome cannot be known from the log yet. */
  REPLICATION_XA_PREPARED: { retryable: false, exit: 1 },
  /** The target refused or altered a row: fewer rows than sent, a warning, or an error. Nothing of the transaction was kept. */
  REPLICATION_ROW_REFUSED: { retryable: false, exit: 1 },
  /** A table has rows on the target before the first row was copied. */
  REPLICATION_TARGET_NOT_EMPTY: { retryable: false, exit: 3 },
  /** The copy of a table that can be copied only as a whole was interrupted too often. What it had copied of it was removed; resume, and it begins anew. */
  REPLICATION_COPY_INTERRUPTED: { retryable: false, exit: 1 },
  /** A row's statement is larger than the target's max_allowed_packet. */
  REPLICATION_ROW_TOO_LARGE: { retryable: false, exit: 1 },
  /** The tables on both servers are not, or not any more, what the migration's mapping says of them. The message names the columns. */
  REPLICATION_MAPPING_UNFIT: { retryable: false, exit: 1 },
  /** On the way back a row holds a value that only the wider column of the mapping takes. The stream waits before it; the message says how to go on. */
  REPLICATION_VALUE_TOO_WIDE: { retryable: false, exit: 1 },
  /** The schema `_switchyard` on a server is of a newer version, or of somebody else; nothing on the server was changed. */
  REPLICATION_SIDECAR_FORMAT: { retryable: false, exit: 1 },
  /** The source has purged transactions that the stream still needs. The migration must be created again. */
  STREAM_POSITION_PURGED: { retryable: false, exit: 1 },
  /** The source will soon purge binary logs that the stream needs, so the copy has stopped. Nothing is lost yet: let the source keep its logs for longer, then resume. */
  STREAM_RUNWAY_SHORT: { retryable: false, exit: 1 },
  /** The stream has applied more than the position at which it was to stop. */
  STREAM_POSITION_PASSED: { retryable: false, exit: 1 },
  /** The stream would follow another server than before: the address in the configuration leads elsewhere now. `migration repoint` accepts a replica in its place. */
  STREAM_SOURCE_CHANGED: { retryable: false, exit: 1 },
  /** The stream would write to another server than before: the address in the configuration leads elsewhere now. `migration repoint` accepts a replica in its place. */
  STREAM_TARGET_CHANGED: { retryable: false, exit: 1 },
  /** The source has lost transactions that were applied already, or gave their GTIDs to others: it was restored, or crashed with sync_binlog other than 1. */
  STREAM_SOURCE_WENT_BACK: { retryable: false, exit: 1 },

  // diff
  /** The definition of a table changed while both sides were being compared. Nothing can be said of it; start the diff again. */
  DIFF_TABLE_CHANGED: { retryable: true, exit: 1 },
  /** A table has columns on one side that the other lacks, or of a type that cannot be compared. The message names them. */
  DIFF_TABLES_UNLIKE: { retryable: false, exit: 1 },
  /** There are no differences to repair by, or no diff to go on with: the last one has ended, is too old, or is of the other direction, or drift came since. Start a diff. */
  DIFF_STALE: { retryable: false, exit: 1 },
  /** There is no diff to stop: none is under way. Nothing was changed. */
  DIFF_NOT_RUNNING: { retryable: false, exit: 3 },

  // cutover
  /** The migration's phase does not allow what was asked; nothing was changed. The message says what does. */
  CUTOVER_PHASE_REFUSED: { retryable: false, exit: 3 },
  /** A check of the gate failed; nothing was changed. The message lists each check with what to do. */
  CUTOVER_GATE_REFUSED: { retryable: true, exit: 3 },
  /** A switch or rollback was given up before the rules changed; all is as before and the same order may be given again. */
  CUTOVER_ABORTED: { retryable: true, exit: 4 },
  /** Proxies did not get ready, hold or drain in time. The message names them and the transactions still open. */
  CUTOVER_PROXIES_NOT_READY: { retryable: true, exit: 4 },
  /** A table lock was not granted in time because of transactions on the server; the message names them. */
  CUTOVER_FENCE_BLOCKED: { retryable: true, exit: 4 },
  /** The time that clients may be held was used up before the rules could be changed. */
  CUTOVER_HOLD_EXPIRED: { retryable: true, exit: 4 },
  /** While clients were held the stream could not apply the last of the old home's transactions; what keeps it is said. */
  CUTOVER_STREAM_LATE: { retryable: true, exit: 4 },
  /** The new home does not take clients' writes any more (`read_only`, `super_read_only` or `offline_mode`): the switch was aborted. */
  CUTOVER_NEW_HOME_CLOSED: { retryable: true, exit: 4 },
  /** Somebody other than Switchyard has written to the migrating tables on a server that is not their home. */
  CUTOVER_STRAY_WRITES: { retryable: false, exit: 4 },
  /** A server's binary log could not be read for writes that are not Switchyard's; without that no switch is safe. */
  CUTOVER_WATCH_FAILED: { retryable: true, exit: 4 },
  /** The AUTO_INCREMENT counter of the new home could not be brought level with the old home's. */
  CUTOVER_COUNTER_REFUSED: { retryable: true, exit: 4 },
  /** The migration's own session on a server was lost; the controller that had it does nothing more there. */
  CUTOVER_SESSION_LOST: { retryable: true, exit: 4 },
  /** The address of a backend leads to another server than the migration's streams use, for the controller or for a proxy; nothing was changed there. `migration repoint` accepts a replica in its place. */
  CUTOVER_SERVER_CHANGED: { retryable: false, exit: 4 },
  /** Another session holds the migration's lock on the server. The leading controller takes it over by itself. */
  CUTOVER_SESSION_HELD: { retryable: true, exit: 4 },
  /** The store did not say whether the rules were swapped. The controller finds out as soon as the store answers. */
  CUTOVER_OUTCOME_UNKNOWN: { retryable: false, exit: 5 },
  /** Another controller has taken this migration over and answers for how the attempt ends. */
  CUTOVER_SUPERSEDED: { retryable: true, exit: 5 },
  /** The rules were swapped, and a later step is not done yet. The controller goes on with it by itself. */
  CUTOVER_UNFINISHED: { retryable: true, exit: 5 },
  /** A connection of a proxy that is gone or does not answer could not be ended on the server. */
  CUTOVER_CONNECTIONS_REMAIN: { retryable: true, exit: 4 },
  /** A proxy of another version of Switchyard is registered; tables are not switched until all are of one. */
  CUTOVER_PROXY_FORMAT: { retryable: false, exit: 3 },
  /** A proxy that is to be forgotten shows a sign of life; nothing was removed. */
  CUTOVER_PROXY_ALIVE: { retryable: false, exit: 3 },
  /** A proxy that is to be forgotten is not registered. */
  CUTOVER_PROXY_UNKNOWN: { retryable: false, exit: 3 },
  /** The journal has no migration of this name. */
  CUTOVER_MIGRATION_UNKNOWN: { retryable: false, exit: 3 },
  /** A stored document was written by a newer version of Switchyard; this one leaves it alone. */
  CUTOVER_FORMAT_NEWER: { retryable: false, exit: 3 },
  /** A stored document is damaged: it is not what any version of Switchyard writes. */
  CUTOVER_DOCUMENT_INVALID: { retryable: false, exit: 1 },
  /** The document was changed by somebody else in the meantime; read it and try again. */
  CUTOVER_JOURNAL_CHANGED: { retryable: true, exit: 1 },
  /** The way back cannot be given up: the reverse stream is not healthy, so the old home may not be current. */
  CUTOVER_REVERSE_UNHEALTHY: { retryable: true, exit: 3 },

  // preflight
  /** A check of the servers failed. Each finding says what was observed, what is expected, and how to mend it. */
  PREFLIGHT_REFUSED: { retryable: false, exit: 3 },

  // doctor
  /** `switchyard doctor` has found states that should not be. Each finding says what was seen, why it matters, and what to do. */
  DOCTOR_FINDINGS: { retryable: false, exit: 1 },
  /** What was to be fixed is not proven to be safe to fix, or has changed meanwhile. The findings say what a person can do. */
  DOCTOR_FIX_REFUSED: { retryable: false, exit: 3 },
  /** The embedded store is in use by a running `switchyard serve`, and this fix changes the store. Stop it for the fix. */
  DOCTOR_STORE_IN_USE: { retryable: true, exit: 3 },

  // controller, admin, cli
  /** The command was not given as it must be; `--help` shows how. */
  CLI_USAGE: { retryable: false, exit: 2 },
  /** No Switchyard process answers at the address of the admin API. Nothing was changed. */
  CLI_SERVER_UNREACHABLE: { retryable: true, exit: 1 },
  /** What answers at the address of the admin API is not a Switchyard of this version. */
  CLI_ANSWER_INVALID: { retryable: false, exit: 1 },
  /** The connection was lost or the wait ended before the order did. `migration status` and `history` tell. */
  CLI_OUTCOME_UNKNOWN: { retryable: false, exit: 5 },
  /** A diff has found rows that are not equal on both sides; its report shows them. */
  DIFF_FOUND_DIFFERENCES: { retryable: false, exit: 1 },
  /** A repair has left rows as they were: the server did not take them, or they cannot be equal, as where a generated column is defined otherwise. */
  DIFF_ROWS_REFUSED: { retryable: false, exit: 1 },
  /** The migration's stream has stopped at something that a person must look at, so waiting for it is in vain. */
  MIGRATION_STOPPED: { retryable: false, exit: 1 },
  /** The admin API wants a token, or does not know the one it was given. */
  ADMIN_UNAUTHENTICATED: { retryable: false, exit: 1 },
  /** The token may read only, or a request without a token did not come from this machine's own tools. */
  ADMIN_FORBIDDEN: { retryable: false, exit: 3 },
  /** Nothing is at this address of the admin API. */
  ADMIN_NOT_FOUND: { retryable: false, exit: 1 },
  /** The request's fields are missing, unknown or out of bounds; the message names each. Nothing was changed. */
  ADMIN_REQUEST_INVALID: { retryable: false, exit: 2 },
  /** Too many orders wait for the controller, or too many requests wait for orders. */
  ADMIN_BUSY: { retryable: true, exit: 1 },
  /** An order of this id exists and asks for something else. */
  ADMIN_ORDER_EXISTS: { retryable: false, exit: 2 },
  /** The admin API cannot listen at its address: it is in use, or not one of this machine. */
  ADMIN_LISTEN_FAILED: { retryable: false, exit: 1 },
  /** Another controller runs the migration now and answers this order. Ask `migration status`; nothing is lost. */
  ORDER_TAKEN: { retryable: true, exit: 5 },
  /** No migration has this name. `migration list` shows those that exist. */
  MIGRATION_NOT_FOUND: { retryable: false, exit: 3 },
  /** A migration of this name exists. Choose another name. */
  MIGRATION_EXISTS: { retryable: false, exit: 3 },
  /** Another unfinished migration moves one of the tables. Complete or cancel it first. */
  MIGRATION_TABLE_CLAIMED: { retryable: false, exit: 3 },
  /** Something that excludes what was asked for is under way on this migration. Wait for its end. */
  MIGRATION_BUSY: { retryable: true, exit: 3 },
  /** What was asked for does not fit the migration's phase. Nothing was changed. */
  MIGRATION_PHASE_REFUSED: { retryable: false, exit: 3 },
  /** The server cannot take the place of the one that it would replace. The message lists why, with both sets of GTIDs where they are the reason. Nothing was changed. */
  MIGRATION_REPOINT_REFUSED: { retryable: true, exit: 3 },
  /** The request names backends, tables or options that do not exist or contradict each other. Nothing was changed. */
  MIGRATION_REQUEST_INVALID: { retryable: false, exit: 2 },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CODES;
