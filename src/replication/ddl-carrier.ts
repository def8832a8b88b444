import { SwitchyardError } from "../base/errors.ts";
import { quoteTable, quoteText, type TableName, tableKey } from "../base/table-name.ts";
import { formatGtid } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { isMysqlError } from "../mysql/mysql-error.ts";
import type { OnDdl } from "../rules/on-ddl.ts";
import type { TableChange } from "../sql/table-change.ts";
import { mappingOf } from "../table/table-mapping.ts";
import type { ColumnShape, TableShape } from "../table/table-shape.ts";
import type { CopiedTable } from "./copy-state.ts";
import { readIntention, recordDdl, writeIntention } from "./ddl-record.ts";
import {
  enterSession,
  isOwnZone,
  leaveSession,
  ownZoneQuery,
  type StatementSession,
  sessionOf,
} from "./ddl-session.ts";
import { ddlFailed, ddlUncertain, statementSeen } from "./ddl-stop.ts";
import type { FollowContext } from "./follower.ts";
import type { DdlItem } from "./intake.ts";
import { isRetryable } from "./retryable.ts";
import { comparableDefinition, tryChange } from "./scratch-table.ts";
import { ddlStep, type SeenDdl } from "./seen-ddl.ts";
import { ddlComment } from "./sidecar.ts";
import { connectSource, connectWriter } from "./stream-session.ts";
import { readDefinition, showCreate, type TableDefinition } from "./table-definitions.ts";

/** What the owner of a stream says and hears of definition statements. */
export interface DdlPolicy {
  /** Asked at each statement. */
  readonly onDdl: () => OnDdl;
  /** The transaction of a statement that needs no more on the target: it is passed over. */
  readonly after: string | undefined;
  /**
   * A statement was applied, or is passed over; where this rejects, the stream tries again. Called before the ledger has it,
   * so that nobody relies on what a diff had proven.
   */
  seen(ddl: CarriedDdl): Promise<void>;
}

/** A definition statement that did not stop the stream. */
export interface CarriedDdl {
  readonly gtid: string;
  readonly statement: string;
  readonly tables: readonly string[];
  readonly how: "applied" | "passed over" | "acknowledged";
}

/** How long a session of a former process may take to end after it was killed; a long ALTER TABLE is rolled back first. */
const FORMER_WAIT_SECONDS = 60;

/** A change of one table, with all that is needed to make it elsewhere. */
interface Change {
  readonly table: CopiedTable;
  readonly change: TableChange;
  readonly session: StatementSession;
}

/**
 * Carries a definition statement of the source on: executes it on the target, or passes over it, as the policy says, and
 * records it together with the definitions that hold behind it. Everything before it in the log is applied, and no transaction
 * is open on the writer.
 *
 * @returns whether it may have given a table other columns; never while rows are copied
 * @throws {DdlStop} where the policy is to stop, or the statement cannot be carried on
 */
export async function carryDdl(context: FollowContext, item: DdlItem): Promise<boolean> {
  const { ddlPolicy, claim, state } = context;
  const gtid = formatGtid(item.gtid);
  const acknowledged = ddlPolicy.after === gtid;
  const { ddl } = item;
  const step = ddl === undefined ? "stop" : ddlStep(ddlPolicy.onDdl(), ddl.kind, acknowledged);
  const reshapes = ddl !== undefined && !["trigger", "tool-trigger", "reference"].includes(ddl.kind);
  if (ddl === undefined || step === "stop" || (reshapes && !state.keyed)) {
    throw statementSeen(claim.migration, item, state.keyed);
  }
  const how = step === "apply" ? "applied" : acknowledged ? "acknowledged" : "passed over";
  const tables = ddl.tables.map(tableKey);
  const seen = (): Promise<void> =>
    ddlPolicy.seen({ gtid, statement: item.event.sql.replaceAll(/\s+/g, " ").slice(0, 400), tables, how });
  const definitions = await (!reshapes
    ? []
    : ddl.kind === "other"
      ? asTheyAre(context, item, ddl)
      : changed(context, item, ddl, step === "apply" ? "apply" : acknowledged ? "check" : "pass"));
  await seen();
  const newest = { gtid, commitUs: BigInt(item.originalCommitMicros) };
  const executed = context.gate.executedWith([item.gtid]).toString();
  await recordDdl(context.writer, claim, { executed, newest, definitions });
  context.newest = newest;
  context.log.warn({ gtid, tables, how }, "DDL on the source");
  return reshapes;
}

