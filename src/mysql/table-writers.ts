import { quoteText, type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "./connection.ts";

/** A lock that keeps `LOCK TABLES … READ` waiting: somebody writes to the table, or is about to change it. */
export interface TableWriter {
  /** Tells this lock from a later one of the same session. */
  readonly lock: string;
  readonly table: string;
  /** Absent for a prepared XA transaction, which no session holds. */
  readonly threadId: number | undefined;
  readonly user: string;
  readonly lockType: string;
}

/** Metadata locks that stand beside a reader's lock, and so are no obstacle. */
const READERS = "'INTENTION_EXCLUSIVE','SHARED','SHARED_HIGH_PRIO','SHARED_READ','SHARED_READ_ONLY'";

/**
 * Who holds write locks on `table` now. Needs SELECT on `performance_schema`.
 *
 * @throws {MysqlError} where the account may not look.
 */
export async function tableWriters(connection: Connection, table: TableName): Promise<TableWriter[]> {
  const rows = await connection.rows(`
    SELECT m.OBJECT_SCHEMA db, m.OBJECT_NAME name, m.LOCK_TYPE lock_type, m.OBJECT_INSTANCE_BEGIN instance,
           m.OWNER_THREAD_ID owner, m.OWNER_EVENT_ID event, t.PROCESSLIST_ID id, t.PROCESSLIST_USER user
    FROM performance_schema.metadata_locks m
    LEFT JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID
    WHERE m.OBJECT_TYPE = 'TABLE' AND m.LOCK_STATUS = 'GRANTED' AND m.LOCK_TYPE NOT IN (${READERS})
      AND m.OBJECT_SCHEMA = ${quoteText(table.schema)} AND m.OBJECT_NAME = ${quoteText(table.table)}
      AND (t.PROCESSLIST_ID IS NULL OR t.PROCESSLIST_ID <> CONNECTION_ID())`);
  return rows.map((row) => ({
    lock: `${row["instance"]}/${row["owner"]}/${row["event"]}`,
    table: tableKey({ schema: row["db"] ?? "", table: row["name"] ?? "" }),
    threadId: row["id"] === null || row["id"] === undefined ? undefined : Number(row["id"]),
    user: row["user"] ?? "",
    lockType: row["lock_type"] ?? "",
  }));
}

/** One line for people. */
export function describeWriter(writer: TableWriter): string {
  const who =
    writer.threadId === undefined ? "a prepared XA transaction" : `connection ${writer.threadId} of ${writer.user}`;
  return `${writer.table} is held by ${who} (${writer.lockType})`;
}
