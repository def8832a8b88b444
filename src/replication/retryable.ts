import { isSwitchyardError } from "../base/errors.ts";
import { isMysqlError } from "../mysql/mysql-error.ts";

/** Server errors after which the same work can succeed: lost races, killed sessions, servers that stop or start. */
const RETRYABLE_ERRNOS: readonly number[] = [
  1040, // too many connections
  1053, // server shutdown in progress
  1077, // normal shutdown
  1152, // aborted connection
  1158, // network read error
  1159, // network read timeout
  1160, // network write error
  1161, // network write timeout
  1203, // too many connections of this user
  1205, // lock wait timeout
  1213, // deadlock
  1236, // the dump of the log ended; whether transactions are lost is checked before the next one
  1317, // query interrupted
  1412, // the table was changed since the snapshot began
  3032, // server is offline
  3101, // rolled back by group replication
  3168, // server is not available
  3169, // session was killed
];

/** What a server says that takes no writes for now: it is read-only, or its disk is full. Somebody will mend that. */
const CLOSED_ERRNOS: readonly number[] = [
  1021, // disk full
  1026, // a file could not be written
  1114, // the table is full, as it is when its disk is
  1290, // read_only, super_read_only
  1836, // read-only mode
];

/** Whether a server or the store is away, or closed to writes: it is tried again for as long as that lasts. */
export function isAway(error: unknown): boolean {
  if (isMysqlError(error)) return CLOSED_ERRNOS.includes(error.errno);
  return isSwitchyardError(
    error,
    "MYSQL_UNREACHABLE",
    "MYSQL_CONNECTION_LOST",
    "MYSQL_COMMITS_STAND_STILL",
    "STORE_UNAVAILABLE",
  );
}

/** Whether the stream may try again after this, from what the ledger says. */
export function isRetryable(error: unknown): boolean {
  if (isAway(error)) return true;
  if (isMysqlError(error)) return RETRYABLE_ERRNOS.includes(error.errno);
  return isSwitchyardError(
    error,
    "MYSQL_SNAPSHOT_LOCK_TIMEOUT",
    "MYSQL_REPLICA_BEHIND",
    "MYSQL_SERVERS_MIXED",
    "TIMEOUT",
    "CANCELLED",
    "BINLOG_CHECKSUM_WRONG",
    // What was not as expected could not be written down.
    "STORE_OUTCOME_UNKNOWN",
    "CUTOVER_JOURNAL_CHANGED",
  );
}