/** The definition behind a change of one table; with `apply` the target has it then. */
async function changed(
  context: FollowContext,
  item: DdlItem,
  ddl: SeenDdl,
  what: "apply" | "check" | "pass",
): Promise<readonly TableDefinition[]> {
  const { claim, state } = context;
  const [name] = ddl.tables;
  const table = state.tables.find((one) => name !== undefined && one.key === tableKey(name));
  const { change } = ddl;
  if (what !== "apply" && change?.kind === "truncate") return [];
  const session = sessionOf(item.event);
  if (what === "check" && typeof session === "string") return await asTheyAre(context, item, ddl);
  if (table === undefined || change === undefined) throw statementSeen(claim.migration, item, state.keyed);
  if (typeof session === "string") throw ddlFailed(claim.migration, item, session);
  if (what === "apply" && change.kind !== "truncate" && mappingOf(context.mappings, table.name) !== undefined) {
    throw ddlFailed(
      claim.migration,
      item,
      `${table.key} has a mapping, and only its operator knows what becomes of it there`,
    );
  }
  const connection = await openAlone(context);
  // A stream that is closed does not wait for the end of a long statement; its successor does.
  const cut = (): void => connection.destroy();
  context.signal.addEventListener("abort", cut, { once: true });
  try {
    if (what === "apply") return await applied(context, item, { table, change, session }, connection);
    const next = await tryChange(connection, claim, { ...table, table: table.name, change, session });
    if (what === "check")
      requireColumns(context, item, next.shape, (await readDefinition(connection, table.name)).shape);
    return [next];
  } catch (error) {
    if (!isMysqlError(error) || isRetryable(error)) throw error;
    // What the statement makes of the table cannot be tried; both sides show what it has become.
    if (what === "check") return await asTheyAre(context, item, ddl);
    throw ddlFailed(claim.migration, item, `the target refuses it for ${table.key}`, error);
  } finally {
    context.signal.removeEventListener("abort", cut);
    await connection.close();
  }
}

/**
 * Brings the target's table to what the change makes of it. Where an earlier process died in between, the table says
 * whether it has it already; one that is neither before nor after is left alone.
 */
async function applied(
  context: FollowContext,
  item: DdlItem,
  of: Change,
  connection: Connection,
): Promise<readonly TableDefinition[]> {
  const { claim, writer, failpoint } = context;
  const { table, change, session } = of;
  const gtid = formatGtid(item.gtid);
  const empties = change.kind === "truncate";
  const next = empties
    ? undefined
    : await tryChange(connection, claim, { ...table, table: table.name, change, session });
  const definition = await shown(connection, table.name);
  const now = comparableDefinition(definition);
  const left = await readIntention(writer, claim, gtid);
  let after = left?.after ?? now;
  if (left === undefined && next !== undefined) {
    const there = await tryChange(connection, claim, { table: table.name, definition, change, session });
    requireColumns(context, item, next.shape, there.shape);
    await requireSameTimes(context, item, of, connection);
    after = comparableDefinition(there.definition);
    const why = unrepeatableHere(of, next.shape, now === after);
    if (why !== undefined) throw ddlFailed(claim.migration, item, why);
  }
  const before = left?.before ?? now;
  // A change that shows nowhere in the definition does no harm when it is made again: nothing behind it has been applied yet.
  const isDone = left !== undefined && before !== after && now === after;
  if (!isDone && now !== before) throw ddlUncertain(claim.migration, item);
  if (!isDone) {
    const statement = change.spell(quoteTable(table.name));
    await enterSession(connection, session);
    await writeIntention(writer, claim, { gtid, before, after });
    await failpoint("ddl-before-statement");
    await connection.query(`${ddlComment(claim.migration, "ddl")} ${statement}`);
    await failpoint("ddl-after-statement");
  }
  return next === undefined ? [] : [next];
}

/**
 * A session on the target beside the writer: whoever claims the ledger ends it, and waits until it has ended, so that no
 * two processes change a table by turns.
 */
async function openAlone(context: FollowContext): Promise<Connection> {
  const { claim, target, signal } = context;
  const connection = await connectWriter(target, claim, { signal });
  const lock = quoteText(`switchyard-ddl:${claim.migration}/${claim.direction}`);
  const row = await connection.one(`SELECT GET_LOCK(${lock}, ${FORMER_WAIT_SECONDS}) AS got`);
  if (row?.["got"] !== "1") {
    await connection.close();
    throw new SwitchyardError("TIMEOUT", { what: "a former process is still changing a table on the target" });
  }
  await leaveSession(connection);
  return connection;
}

