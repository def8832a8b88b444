import { SwitchyardError } from "../base/errors.ts";
import { decimalLength } from "./decimal-value.ts";
import { type EventReader, malformed } from "./event-reader.ts";

/** Type codes of columns in TABLE_MAP events. */
export const COLUMN = {
  TINY: 1,
  SHORT: 2,
  LONG: 3,
  FLOAT: 4,
  DOUBLE: 5,
  TIMESTAMP: 7,
  LONGLONG: 8,
  INT24: 9,
  DATE: 10,
  TIME: 11,
  DATETIME: 12,
  YEAR: 13,
  NEWDATE: 14,
  VARCHAR: 15,
  BIT: 16,
  TIMESTAMP2: 17,
  DATETIME2: 18,
  TIME2: 19,
  VECTOR: 242,
  JSON: 245,
  NEWDECIMAL: 246,
  ENUM: 247,
  SET: 248,
  TINY_BLOB: 249,
  MEDIUM_BLOB: 250,
  LONG_BLOB: 251,
  BLOB: 252,
  VAR_STRING: 253,
  STRING: 254,
  GEOMETRY: 255,
} as const;

/**
 * The type of a column as a TABLE_MAP tells it, and how its values lie in a row: `fixedBytes` long, or behind a
 * length of `prefixBytes`. Exactly one of both is not -1.
 */
export interface ColumnType {
  readonly type: number;
  /** What the type's metadata says: maximal bytes of a string, fraction digits, precision × 256 + scale, bits. */
  readonly meta: number;
  readonly fixedBytes: number;
  readonly prefixBytes: number;
}

const NUMERIC: ReadonlySet<number> = new Set([
  COLUMN.TINY,
  COLUMN.SHORT,
  COLUMN.INT24,
  COLUMN.LONG,
  COLUMN.LONGLONG,
  COLUMN.NEWDECIMAL,
  COLUMN.FLOAT,
  COLUMN.DOUBLE,
  COLUMN.YEAR,
]);

const CHARACTER: ReadonlySet<number> = new Set([COLUMN.STRING, COLUMN.VAR_STRING, COLUMN.VARCHAR, COLUMN.BLOB]);

/** Whether the SIGNEDNESS metadata has a bit for the column. */
export function isNumericColumn(column: ColumnType): boolean {
  return NUMERIC.has(column.type);
}

/** Whether the character set metadata has an entry for the column. */
export function isCharacterColumn(column: ColumnType): boolean {
  return CHARACTER.has(column.type);
}

/** Reads the metadata of one column and resolves the true type behind the code on the wire. */
export function readColumnType(type: number, reader: EventReader): ColumnType {
  switch (type) {
    case COLUMN.TINY:
    case COLUMN.YEAR:
      return fixed(type, 0, 1);
    case COLUMN.SHORT:
      return fixed(type, 0, 2);
    case COLUMN.INT24:
    case COLUMN.DATE:
    case COLUMN.NEWDATE:
    case COLUMN.TIME:
      return fixed(type, 0, 3);
    case COLUMN.LONG:
    case COLUMN.TIMESTAMP:
      return fixed(type, 0, 4);
    case COLUMN.LONGLONG:
    case COLUMN.DATETIME:
      return fixed(type, 0, 8);
    case COLUMN.FLOAT:
    case COLUMN.DOUBLE:
      return fixed(type, reader.u8(), type === COLUMN.FLOAT ? 4 : 8);
    case COLUMN.TIMESTAMP2:
      return temporal(type, reader.u8(), 4);
    case COLUMN.DATETIME2:
      return temporal(type, reader.u8(), 5);
    case COLUMN.TIME2:
      return temporal(type, reader.u8(), 3);
    case COLUMN.NEWDECIMAL: {
      const precision = reader.u8();
      const scale = reader.u8();
      if (precision < 1 || precision > 65 || scale > precision || scale > 30)
        throw malformed(`DECIMAL(${precision},${scale})`);
      return fixed(type, precision * 256 + scale, decimalLength(precision, scale));
    }
    case COLUMN.BIT: {
      const bits = reader.u8();
      const bytes = reader.u8();
      if (bits > 7 || bytes > 8 || bytes * 8 + bits > 64) throw malformed(`BIT(${bytes * 8 + bits})`);
      return fixed(type, bytes * 8 + bits, bytes + (bits > 0 ? 1 : 0));
    }
    case COLUMN.VARCHAR:
    case COLUMN.VAR_STRING: {
      const bytesMax = reader.u16();
      return { type, meta: bytesMax, fixedBytes: -1, prefixBytes: bytesMax > 255 ? 2 : 1 };
    }
    case COLUMN.BLOB:
    case COLUMN.JSON:
    case COLUMN.GEOMETRY:
    case COLUMN.VECTOR: {
      const prefixBytes = reader.u8();
      if (prefixBytes < 1 || prefixBytes > 4) throw malformed(`a column with lengths of ${prefixBytes} bytes`);
      return { type, meta: prefixBytes, fixedBytes: -1, prefixBytes };
    }
    case COLUMN.STRING:
      return stringType(reader.u8(), reader.u8());
    default:
      throw new SwitchyardError("BINLOG_COLUMN_UNKNOWN", {
        what: `a table in the binary log has a column of type ${type}, which Switchyard does not know`,
        changed: "The stream stopped before the rows of this table.",
      });
  }
}

/** CHAR, BINARY, ENUM and SET share one code; two bits of a CHAR's length hide, inverted, in the type byte. */
function stringType(first: number, second: number): ColumnType {
  const wide = (first & 0x30) !== 0x30;
  const type = wide ? first | 0x30 : first;
  const length = wide ? second | (((first & 0x30) ^ 0x30) << 4) : second;
  if (type === COLUMN.ENUM || type === COLUMN.SET) {
    if (length < 1 || length > 8) throw malformed(`an ENUM or SET of ${length} bytes`);
    return fixed(type, length, length);
  }
  if (type !== COLUMN.STRING) throw malformed(`a string column of real type ${type}`);
  return { type, meta: length, fixedBytes: -1, prefixBytes: length > 255 ? 2 : 1 };
}

const OLD_TEMPORALS: ReadonlySet<number> = new Set([COLUMN.TIME, COLUMN.DATETIME, COLUMN.TIMESTAMP]);

/** Whether the column is a time in the form of before MySQL 5.6, which tables keep until they are rebuilt. */
export function isOldTemporal(column: ColumnType): boolean {
  return OLD_TEMPORALS.has(column.type);
}

function fixed(type: number, meta: number, fixedBytes: number): ColumnType {
  return { type, meta, fixedBytes, prefixBytes: -1 };
}

function temporal(type: number, digits: number, bytes: number): ColumnType {
  if (digits > 6) throw malformed(`${digits} digits of a second`);
  return fixed(type, digits, bytes + ((digits + 1) >> 1));
}
