import { messageOf } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { tableKey } from "../base/table-name.ts";
import type { RowsEvent } from "../binlog/binlog-event.ts";
import { formatDescriptionEvent } from "../binlog/rows-writer.ts";
import type { Gtid } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { isMysqlError } from "../mysql/mysql-error.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { rowKey } from "../table/row-key.ts";
import type { TableShape } from "../table/table-shape.ts";

/**
 * Changes can be handed to the target as the row events of the source's log, in a `BINLOG` statement inside of an
 * ordinary transaction: several times as fast as statements, every byte as it was, and no trigger fires. A row that is
 * not as it was on the source fails such a statement; what is wrong is then found out with ordinary statements.
 */
export const ROW_EVENTS_PRIVILEGE = "REPLICATION_APPLIER";

const OWN_IDENTITIES = "SET SESSION gtid_next = 'AUTOMATIC'";

/** The target refused row events. Nothing of their transaction was kept. */
export class RowEventsRefused extends Error {
  /** What was to be applied: done with once it was applied with ordinary statements. */
  readonly gtids: readonly Gtid[];

  constructor(gtids: readonly Gtid[], cause: unknown) {
    super(messageOf(cause), { cause });
    this.name = "RowEventsRefused";
    this.gtids = gtids;
  }
}

/**
 * Makes a session ready for row events, if it may apply any.
 *
 * @returns the tables, by their keys, to which they may be applied: those that have the very columns of the source.
 *   None where the account may not, or where the server is set to pass over rows that are missing.
 */
export async function openRowEvents(
  writer: Connection,
  shapes: readonly TableShape[],
  log: Logger,
): Promise<ReadonlySet<string>> {
  const refused = await prepareSession(writer);
  if (refused !== undefined) {
    log.info({ reason: refused }, "changes are applied by statements");
    return new Set();
  }
  const tables = new Set<string>();
  for (const shape of shapes) {
    const key = tableKey(shape.name);
    if (!findsRows(shape))
      log.info({ table: key }, "rows of JSON without a key: their changes are applied by statements");
    else if (sameColumns(shape, await readTableShape(writer, shape.name))) tables.add(key);
    else
      log.info({ table: key }, "the table's columns differ from the source's: its changes are applied by statements");
  }
  return tables;
}

/** Row events set the clock of their session; statements after them shall have the server's. */
export async function closeRowEvents(writer: Connection): Promise<void> {
  await writer.query("SET SESSION timestamp = DEFAULT");
}

/** A multiple of three, so that pieces of base64 fit together. */
const PIECE_BYTES = 3 * 16 * 1024;
const BEFORE = "BINLOG '";
const BEHIND = "';";

/** The statement that applies events; they must be whole, but not each in one piece. */
export function rowEventsStatement(events: readonly Buffer[]): Buffer {
  const bytes = events.reduce((sum, part) => sum + part.length, 0);
  const statement = Buffer.allocUnsafe(BEFORE.length + Math.ceil(bytes / 3) * 4 + BEHIND.length);
  let at = statement.write(BEFORE, "latin1");
  const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, bytes));
  let filled = 0;
  // Piece by piece: one string of megabytes would outlive many collections of garbage.
  for (const part of events) {
    for (let from = 0; from < part.length; ) {
      const copied = part.copy(piece, filled, from);
      from += copied;
      filled += copied;
      if (filled < piece.length) break;
      at += statement.write(piece.toString("base64"), at, "latin1");
      filled = 0;
    }
  }
  at += statement.write(piece.toString("base64", 0, filled), at, "latin1");
  statement.write(BEHIND, at, "latin1");
  return statement;
}

/** Whether the images of an event without differences (`wholeRows`) have every column. */
export function hasFullImages(event: RowsEvent): boolean {
  const count = event.table.columns.length;
  return hasAll(event.columns, count) && hasAll(event.columnsAfter, count);
}

/** What stands in the way, if anything. */
async function prepareSession(writer: Connection): Promise<string | undefined> {
  const mode = await writer.one(
    "SHOW GLOBAL VARIABLES WHERE variable_name IN ('replica_exec_mode', 'slave_exec_mode')",
  );
  const value = mode?.["Value"];
  if (value !== "STRICT") return `the target's replica_exec_mode is ${value}, not STRICT`;
  try {
    // Tried beforehand as well: the format leaves the session in wait for a transaction with an identity of another
    // server, and only this makes it usable again.
    await writer.query(OWN_IDENTITIES);
    await writer.query(rowEventsStatement([formatDescriptionEvent()]));
    await writer.query(OWN_IDENTITIES);
  } catch (error) {
    if (!isMysqlError(error)) throw error;
    return `the target does not take row events from this account (${ROW_EVENTS_PRIVILEGE}): ${error.serverMessage}`;
  }
  return undefined;
}

/**
 * Without a key a row event finds its row by the bytes that are stored, and those of equal JSON values differ, by when and
 * how they were written.
 */
function findsRows(shape: TableShape): boolean {
  return rowKey(shape) !== undefined || !shape.columns.some(({ dataType }) => dataType === "json");
}

/** Row events name columns by position and carry values as they are stored. */
function sameColumns(source: TableShape, target: TableShape): boolean {
  if (source.columns.length !== target.columns.length) return false;
  return source.columns.every((column, i) => {
    const other = target.columns[i];
    return (
      other !== undefined &&
      other.name === column.name &&
      other.columnType === column.columnType &&
      other.collation === column.collation &&
      other.generated === column.generated &&
      other.nullable === column.nullable
    );
  });
}

function hasAll(bitmap: Buffer, count: number): boolean {
  for (let i = 0; i < count; i++) {
    if ((((bitmap[i >> 3] as number) >> (i & 7)) & 1) === 0) return false;
  }
  return true;
}
