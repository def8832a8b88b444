import type { ErrorCode } from "../base/error-codes.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { ErrPacket } from "../wire/err-packet.ts";

/**
 * A MySQL server said no. What it said is kept as it came: match on {@link errno}, never on the text.
 */
export class MysqlError extends SwitchyardError {
  readonly errno: number;
  readonly sqlState: string;
  readonly serverMessage: string;

  /** `server` is the name of the server for people; `doing` what was asked of it, without values. */
  constructor(error: ErrPacket, server: string, doing: string, code: ErrorCode = "MYSQL_SERVER_ERROR", fix?: string) {
    super(code, {
      what: `server "${server}" refused ${doing}: ${error.message} (error ${error.errno}, ${error.sqlState})`,
      ...(fix === undefined ? {} : { fix }),
    });
    this.name = "MysqlError";
    this.errno = error.errno;
    this.sqlState = error.sqlState;
    this.serverMessage = error.message;
  }
}

/** Whether `error` is the server's, and if numbers are given, one of these. */
export function isMysqlError(error: unknown, ...errnos: readonly number[]): error is MysqlError {
  return error instanceof MysqlError && (errnos.length === 0 || errnos.includes(error.errno));
}

/** Numbers of server errors that callers decide by. */
export const ERRNO = {
  UNKNOWN_DATABASE: 1049,
  NO_SUCH_TABLE: 1146,
  DUPLICATE_COLUMN: 1060,
  DUPLICATE_ENTRY: 1062,
  NO_SUCH_THREAD: 1094,
  LOCK_WAIT_TIMEOUT: 1205,
  DEADLOCK: 1213,
  SOURCE_FATAL_READING_BINLOG: 1236,
  QUERY_INTERRUPTED: 1317,
  TABLE_DEFINITION_CHANGED: 1412,
  QUERY_TIMEOUT: 3024,
} as const;
