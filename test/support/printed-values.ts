import { COLUMN, type ColumnType } from "../../src/binlog/column-type.ts";
import { decodeJsonDiffs, type JsonDiff } from "../../src/binlog/json-diff.ts";
import { type JsonNode, jsonText, readJson } from "../../src/binlog/json-value.ts";
import { differencesStart, type RowImage, VALUE_ABSENT, VALUE_NULL } from "../../src/binlog/row-walker.ts";
import type { TableMap } from "../../src/binlog/table-map.ts";
import { decodeTableMetadata } from "../../src/binlog/table-metadata.ts";
import { valueText } from "../../src/binlog/value-text.ts";

/** Adds the lines of an image as mysqlbinlog prints them; false where it stops, at a type that it cannot show. */
export function imageLines(table: TableMap, image: RowImage, lines: string[]): boolean {
  for (const [i, column] of table.columns.entries()) {
    const start = image.starts[i] as number;
    if (start === VALUE_ABSENT) continue;
    const isNull = start === VALUE_NULL;
    if (column.type === COLUMN.GEOMETRY && !isNull) {
      lines.push(`  @${i + 1}=!! Don't know how to handle column type=255 meta=4 (0004)`);
      return false;
    }
    const value = isNull ? "NULL" : printedValue(table, image, i);
    const nullable = ((table.nullable[i >> 3] ?? 0) >> (i & 7)) & 1;
    lines.push(`  @${i + 1}=${value} /* ${typeName(table, i)} nullable=${nullable} is_null=${isNull ? 1 : 0} */`);
  }
  return true;
}

function printedValue(table: TableMap, image: RowImage, i: number): string {
  const column = table.columns[i] as ColumnType;
  const end = image.ends[i] as number;
  const differences = differencesStart(image, i);
  if (differences !== undefined) return differencesText(decodeJsonDiffs(image.buffer, differences, end), `@${i + 1}`);
  const start = image.starts[i] as number;
  const bytes = image.buffer.subarray(start, end);
  const text = (): string => valueText(column, table.unsigned?.[i] ?? false, image.buffer, start);
  switch (column.type) {
    case COLUMN.TINY:
    case COLUMN.SHORT:
    case COLUMN.INT24:
    case COLUMN.LONG:
    case COLUMN.LONGLONG:
      return integerText(BigInt(text()), column.fixedBytes);
    case COLUMN.FLOAT:
      return shortest(Number(text()), 6).padEnd(20);
    case COLUMN.DOUBLE:
      return shortest(Number(text()), 20);
    case COLUMN.YEAR:
      // Printed as an offset from 1900, also where it is the year 0000.
      return text() === "0000" ? "1900" : text();
    case COLUMN.BIT:
      return `b'${BigInt(text()).toString(2).padStart(column.meta, "0")}'`;
    case COLUMN.SET:
      // Byte for byte as it is stored: the lowest byte comes first.
      return `b'${Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("")}'`;
    case COLUMN.DATE:
      return `'${text().replaceAll("-", ":")}'`;
    case COLUMN.TIME2:
    case COLUMN.DATETIME2:
    case COLUMN.TIME:
    case COLUMN.DATETIME:
      return `'${text()}'`;
    case COLUMN.TIMESTAMP2:
    case COLUMN.TIMESTAMP:
      return secondsText(text());
    case COLUMN.JSON:
      return documentText(readJson(image.buffer, start, end));
    case COLUMN.VECTOR:
      return vectorText(bytes);
    case COLUMN.NEWDECIMAL:
    case COLUMN.ENUM:
      return text();
    default:
      return quoted(bytes);
  }
}

/** Printed as signed and, where the top bit is set, also as unsigned: mysqlbinlog does not look at the signedness. */
function integerText(value: bigint, bytes: number): string {
  const signed = BigInt.asIntN(bytes * 8, value);
  return signed < 0n ? `${signed} (${BigInt.asUintN(bytes * 8, value)})` : String(signed);
}

