import { SwitchyardError } from "../base/errors.ts";
import { COLUMN, type ColumnType, isOldTemporal } from "../binlog/column-type.ts";
import { hasValueText, valueText } from "../binlog/value-text.ts";
import { digitsAreNumbers, fiveDigitsAreNumbers } from "../table/enum-labels.ts";
import type { ColumnShape } from "../table/table-shape.ts";
import { jsonLiteral } from "./json-literal.ts";
import type { SqlWriter } from "./sql-writer.ts";

/** Writes a value of a row image, not NULL, as a literal that stores exactly the same value. */
export type ValueWriter = (out: SqlWriter, buffer: Buffer, start: number, end: number) => void;

/** What a literal is for: a value to be stored, or one that a row is found by. */
export type ValueUse = "store" | "compare";

/** Character sets in which the bytes of ASCII text do not mean that text. */
export const WIDE_CHARSETS: ReadonlySet<string> = new Set(["ucs2", "utf16", "utf16le", "utf32"]);

const QUOTED: ReadonlySet<number> = new Set([
  COLUMN.DATE,
  COLUMN.NEWDATE,
  COLUMN.TIME2,
  COLUMN.DATETIME2,
  COLUMN.TIMESTAMP2,
  // As a number 0 would be the year 2000 in a comparison.
  COLUMN.YEAR,
]);

/**
 * The writer for a column, chosen once for each table map. Numbers are written as digits, FLOAT as the DOUBLE of the
 * same value and always with an exponent (a literal without one is a decimal), ENUM, SET and BIT as numbers, times
 * quoted, strings as ASCII between quotes where nothing in them can be misread and else as hexadecimal.
 */
export function valueWriter(column: ColumnShape, type: ColumnType, use: ValueUse): ValueWriter {
  switch (type.type) {
    case COLUMN.FLOAT:
    case COLUMN.DOUBLE:
      return (out, buffer, start) => {
        const text = valueText(type, false, buffer, start);
        out.ascii(text.includes("e") ? text : `${text}e0`);
      };
    case COLUMN.ENUM:
      return enumWriter(column, type);
    case COLUMN.JSON:
      return (out, buffer, start, end) => {
        out.ascii(jsonLiteral(buffer, start, end));
      };
    case COLUMN.GEOMETRY:
    case COLUMN.VECTOR:
      return (out, buffer, start, end) => {
        out.ascii("_binary 0x").hex(buffer, start, end);
      };
    case COLUMN.STRING:
    case COLUMN.VARCHAR:
    case COLUMN.BLOB:
      return stringWriter(column, use);
    default:
      if (isOldTemporal(type) || !hasValueText(type)) throw unsupported(column, type);
      return numberOrTime(column, type);
  }
}

/**
 * The number 0, which stands for what was not in the list, would warn; as text it means the same and does not, unless
 * a label may be taken for it.
 */
function enumWriter(column: ColumnShape, type: ColumnType): ValueWriter {
  const wide = WIDE_CHARSETS.has(column.charset ?? "");
  const padded = !wide && fiveDigitsAreNumbers(column.columnType) ? "'00000'" : "0";
  const zero = digitsAreNumbers(column.columnType) ? "'0'" : padded;
  return (out, buffer, start) => {
    const text = valueText(type, true, buffer, start);
    out.ascii(text === "0" ? zero : text);
  };
}

function numberOrTime(column: ColumnShape, type: ColumnType): ValueWriter {
  const unsigned = column.unsigned;
  if (QUOTED.has(type.type)) {
    return (out, buffer, start) => {
      out.ascii(`'${valueText(type, unsigned, buffer, start)}'`);
    };
  }
  return (out, buffer, start) => {
    out.ascii(valueText(type, unsigned, buffer, start));
  };
}

/** How a character set is named in front of a literal that is compared; some names warn and have a better form. */
export const COMPARED_AS: Readonly<Record<string, string>> = { utf8mb3: "utf8mb4", ucs2: "utf16" };

/**
 * Bytes that are stored come as binary strings, which go into a column of any character set as they are. Those that
 * are compared name their character set, so that the column's collation and its index are used.
 */
function stringWriter(column: ColumnShape, use: ValueUse): ValueWriter {
  const charset = column.charset ?? "binary";
  const introducer = use === "store" ? "_binary 0x" : `_${COMPARED_AS[charset] ?? charset} 0x`;
  const asciiMeansText = !WIDE_CHARSETS.has(charset);
  // The log leaves out the zero bytes at the end of a BINARY(n).
  const fill = column.dataType === "binary" ? column.octets : 0;
  return (out, buffer, start, end) => {
    const zeros = Math.max(0, fill - (end - start));
    if (zeros === 0 && asciiMeansText && isPlain(buffer, start, end)) {
      out.ascii("'").raw(buffer.subarray(start, end)).ascii("'");
    } else if (start === end && zeros === 0) {
      out.ascii("''");
    } else {
      out.ascii(introducer).hex(buffer, start, end, zeros);
    }
  };
}

/** Whether every byte is printable ASCII other than quote and backslash. */
export function isPlain(buffer: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = buffer[i] as number;
    if (byte < 0x20 || byte > 0x7e || byte === 0x27 || byte === 0x5c) return false;
  }
  return true;
}

function unsupported(column: ColumnShape, type: ColumnType): SwitchyardError {
  return new SwitchyardError("REPLICATION_VALUE_UNSUPPORTED", {
    what: `column ${column.name} is stored in an old format (type ${type.type}) that Switchyard does not write`,
    changed: "The stream stopped before the rows of this table.",
    fix: "Rebuild the table on the source with ALTER TABLE … FORCE, which upgrades its times.",
  });
}
