import { COLUMN, type ColumnType, isCharacterColumn, isNumericColumn, readColumnType } from "./column-type.ts";
import { EventReader, malformed } from "./event-reader.ts";
import { METADATA, metadataFields, readBits, readDefaultCharset } from "./table-metadata.ts";

/** What a TABLE_MAP event says of a table: the layout of the rows events that follow it. */
export interface TableMap {
  readonly tableId: number;
  /** Bits of `TABLE_FLAG`. */
  readonly flags: number;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly ColumnType[];
  /** One bit per column, lowest first: whether it may be NULL. */
  readonly nullable: Buffer;
  /** How many columns are JSON: rows events of partial updates have a bit for each. */
  readonly jsonColumns: number;
  /** Per column, for numbers only; absent where the server does not write it. */
  readonly unsigned: readonly boolean[] | undefined;
  /** Collation ids per column, `undefined` for those without text; absent where the server does not write them. */
  readonly collations: readonly (number | undefined)[] | undefined;
  /** Only with `binlog_row_metadata=FULL`. */
  readonly names: readonly string[] | undefined;
  /** All optional fields as they came, for `decodeTableMetadata`. */
  readonly metadata: Buffer;
  /** The event as it came, without its header: what a rows event that is passed on needs in front of it. */
  readonly body: Buffer;
}

/** MySQL allows fewer columns in a table. */
const COLUMNS_MAX = 4096;

export function decodeTableMap(event: EventReader): TableMap {
  // The map outlives the packet that it came in.
  const body = Buffer.from(event.rest());
  const reader = new EventReader(body);
  const tableId = reader.u48();
  const flags = reader.u16();
  const schema = reader.text(reader.u8());
  reader.skip(1);
  const table = reader.text(reader.u8());
  reader.skip(1);
  const count = reader.lenenc();
  if (count > COLUMNS_MAX) throw malformed(`a table with ${count} columns`);
  const types = reader.bytes(count);
  const metaBytes = reader.lenenc();
  const metaAt = reader.skip(metaBytes);
  const meta = new EventReader(reader.buffer, metaAt, metaAt + metaBytes);
  const columns = Array.from(types, (type) => readColumnType(type, meta));
  const nullable = reader.bytes((count + 7) >> 3);
  const jsonColumns = columns.filter((column) => column.type === COLUMN.JSON).length;
  const metadata = reader.rest();
  const described = readNeeded(metadata, columns);
  return { tableId, flags, schema, table, columns, nullable, jsonColumns, ...described, metadata, body };
}

/** The optional fields without which a value cannot be understood. */
function readNeeded(
  metadata: Buffer,
  columns: readonly ColumnType[],
): Pick<TableMap, "unsigned" | "collations" | "names"> {
  let unsigned: boolean[] | undefined;
  let collations: (number | undefined)[] | undefined;
  let names: string[] | undefined;
  for (const { kind, field } of metadataFields(metadata)) {
    if (kind === METADATA.SIGNEDNESS) unsigned = readBits(field, columns, isNumericColumn);
    else if (kind === METADATA.DEFAULT_CHARSET) collations = readDefaultCharset(field, columns);
    else if (kind === METADATA.COLUMN_CHARSET) {
      collations = columns.map((column) => (isCharacterColumn(column) ? field.lenenc() : undefined));
    } else if (kind === METADATA.COLUMN_NAME) names = columns.map(() => field.text(field.lenenc()));
  }
  return { unsigned, collations, names };
}