function secondsText(text: string): string {
  if (text.startsWith("0000")) return `0${text.slice(19)}`;
  return `${Date.parse(`${text.slice(0, 10)}T${text.slice(11, 19)}Z`) / 1000}${text.slice(19)}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\f": "\\f",
};

/** Bytes between quotes, as latin1 text. */
export function quoted(bytes: Buffer | string): string {
  const text = typeof bytes === "string" ? Buffer.from(bytes, "utf8").toString("latin1") : bytes.toString("latin1");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is escaped
  const escaped = text.replaceAll(/[\x00-\x1f'\\]/g, (char) => {
    return ESCAPES[char] ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `'${escaped}'`;
}

/** A whole document is printed as text between quotes; one that is a string alone without its own quotes. */
function documentText(node: JsonNode): string {
  return node.kind === "string" ? quoted(node.value) : quoted(jsonText(node));
}

function vectorText(bytes: Buffer): string {
  const numbers = Array.from({ length: bytes.length / 4 }, (_, i) => {
    const [mantissa, exponent = "0"] = bytes
      .readFloatLE(i * 4)
      .toExponential(5)
      .split("e");
    return `${mantissa}e${exponent.startsWith("-") ? "-" : "+"}${exponent.replace(/[-+]/, "").padStart(2, "0")}`;
  });
  return `[${numbers.join(",")}]`;
}

const FUNCTIONS = { replace: "JSON_REPLACE", remove: "JSON_REMOVE" } as const;

/** Nested calls, the first difference innermost; differences of one kind in a row share a call. */
function differencesText(diffs: readonly JsonDiff[], column: string): string {
  let text = column;
  let before = "";
  for (const diff of diffs) {
    const isCell = diff.path.endsWith("]");
    const name =
      diff.operation === "insert" ? (isCell ? "JSON_ARRAY_INSERT" : "JSON_INSERT") : FUNCTIONS[diff.operation];
    const value = diff.value === undefined ? "" : `, ${literal(diff.value)}`;
    const isSame = name === before;
    text = isSame
      ? `${text.slice(0, -1)},${quoted(diff.path)}${value})`
      : `${name}(${text},${before === "" ? " " : ""}${quoted(diff.path)}${value})`;
    before = name;
  }
  return text;
}

function literal(node: JsonNode): string {
  switch (node.kind) {
    case "object":
    case "array":
      return `CAST(${quoted(jsonText(node))} AS JSON)`;
    case "string":
      return quoted(node.value);
    case "scalar":
      return node.text;
    case "opaque": {
      const text = jsonText(node);
      return text.startsWith('"') ? quoted(JSON.parse(text) as string) : text;
    }
  }
}

/** As C's `%.*g`: so many digits at most, no zeros at the end, an exponent of two digits where the number is far from 1. */
function shortest(value: number, digits: number): string {
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa = "", exponentText = "0"] = value.toExponential(digits - 1).split("e");
  const exponent = Number(exponentText);
  const trimmed = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent >= -4 && exponent < digits) return trimmed(value.toFixed(Math.max(0, digits - 1 - exponent)));
  const sign = exponent < 0 ? "-" : "+";
  return `${trimmed(mantissa)}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

const NAMES: Readonly<Record<number, string>> = {
  [COLUMN.TINY]: "TINYINT",
  [COLUMN.SHORT]: "SHORTINT",
  [COLUMN.INT24]: "MEDIUMINT",
  [COLUMN.LONG]: "INT",
  [COLUMN.LONGLONG]: "LONGINT",
  [COLUMN.FLOAT]: "FLOAT",
  [COLUMN.DOUBLE]: "DOUBLE",
  [COLUMN.YEAR]: "YEAR",
  [COLUMN.DATE]: "DATE",
  [COLUMN.TIME]: "TIME",
  [COLUMN.DATETIME]: "DATETIME",
  [COLUMN.TIMESTAMP]: "TIMESTAMP",
  [COLUMN.JSON]: "JSON",
  [COLUMN.GEOMETRY]: "GEOMETRY",
};
const BLOB_NAMES = ["", "TINYBLOB/TINYTEXT", "BLOB/TEXT", "MEDIUMBLOB/MEDIUMTEXT", "LONGBLOB/LONGTEXT"];

function typeName(table: TableMap, i: number): string {
  const { type, meta, fixedBytes } = table.columns[i] as ColumnType;
  switch (type) {
    case COLUMN.NEWDECIMAL:
      return `DECIMAL(${meta >> 8},${meta & 255})`;
    case COLUMN.BIT:
      return `BIT(${meta})`;
    case COLUMN.TIME2:
      return `TIME(${meta})`;
    case COLUMN.DATETIME2:
      return `DATETIME(${meta})`;
    case COLUMN.TIMESTAMP2:
      return `TIMESTAMP(${meta})`;
    case COLUMN.VARCHAR:
      return `VARSTRING(${meta})`;
    case COLUMN.STRING:
      return `STRING(${meta})`;
    case COLUMN.ENUM:
      return fixedBytes === 1 ? "ENUM(1 byte)" : `ENUM(${fixedBytes} bytes)`;
    case COLUMN.SET:
      return `SET(${fixedBytes} bytes)`;
    case COLUMN.BLOB:
      return BLOB_NAMES[meta] ?? "";
    case COLUMN.VECTOR:
      return `VECTOR(${decodeTableMetadata(table.columns, table.metadata).vectorDimensions?.[i]})`;
    default:
      return NAMES[type] ?? `type ${type}`;
  }
}
