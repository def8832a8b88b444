import { ANSWER_QUIET_MS } from "../mysql/answer-watch.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import type { Direction } from "./direction.ts";
import { APPLIER_ATTRIBUTE, applierName } from "./ledger.ts";

/** Whose sessions these are. */
export interface StreamName {
  readonly migration: string;
  readonly direction: Direction;
}

/**
 * How a session that writes rows must be set up: nothing that the server would do to a value on its own. Zero stays
 * zero in an AUTO_INCREMENT column, odd dates stay as they are, times are not moved between zones, parents and
 * children come in any order.
 */
export const TARGET_SESSION =
  "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES', time_zone = '+00:00', foreign_key_checks = 0, " +
  "transaction_isolation = 'READ-COMMITTED', autocommit = 1, wait_timeout = 86400, net_read_timeout = 3600, " +
  "net_write_timeout = 3600";

/** How a session that reads rows must be set up: values as they are stored, in no other character set or zone. */
export const SOURCE_SESSION =
  "SET SESSION sql_mode = '', time_zone = '+00:00', wait_timeout = 86400, net_read_timeout = 3600, " +
  "net_write_timeout = 3600, character_set_results = NULL";

/** A session on the target that applies rows; affected rows count the rows found. */
export async function connectWriter(
  endpoint: Endpoint,
  name: StreamName,
  options: { readonly localInfile?: boolean; readonly signal: AbortSignal },
): Promise<Connection> {
  const connection = await Connection.connect(endpoint, {
    attributes: writerAttributes(name),
    foundRows: true,
    multiStatements: true,
    localInfile: options.localInfile ?? false,
    answerQuietMs: ANSWER_QUIET_MS,
    signal: options.signal,
  });
  await connection.query("SET NAMES utf8mb4");
  await connection.query(TARGET_SESSION);
  return connection;
}

/** The largest statement that a session's server takes, by the session's own limit. */
export async function packetBytesMax(writer: Connection): Promise<number> {
  const row = await writer.one("SELECT @@session.max_allowed_packet AS bytes");
  return Number(row?.["bytes"]);
}

/** A session on the source, for questions and heartbeats. */
export async function connectSource(endpoint: Endpoint, name: StreamName, signal: AbortSignal): Promise<Connection> {
  const connection = await Connection.connect(endpoint, {
    attributes: readerAttributes(name),
    answerQuietMs: ANSWER_QUIET_MS,
    signal,
  });
  await connection.query("SET NAMES utf8mb4");
  await connection.query(SOURCE_SESSION);
  return connection;
}

/** Attributes of sessions that write rows; a successor ends them by these. */
function writerAttributes(name: StreamName): Record<string, string> {
  return { [APPLIER_ATTRIBUTE]: applierName(name.migration, name.direction) };
}

/** Attributes of sessions that only read, or write heartbeats. */
export function readerAttributes(name: StreamName): Record<string, string> {
  return { switchyard_reader: applierName(name.migration, name.direction) };
}