/** Under an empty `sql_mode`, by which definitions are written as everywhere else. */
async function shown(connection: Connection, table: TableName): Promise<string> {
  await connection.query("SET SESSION sql_mode = ''");
  const definition = await showCreate(connection, table);
  await leaveSession(connection);
  return definition;
}

/**
 * After a statement of which nothing more is known than that somebody has brought the target level: both sides must have the
 * same columns now. The rows behind it are read by these; should the source's table have become another one again since, a
 * row that does not fit stops the stream.
 */
async function asTheyAre(context: FollowContext, item: DdlItem, ddl: SeenDdl): Promise<readonly TableDefinition[]> {
  const observer = await connectSource(context.source, context.claim, context.signal);
  let connection: Connection | undefined;
  try {
    connection = await connectWriter(context.target, context.claim, { signal: context.signal });
    const definitions: TableDefinition[] = [];
    for (const name of ddl.tables) {
      const here = await readDefinition(observer, name);
      requireColumns(context, item, here.shape, (await readDefinition(connection, name)).shape);
      definitions.push(here);
    }
    return definitions;
  } finally {
    await Promise.all([observer.close(), connection?.close()]);
  }
}

/** @throws {DdlStop} where the target lacks a column that rows will come with, or has it of another type */
function requireColumns(context: FollowContext, item: DdlItem, wanted: TableShape, found: TableShape): void {
  // A stream pairs the columns by the mapping when it begins, and it begins anew behind each statement.
  if (mappingOf(context.mappings, wanted.name) !== undefined) return;
  const there = new Map(found.columns.map((column) => [column.name.toLowerCase(), column]));
  for (const column of wanted.columns) {
    if (column.generated) continue;
    const other = there.get(column.name.toLowerCase());
    const same = other?.columnType === column.columnType && other.collation === column.collation;
    if (same && !other.generated) continue;
    const is =
      other === undefined
        ? "is not there"
        : `is ${other.columnType}${other.collation === undefined ? "" : ` ${other.collation}`}`;
    const why = `column ${column.name} of ${tableKey(wanted.name)} would be ${column.columnType} on the source, and on the target it ${is}`;
    throw ddlFailed(context.claim.migration, item, why);
  }
}

/**
 * Why a change may give rows other values on the target than it gave on the source, or more than once, where the columns before
 * and after say so.
 *
 * @param next what the recorded table becomes
 * @param staysSame whether the target's definition is afterwards what it was
 */
function unrepeatableHere(
  { table, change, session }: Change,
  next: TableShape,
  staysSame: boolean,
): string | undefined {
  const find = (shape: TableShape, name: string): ColumnShape | undefined =>
    shape.columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
  if (isOwnZone(session)) {
    if (change.zonedDefault) return "it gives rows a time as the source's own zone has it";
    for (const { from, to } of change.retyped) {
      const [before, after] = [find(table.shape, from), find(next, to)];
      if ((before?.dataType === "timestamp") !== (after?.dataType === "timestamp"))
        return `column ${to} becomes, or was, a TIMESTAMP, and its times are those of the source's own zone`;
    }
  }
  for (const { from, to } of change.retyped) {
    if (find(next, to)?.autoIncrement === true && find(table.shape, from)?.autoIncrement !== true)
      return `column ${to} begins to number rows, in the order in which the server finds them`;
  }
  // Who comes after a death could not see whether it has been made.
  return staysSame && change.rearranges
    ? "it moves values between columns and leaves the definition as it was"
    : undefined;
}

/** Rows that get the statement's own time must get the same on both servers. */
async function requireSameTimes(
  context: FollowContext,
  item: DdlItem,
  { change, session }: Change,
  connection: Connection,
): Promise<void> {
  const queries = change.fillsTime ? ownZoneQuery(session, item.event.timestamp) : undefined;
  if (queries === undefined) return;
  const observer = await connectSource(context.source, context.claim, context.signal);
  try {
    const [zone = "", question = ""] = queries;
    const times: (string | null | undefined)[] = [];
    for (const one of [observer, connection]) {
      await one.query(zone);
      times.push((await one.one(question))?.["shown"]);
    }
    await leaveSession(connection);
    if (times[0] === times[1]) return;
    const why = `it gives rows a time of the server's own zone, and that is ${times[0]} on the source and ${times[1]} on the target`;
    throw ddlFailed(context.claim.migration, item, why);
  } finally {
    await observer.close();
  }
}
