import { SwitchyardError } from "../base/errors.ts";
import type { RowOperation, RowsEvent } from "./binlog-event.ts";
import { type EventReader, malformed } from "./event-reader.ts";
import { ROWS_FLAG } from "./event-types.ts";
import type { TableMap } from "./table-map.ts";

/** The id under which the server closes a statement without a table; it has no rows. */
const DUMMY_TABLE_ID = 0xff_ffff;

/** WRITE, UPDATE and DELETE_ROWS events (version 2). `undefined` for the dummy that only ends a statement. */
export function decodeRowsEvent(
  reader: EventReader,
  operation: RowOperation,
  tables: ReadonlyMap<number, TableMap>,
): RowsEvent | undefined {
  const tableId = reader.u48();
  const flags = reader.u16();
  const extra = reader.u16();
  if (extra < 2) throw malformed(`extra data of ${extra} bytes`);
  reader.skip(extra - 2);
  const table = tables.get(tableId);
  if (table === undefined) {
    if (tableId === DUMMY_TABLE_ID) return undefined;
    throw new SwitchyardError("BINLOG_TABLE_MAP_MISSING", {
      what: `rows of table number ${tableId} came without the event that describes the table`,
      changed: "The stream stopped before these rows.",
    });
  }
  const width = reader.lenenc();
  if (width !== table.columns.length) {
    throw malformed(`rows of ${width} columns for ${table.schema}.${table.table}, which has ${table.columns.length}`);
  }
  const bitmapBytes = (width + 7) >> 3;
  const columns = reader.bytes(bitmapBytes);
  const columnsAfter = operation === "update" ? reader.bytes(bitmapBytes) : columns;
  const statementEnd = (flags & ROWS_FLAG.STATEMENT_END) !== 0;
  return { kind: "rows", operation, table, statementEnd, columns, columnsAfter, rows: reader.rest() };
}
