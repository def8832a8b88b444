import { SwitchyardError } from "../base/errors.ts";
import { COLUMN } from "../binlog/column-type.ts";

/**
 * A JSON document on its way to an SQL expression that makes it again with the same types. `text`: a part of which JSON
 * text says all; `value`: an SQL expression of a type that JSON text cannot say.
 */
export type SqlJson =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "value"; readonly sql: string }
  | { readonly kind: "array"; readonly elements: readonly SqlJson[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [key: string, value: SqlJson])[] };

/** An expression to be stored into a JSON column: a text, or of type JSON. */
export function jsonDocument(json: SqlJson): string {
  if (json.kind === "text") return textLiteral(json.text);
  return json.kind === "value" ? `CAST(${json.sql} AS JSON)` : jsonPart(json);
}

/** An expression to be put into JSON_ARRAY or JSON_OBJECT. */
function jsonPart(json: SqlJson): string {
  switch (json.kind) {
    case "text":
      return `CAST(${textLiteral(json.text)} AS JSON)`;
    case "value":
      return json.sql;
    case "array":
      return `JSON_ARRAY(${json.elements.map(jsonPart).join(",")})`;
    case "object":
      return `JSON_OBJECT(${json.members.map(([key, value]) => `${textLiteral(key)},${jsonPart(value)}`).join(",")})`;
  }
}

function textLiteral(text: string): string {
  if (text === "") return "''";
  return `_utf8mb4 0x${Buffer.from(text, "utf8").toString("hex")}`;
}

/** An integer of which the text alone would not say whether it is signed. */
export function integerValue(digits: string, unsigned: boolean): string {
  return unsigned ? `CAST(${digits} AS UNSIGNED)` : digits;
}

/** A DECIMAL from its digits: as many behind the point as are given, which may be zeros. */
export function decimalValue(text: string): string {
  const digits = text.replaceAll(/[^0-9]/g, "").length;
  const point = text.indexOf(".");
  const scale = point < 0 ? 0 : text.length - point - 1;
  return `CAST('${text}' AS DECIMAL(${digits},${scale}))`;
}

const TEMPORALS: ReadonlyMap<number, string> = new Map([
  [COLUMN.DATE, "DATE"],
  [COLUMN.TIME, "TIME(6)"],
  [COLUMN.DATETIME, "DATETIME(6)"],
]);

/** A DATE, TIME, DATETIME or TIMESTAMP from the text that the server shows. The session's zone must be +00:00. */
export function temporalValue(type: number, text: string): string {
  if (type === COLUMN.TIMESTAMP) return columnValue("TIMESTAMP(6)", `CAST('${text}' AS DATETIME(6))`);
  return `CAST('${text}' AS ${TEMPORALS.get(type) ?? "DATETIME(6)"})`;
}

const BINARIES: ReadonlyMap<number, string> = new Map([
  [COLUMN.TINY_BLOB, "TINYBLOB"],
  [COLUMN.MEDIUM_BLOB, "MEDIUMBLOB"],
  [COLUMN.LONG_BLOB, "LONGBLOB"],
  [COLUMN.BLOB, "BLOB"],
]);
const LONGEST_BINARY = 255;
const LONGEST_VARBINARY = 65_535;

/**
 * A binary string or BIT that came from a column of the type, which is part of the value.
 *
 * @throws {SwitchyardError} `REPLICATION_VALUE_UNSUPPORTED` for types of which no expression is
 */
export function binaryValue(type: number, bytes: Buffer): string {
  const { length } = bytes;
  const literal = length === 0 ? "CAST('' AS BINARY)" : `CAST(0x${bytes.toString("hex")} AS BINARY)`;
  const blob = BINARIES.get(type);
  // The column alone would take the text of a long value; a union of it and the value has its type and the bytes.
  if (blob !== undefined) {
    return `(SELECT CAST(v AS JSON) FROM (SELECT v FROM JSON_TABLE('[]','$[*]' COLUMNS (v ${blob} PATH '$')) t UNION ALL SELECT ${literal}) u)`;
  }
  if (type === COLUMN.VARCHAR && length <= LONGEST_VARBINARY) return columnValue(`VARBINARY(${length})`, literal);
  if (type === COLUMN.STRING && length <= LONGEST_BINARY) return columnValue(`BINARY(${length})`, literal);
  if (type === COLUMN.BIT && length >= 1 && length <= 8) {
    return columnValue(`BIT(${length * 8})`, `CAST(0x${bytes.toString("hex")} AS UNSIGNED)`);
  }
  throw withoutExpression(`${length} bytes of SQL type ${type}`);
}

/** A value inside JSON that only a server of before, or a row event, has written: an expression would give it another type. */
export function withoutExpression(value: string): SwitchyardError {
  return new SwitchyardError("REPLICATION_VALUE_UNSUPPORTED", {
    what: `a JSON document holds a value (${value}) of a type that no expression can write`,
    changed: "The row was not written; nothing of its transaction was kept.",
    fix: "Write the value anew on the source, which gives it a type of today: UPDATE … SET document = JSON_SET(document, path, CAST(JSON_UNQUOTE(JSON_EXTRACT(document, path)) AS BINARY)); or store it as a JSON string. Then resume.",
  });
}

/** The value of an expression as that of a column of the type: only such a column gives JSON a value of it. */
function columnValue(type: string, sql: string): string {
  return `(SELECT CAST(v AS JSON) FROM JSON_TABLE(JSON_ARRAY(${sql}),'$[*]' COLUMNS (v ${type} PATH '$' ERROR ON ERROR)) t)`;
}
