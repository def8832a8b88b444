import { SwitchyardError } from "../base/errors.ts";
import type { RowOperation, RowsEvent } from "./binlog-event.ts";
import { type EventReader, malformed } from "./event-reader.ts";
import { EVENT, ROWS_FLAG } from "./event-types.ts";
import type { TableMap } from "./table-map.ts";

/** The id under which the server closes a statement without a table; it has no rows. */
const DUMMY_TABLE_ID = 0xff_ffff;
/** Kinds of the extra data in front of rows. NDB's is not for us. */
const EXTRA_PARTITION = 1;

/** What a rows event of a type is: version 1 (up to MySQL 5.5, and later by option) has no extra data. */
export interface RowsKind {
  readonly operation: RowOperation;
  readonly version: 1 | 2;
  readonly partialJson: boolean;
}

export const ROWS_KINDS: Readonly<Record<number, RowsKind>> = {
  [EVENT.WRITE_ROWS_V1]: { operation: "write", version: 1, partialJson: false },
  [EVENT.UPDATE_ROWS_V1]: { operation: "update", version: 1, partialJson: false },
  [EVENT.DELETE_ROWS_V1]: { operation: "delete", version: 1, partialJson: false },
  [EVENT.WRITE_ROWS]: { operation: "write", version: 2, partialJson: false },
  [EVENT.UPDATE_ROWS]: { operation: "update", version: 2, partialJson: false },
  [EVENT.DELETE_ROWS]: { operation: "delete", version: 2, partialJson: false },
  [EVENT.PARTIAL_UPDATE_ROWS]: { operation: "update", version: 2, partialJson: true },
};

/** WRITE, UPDATE, DELETE and PARTIAL_UPDATE_ROWS events. `undefined` for the dummy that only ends a statement. */
export function decodeRowsEvent(
  reader: EventReader,
  kind: RowsKind,
  tables: ReadonlyMap<number, TableMap>,
): RowsEvent | undefined {
  const { operation, partialJson } = kind;
  const tableId = reader.u48();
  const flags = reader.u16();
  const partitions = kind.version === 1 ? undefined : readExtra(reader);
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
  const rows = reader.rest();
  return { kind: "rows", operation, table, flags, statementEnd, partitions, columns, columnsAfter, partialJson, rows };
}

function readExtra(reader: EventReader): readonly number[] | undefined {
  const extra = reader.u16();
  if (extra < 2) throw malformed(`extra data of ${extra} bytes`);
  const end = reader.offset + extra - 2;
  if (end > reader.end) throw malformed(`extra data of ${extra} bytes`);
  let partitions: number[] | undefined;
  if (extra > 2 && reader.u8() === EXTRA_PARTITION) {
    partitions = [];
    while (reader.offset + 2 <= end) partitions.push(reader.u16());
  }
  reader.offset = end;
  return partitions;
}
