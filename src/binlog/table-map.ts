import { type ColumnType, isCharacterColumn, isNumericColumn, readColumnType } from "./column-type.ts";
import { EventReader, malformed } from "./event-reader.ts";

/** What a TABLE_MAP event says of a table: the layout of the rows events that follow it. */
export interface TableMap {
  readonly tableId: number;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly ColumnType[];
  /** Per column, for numbers only; absent where the server does not write it. */
  readonly unsigned: readonly boolean[] | undefined;
  /** Collation ids per column, `undefined` for those without text; absent where the server does not write them. */
  readonly collations: readonly (number | undefined)[] | undefined;
  /** Only with `binlog_row_metadata=FULL`. */
  readonly names: readonly string[] | undefined;
}

/** More columns than MySQL allows in a table. */
const COLUMNS_MAX = 4096;

const METADATA = { SIGNEDNESS: 1, DEFAULT_CHARSET: 2, COLUMN_CHARSET: 3, COLUMN_NAME: 4 } as const;

export function decodeTableMap(reader: EventReader): TableMap {
  const tableId = reader.u48();
  reader.skip(2); // flags
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
  reader.skip((count + 7) >> 3); // nullability
  return { tableId, schema, table, columns, ...readOptionalMetadata(reader, columns) };
}

function readOptionalMetadata(
  reader: EventReader,
  columns: readonly ColumnType[],
): Pick<TableMap, "unsigned" | "collations" | "names"> {
  let unsigned: boolean[] | undefined;
  let collations: (number | undefined)[] | undefined;
  let names: string[] | undefined;
  while (reader.left > 0) {
    const kind = reader.u8();
    const length = reader.lenenc();
    const at = reader.skip(length);
    const field = new EventReader(reader.buffer, at, at + length);
    if (kind === METADATA.SIGNEDNESS) unsigned = readSignedness(field, columns);
    else if (kind === METADATA.DEFAULT_CHARSET) collations = readDefaultCharset(field, columns);
    else if (kind === METADATA.COLUMN_CHARSET) collations = readColumnCharsets(field, columns);
    else if (kind === METADATA.COLUMN_NAME) names = columns.map(() => field.text(field.lenenc()));
  }
  return { unsigned, collations, names };
}

/** One bit per numeric column, highest bit first; 1 means unsigned. */
function readSignedness(field: EventReader, columns: readonly ColumnType[]): boolean[] {
  let index = 0;
  let byte = 0;
  return columns.map((column) => {
    if (!isNumericColumn(column)) return false;
    if (index % 8 === 0) byte = field.u8();
    return (byte & (0x80 >> (index++ % 8))) !== 0;
  });
}

/** The most common collation, then pairs of a text column's number (among text columns) and its own collation. */
function readDefaultCharset(field: EventReader, columns: readonly ColumnType[]): (number | undefined)[] {
  const common = field.lenenc();
  const others = new Map<number, number>();
  while (field.left > 0) others.set(field.lenenc(), field.lenenc());
  let index = 0;
  return columns.map((column) => {
    if (!isCharacterColumn(column)) return undefined;
    return others.get(index++) ?? common;
  });
}

function readColumnCharsets(field: EventReader, columns: readonly ColumnType[]): (number | undefined)[] {
  return columns.map((column) => (isCharacterColumn(column) ? field.lenenc() : undefined));
}
