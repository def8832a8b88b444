import type { QueryEvent } from "../binlog/binlog-event.ts";
import { decodeQueryStatus, type QueryStatus } from "../binlog/query-status.ts";
import type { Connection } from "../mysql/connection.ts";
import { charsetOfText } from "./client-charset.ts";
import { TARGET_SESSION } from "./stream-session.ts";

const NO_FOREIGN_KEY_CHECKS = 1 << 26;
const RELAXED_UNIQUE_CHECKS = 1 << 27;

/** The two that a server lets be the default of utf8mb4. */
const UTF8MB4_DEFAULTS: Readonly<Record<number, string>> = { 45: "utf8mb4_general_ci", 255: "utf8mb4_0900_ai_ci" };

/** A lock of the target is waited for so long at a time; the stream tries again after that. */
const LOCK_WAIT_SECONDS = 20;

/** What a session must have set for a statement to do on it what it did where it was run first. */
export interface StatementSession {
  readonly status: QueryStatus;
  readonly sql: readonly string[];
}

/** Why the settings of a statement cannot be had on another server, or what sets them. */
export function sessionOf(
  event: Pick<QueryEvent, "status" | "sql" | "timestamp" | "sqlMode">,
): StatementSession | string {
  const status = decodeQueryStatus(event.status);
  if (status.unknownCode !== undefined)
    return `the log has a setting of a kind that is not known (${status.unknownCode})`;
  if (charsetOfText(event) !== "utf8") {
    return `its text is in the character set of collation ${status.charset?.client}, and not in UTF-8`;
  }
  const set = [
    `sql_mode = ${event.sqlMode}`,
    `timestamp = ${event.timestamp}.${String(status.microseconds ?? 0).padStart(6, "0")}`,
  ];
  if (status.flags2 !== undefined) {
    set.push(`foreign_key_checks = ${(status.flags2 & NO_FOREIGN_KEY_CHECKS) === 0 ? 1 : 0}`);
    set.push(`unique_checks = ${(status.flags2 & RELAXED_UNIQUE_CHECKS) === 0 ? 1 : 0}`);
  }
  if (status.charset !== undefined) set.push(`collation_connection = ${status.charset.connection}`);
  if (status.timeZone !== undefined) set.push(`time_zone = '${status.timeZone.replaceAll("'", "''")}'`);
  return { status, sql: [`SET SESSION ${set.join(", ")}`] };
}

/** Sets the session as a statement of the log had it. Where the server refuses, what it says is thrown. */
export async function enterSession(connection: Connection, { status, sql }: StatementSession): Promise<void> {
  const { explicitTimestampDefaults, utf8mb4Collation } = status;
  if (explicitTimestampDefaults !== undefined) {
    await setWhereOther(connection, "explicit_defaults_for_timestamp", explicitTimestampDefaults ? "1" : "0");
  }
  const collation = utf8mb4Collation === undefined ? undefined : UTF8MB4_DEFAULTS[utf8mb4Collation];
  if (collation !== undefined) await setWhereOther(connection, "default_collation_for_utf8mb4", collation);
  for (const statement of sql) await connection.query(statement);
}

/** An account needs a privilege to set some, and none where they are as they must be. */
async function setWhereOther(connection: Connection, name: string, value: string): Promise<void> {
  const row = await connection.one(`SELECT @@SESSION.${name} AS value`);
  if (row?.["value"] !== value)
    await connection.query(`SET SESSION ${name} = ${/^\d$/.test(value) ? value : `'${value}'`}`);
}

/** Sets the session as it was before {@link enterSession}. */
export async function leaveSession(connection: Connection): Promise<void> {
  await connection.query("SET NAMES utf8mb4");
  await connection.query(TARGET_SESSION);
  await connection.query(
    `SET SESSION timestamp = DEFAULT, unique_checks = 1, lock_wait_timeout = ${LOCK_WAIT_SECONDS}`,
  );
}

/** What the zone of both servers makes of a moment; undefined where the statement's zone is no server's own. */
export function ownZoneQuery(session: StatementSession, timestamp: number): readonly string[] | undefined {
  if (session.status.timeZone !== "SYSTEM") return undefined;
  return ["SET SESSION time_zone = 'SYSTEM'", `SELECT FROM_UNIXTIME(${timestamp}) AS shown`];
}

/** Whether times are written in the server's own zone: those of another server may mean other moments. */
export function isOwnZone({ status }: StatementSession): boolean {
  return status.timeZone === undefined || status.timeZone === "SYSTEM";
}
