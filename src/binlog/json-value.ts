import { COLUMN } from "./column-type.ts";
import { decimalText } from "./decimal-value.ts";
import { malformed } from "./event-reader.ts";
import { JsonReader } from "./json-reader.ts";
import { dateTimeParts } from "./temporal-value.ts";

/**
 * A JSON value in the server's binary form, unpacked. `scalar` carries JSON text that reads back as the same type:
 * a double always has a point or an exponent; only whether an integer has a sign is kept apart. `opaque` is a value of
 * an SQL type that JSON text cannot express.
 */
export type JsonNode =
  | { readonly kind: "object"; readonly members: readonly (readonly [string, JsonNode])[] }
  | { readonly kind: "array"; readonly elements: readonly JsonNode[] }
  | { readonly kind: "scalar"; readonly text: string; readonly integer?: "signed" | "unsigned" }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "opaque"; readonly type: number; readonly data: Buffer };

/** Reads a whole column value. An empty one is what `INSERT IGNORE` may leave; the server shows it as `null`. */
export function readJson(buffer: Buffer, start: number, end: number): JsonNode {
  if (start === end) return { kind: "scalar", text: "null" };
  return new JsonReader(buffer, start, end).read();
}

/**
 * JSON text exactly as the server writes it (`CAST(j AS CHAR)`), spaces and digits of doubles included. Opaque values
 * are written as the server shows them, their type is lost.
 */
export function jsonText(node: JsonNode): string {
  switch (node.kind) {
    case "object":
      return `{${node.members.map(([key, member]) => `${JSON.stringify(key)}: ${jsonText(member)}`).join(", ")}}`;
    case "array":
      return `[${node.elements.map(jsonText).join(", ")}]`;
    case "scalar":
      return node.text;
    case "string":
      return JSON.stringify(node.value);
    case "opaque":
      return opaqueText(node.type, node.data);
  }
}

function opaqueText(type: number, data: Buffer): string {
  if (type === COLUMN.NEWDECIMAL) return opaqueDecimal(data).text;
  const temporal = opaqueTemporal(type, data);
  if (temporal !== undefined) return `"${temporal}"`;
  return `"base64:type${type}:${base64Lines(data)}"`;
}

/** The server breaks base64 into lines of 76 characters, and escapes the breaks in JSON text. */
function base64Lines(data: Buffer): string {
  return data.toString("base64").replaceAll(/(.{76})(?=.)/g, "$1\\n");
}

/** The digits in front of the point are counted in whole groups of nine, so that they may seem more than the 65 of a column. */
const DECIMAL_DIGITS_MAX = 81;

/** A DECIMAL inside JSON: its precision and scale come with it. */
export function opaqueDecimal(data: Buffer): {
  readonly text: string;
  readonly precision: number;
  readonly scale: number;
} {
  const precision = data[0] ?? 0;
  const scale = data[1] ?? 0;
  if (precision < 1 || scale > precision || precision > DECIMAL_DIGITS_MAX) {
    throw malformed(`DECIMAL(${precision},${scale}) inside JSON`);
  }
  return { text: decimalText(data, 2, precision, scale), precision, scale };
}

/** A temporal value inside JSON as text, always with six digits of a second; `undefined` for any other type. */
export function opaqueTemporal(type: number, data: Buffer): string | undefined {
  const isDate = type === COLUMN.DATE;
  const isTime = type === COLUMN.TIME;
  if (!isDate && !isTime && type !== COLUMN.DATETIME && type !== COLUMN.TIMESTAMP) return undefined;
  if (data.length < 8) throw malformed("a temporal value inside JSON is cut");
  const packed = data.readBigInt64LE(0);
  const value = packed < 0n ? -packed : packed;
  const micros = String(value & 0xff_ffffn).padStart(6, "0");
  const whole = Number(value >> 24n);
  const text = dateTimeParts(Math.floor(whole / 0x40_0000), whole % 0x40_0000);
  if (isDate) return text.slice(0, 10);
  if (!isTime) return `${text}.${micros}`;
  const two = (part: number): string => String(part).padStart(2, "0");
  const sign = packed < 0n ? "-" : "";
  return `${sign}${two((whole >> 12) & 1023)}:${two((whole >> 6) & 63)}:${two(whole & 63)}.${micros}`;
}

/** The shortest text that reads back as the same double, and as a double. */
export function doubleText(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
