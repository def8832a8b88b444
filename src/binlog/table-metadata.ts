import { COLUMN, type ColumnType, isCharacterColumn } from "./column-type.ts";
import { EventReader, malformed } from "./event-reader.ts";

/** Kinds of the optional fields of a TABLE_MAP event. */
export const METADATA = {
  SIGNEDNESS: 1,
  DEFAULT_CHARSET: 2,
  COLUMN_CHARSET: 3,
  COLUMN_NAME: 4,
  SET_STR_VALUE: 5,
  ENUM_STR_VALUE: 6,
  GEOMETRY_TYPE: 7,
  SIMPLE_PRIMARY_KEY: 8,
  PRIMARY_KEY_WITH_PREFIX: 9,
  ENUM_AND_SET_DEFAULT_CHARSET: 10,
  ENUM_AND_SET_COLUMN_CHARSET: 11,
  COLUMN_VISIBILITY: 12,
  VECTOR_DIMENSIONALITY: 13,
} as const;

/** What a TABLE_MAP may tell that no row needs to be read. Each is absent where the server did not write it. */
export interface TableMetadata {
  /** Labels of ENUM and SET columns in the column's character set; empty for other columns. */
  readonly labels: readonly (readonly Buffer[])[] | undefined;
  /** Numbers of the geometry types, 0 for GEOMETRY; `undefined` for other columns. */
  readonly geometryTypes: readonly (number | undefined)[] | undefined;
  /** Columns of the primary key in its order; `prefixLength` is 0 where the whole column belongs to it. */
  readonly primaryKey: readonly { readonly column: number; readonly prefixLength: number }[] | undefined;
  /** Collations of ENUM and SET columns; `undefined` for other columns. */
  readonly labelCollations: readonly (number | undefined)[] | undefined;
  readonly visible: readonly boolean[] | undefined;
  /** Dimensions of VECTOR columns; `undefined` for other columns. */
  readonly vectorDimensions: readonly (number | undefined)[] | undefined;
}

/** Splits the optional fields. Kinds that are not known are passed over, as the format allows. */
export function* metadataFields(bytes: Buffer): Generator<{ readonly kind: number; readonly field: EventReader }> {
  const reader = new EventReader(bytes);
  while (reader.left > 0) {
    const kind = reader.u8();
    const length = reader.lenenc();
    const at = reader.skip(length);
    yield { kind, field: new EventReader(bytes, at, at + length) };
  }
}

/** Decodes the optional fields of a table map. @throws {SwitchyardError} `BINLOG_MALFORMED` */
export function decodeTableMetadata(columns: readonly ColumnType[], metadata: Buffer): TableMetadata {
  let labels: (readonly Buffer[])[] | undefined;
  let geometryTypes: TableMetadata["geometryTypes"];
  let primaryKey: TableMetadata["primaryKey"];
  let labelCollations: TableMetadata["labelCollations"];
  let visible: TableMetadata["visible"];
  let vectorDimensions: TableMetadata["vectorDimensions"];
  for (const { kind, field } of metadataFields(metadata)) {
    if (kind === METADATA.SET_STR_VALUE) labels = addLabels(labels, columns, COLUMN.SET, field);
    else if (kind === METADATA.ENUM_STR_VALUE) labels = addLabels(labels, columns, COLUMN.ENUM, field);
    else if (kind === METADATA.GEOMETRY_TYPE) geometryTypes = numbersOf(columns, COLUMN.GEOMETRY, field);
    else if (kind === METADATA.VECTOR_DIMENSIONALITY) vectorDimensions = numbersOf(columns, COLUMN.VECTOR, field);
    else if (kind === METADATA.SIMPLE_PRIMARY_KEY) primaryKey = readKey(columns.length, field, false);
    else if (kind === METADATA.PRIMARY_KEY_WITH_PREFIX) primaryKey = readKey(columns.length, field, true);
    else if (kind === METADATA.ENUM_AND_SET_DEFAULT_CHARSET) {
      labelCollations = readDefaultCharset(field, columns, hasLabels);
    } else if (kind === METADATA.ENUM_AND_SET_COLUMN_CHARSET) {
      labelCollations = columns.map((column) => (hasLabels(column) ? field.lenenc() : undefined));
    } else if (kind === METADATA.COLUMN_VISIBILITY) visible = readBits(field, columns, () => true);
  }
  return { labels, geometryTypes, primaryKey, labelCollations, visible, vectorDimensions };
}

/** One bit per column of the wanted kind, highest bit first; false for others. */
export function readBits(
  field: EventReader,
  columns: readonly ColumnType[],
  wanted: (column: ColumnType) => boolean,
): boolean[] {
  let index = 0;
  let byte = 0;
  return columns.map((column) => {
    if (!wanted(column)) return false;
    if (index % 8 === 0) byte = field.u8();
    return (byte & (0x80 >> (index++ % 8))) !== 0;
  });
}

/** The most common collation, then pairs of a column's number among those of its kind and its own collation. */
export function readDefaultCharset(
  field: EventReader,
  columns: readonly ColumnType[],
  wanted: (column: ColumnType) => boolean = isCharacterColumn,
): (number | undefined)[] {
  const common = field.lenenc();
  const others = new Map<number, number>();
  while (field.left > 0) others.set(field.lenenc(), field.lenenc());
  let index = 0;
  return columns.map((column) => (wanted(column) ? (others.get(index++) ?? common) : undefined));
}

function hasLabels(column: ColumnType): boolean {
  return column.type === COLUMN.ENUM || column.type === COLUMN.SET;
}

function addLabels(
  known: readonly (readonly Buffer[])[] | undefined,
  columns: readonly ColumnType[],
  type: number,
  field: EventReader,
): (readonly Buffer[])[] {
  return columns.map((column, i) => {
    if (column.type !== type) return known?.[i] ?? [];
    const count = field.lenenc();
    // Each label has a length of a byte at least: more of them than bytes cannot be there.
    if (count > field.left) throw malformed(`${count} labels of a column in ${field.left} bytes`);
    return Array.from({ length: count }, () => field.bytes(field.lenenc()));
  });
}

function numbersOf(columns: readonly ColumnType[], type: number, field: EventReader): (number | undefined)[] {
  return columns.map((column) => (column.type === type ? field.lenenc() : undefined));
}

function readKey(
  columnCount: number,
  field: EventReader,
  prefixes: boolean,
): { readonly column: number; readonly prefixLength: number }[] {
  const parts: { column: number; prefixLength: number }[] = [];
  while (field.left > 0) {
    const column = field.lenenc();
    if (column >= columnCount) throw malformed(`a primary key on column ${column} of ${columnCount}`);
    parts.push({ column, prefixLength: prefixes ? field.lenenc() : 0 });
  }
  return parts;
}
