import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import { printable } from "../base/printable.ts";
import { quoteText, type TableName } from "../base/table-name.ts";
import { MIGRATION_ATTRIBUTE } from "../mysql/connect-attributes.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import { attribute, type RowSource, SESSION_TEXT_CHARS_MAX, STATEMENT, type TextRow } from "./home-queries.ts";

/** Somebody's definition statement that cannot go on because we have its table. */
export interface WaitingDdl {
  readonly connectionId: string;
  readonly user: string;
  readonly host: string;
  /** For how long it has waited. */
  readonly seconds: number;
  /** Without values; the server's digest, or the first word alone. */
  readonly statement: string;
  /** What its client says it is, and its address where it comes through a proxy; may be empty. */
  readonly program: string;
  readonly client: string;
}

/** Locks of tables that definition statements ask for. With ours in place nobody else has one but beside a lock for reading. */
const LOCKS_OF_DDL = ["SHARED_UPGRADABLE", "SHARED_NO_WRITE", "EXCLUSIVE"];
/** What our own sessions say of themselves when they connect. */
const OUR_ATTRIBUTES = [MIGRATION_ATTRIBUTE, "switchyard_applier"];
/** It asks for such a lock too, and changes nothing. */
const HARMLESS = /^(?:FLUSH|LOCK)\b/;
const LOOK_MS = 10;

/** How definition statements that wait are seen, and interrupted. */
export interface DdlEnder {
  readonly look: () => Promise<readonly WaitingDdl[]>;
  /** KILL QUERY: whoever has sent the statement is told by error 1317, and nothing of it is done. */
  readonly interrupt: (connectionIds: readonly string[]) => Promise<void>;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/**
 * Interrupts the definition statements of others that wait, until none is seen any more or the time is over: one that was under
 * way beside a lock for reading may take a while to undo what it has done.
 *
 * To be called only where the tables are locked, on a server that is not their home any more: anywhere else a statement may be
 * what its sender has every right to.
 */
export async function endWaitingDdl({ look, interrupt, clock, timeoutMs }: DdlEnder): Promise<{
  readonly ended: readonly WaitingDdl[];
  readonly left: readonly WaitingDdl[];
}> {
  const deadline = deadlineIn(clock, timeoutMs);
  const ended = new Map<string, WaitingDdl>();
  for (;;) {
    const left = await look();
    if (left.length === 0 || deadline.passed) {
      for (const { connectionId } of left) ended.delete(connectionId);
      return { ended: [...ended.values()], left };
    }
    for (const one of left) if (!ended.has(one.connectionId)) ended.set(one.connectionId, one);
    await interrupt(left.map(({ connectionId }) => connectionId));
    await clock.sleep(LOOK_MS);
  }
}

/** Definition statements of others that wait for the tables, or for a schema of theirs, which a session of ours has locked. */
export async function readWaitingDdl(source: RowSource, tables: readonly TableName[]): Promise<readonly WaitingDdl[]> {
  return waitingOf(await source.rows(query(tables)));
}

/** KILL QUERY; a connection that is gone is as wanted. */
export async function killQueries(source: RowSource, connectionIds: readonly string[]): Promise<void> {
  for (const id of connectionIds) {
    await source.rows(`KILL QUERY ${id}`).catch((error: unknown) => {
      if (!isMysqlError(error, ERRNO.NO_SUCH_THREAD)) throw error;
    });
  }
}

/** One line about a statement that was ended. */
export function describeDdl({ connectionId, user, host, seconds, statement, program, client }: WaitingDdl): string {
  const from = [program, client === "" ? "" : `through a proxy from ${client}`]
    .filter((part) => part !== "")
    .join(", ");
  const who = `connection ${connectionId} ${user}@${host}${from === "" ? "" : ` (${from})`}`;
  return `${who}, after ${seconds} s: ${statement === "" ? "its statement is not known" : statement}`;
}

function query(tables: readonly TableName[]): string {
  const names = tables.map((name) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`).join(", ");
  const schemas = [...new Set(tables.map((name) => quoteText(name.schema)))].join(", ");
  const list = (values: readonly string[]): string => values.map((value) => `'${value}'`).join(", ");
  return (
    "SELECT t.PROCESSLIST_ID id, t.PROCESSLIST_USER user, t.PROCESSLIST_HOST host, t.PROCESSLIST_TIME seconds, " +
    `${STATEMENT} statement, ` +
    `${attribute("program_name")} program, ${attribute("_client_name")} driver, ${attribute("switchyard_client")} client ` +
    "FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID " +
    `WHERE (m.OBJECT_TYPE = 'TABLE' AND (m.OBJECT_SCHEMA, m.OBJECT_NAME) IN (${names}) AND m.LOCK_TYPE IN (${list(LOCKS_OF_DDL)}) ` +
    `OR m.OBJECT_TYPE = 'SCHEMA' AND m.OBJECT_SCHEMA IN (${schemas}) AND m.LOCK_TYPE = 'EXCLUSIVE') ` +
    "AND t.PROCESSLIST_ID <> CONNECTION_ID() AND t.PROCESSLIST_COMMAND <> 'Sleep' " +
    "AND NOT EXISTS (SELECT 1 FROM performance_schema.session_connect_attrs o " +
    `WHERE o.PROCESSLIST_ID = t.PROCESSLIST_ID AND o.ATTR_NAME IN (${list(OUR_ATTRIBUTES)}))`
  );
}

function waitingOf(rows: readonly TextRow[]): readonly WaitingDdl[] {
  const found = new Map<string, WaitingDdl>();
  for (const row of rows) {
    const connectionId = row["id"] ?? "";
    const statement = printable(row["statement"] ?? "", SESSION_TEXT_CHARS_MAX.statement);
    if (!/^\d+$/.test(connectionId) || HARMLESS.test(statement)) continue;
    const said = (text: string | null | undefined): string => printable(text ?? "", SESSION_TEXT_CHARS_MAX.attribute);
    found.set(connectionId, {
      connectionId,
      user: row["user"] ?? "",
      host: row["host"] ?? "",
      seconds: Number(row["seconds"] ?? 0),
      statement,
      program: said(row["program"] ?? row["driver"]),
      client: said(row["client"]),
    });
  }
  return [...found.values()];
}
