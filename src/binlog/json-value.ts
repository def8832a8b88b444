import { COLUMN } from "./column-type.ts";
import { decimalText } from "./decimal-value.ts";
import { EventReader, malformed } from "./event-reader.ts";
import { dateTimeParts } from "./temporal-value.ts";

/**
 * A JSON value in the server's binary form, unpacked. `scalar` carries JSON text that reads back as the same type:
 * a double always has a point or an exponent. `opaque` is a value of an SQL type that JSON text cannot express.
 */
export type JsonNode =
  | { readonly kind: "object"; readonly members: readonly (readonly [string, JsonNode])[] }
  | { readonly kind: "array"; readonly elements: readonly JsonNode[] }
  | { readonly kind: "scalar"; readonly text: string }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "opaque"; readonly type: number; readonly data: Buffer };

/** The server allows 100 levels. */
const DEPTH_MAX = 110;

const LITERALS = ["null", "true", "false"] as const;

/** Reads a whole column value. An empty one is what `INSERT IGNORE` may leave; the server shows it as `null`. */
export function readJson(buffer: Buffer, start: number, end: number): JsonNode {
  if (start === end) return { kind: "scalar", text: "null" };
  const reader = new EventReader(buffer, start, end);
  return readValue(reader.u8(), reader, DEPTH_MAX);
}

/** Whether a value inside is of an SQL type that JSON text cannot express. */
export function hasOpaque(node: JsonNode): boolean {
  switch (node.kind) {
    case "opaque":
      return true;
    case "object":
      return node.members.some(([, member]) => hasOpaque(member));
    case "array":
      return node.elements.some(hasOpaque);
    default:
      return false;
  }
}

/** JSON text in the server's spacing. Opaque values are written as the server shows them, their type is lost. */
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
  return `"base64:type${type}:${data.toString("base64")}"`;
}

/** A DECIMAL inside JSON: its precision and scale come with it. */
export function opaqueDecimal(data: Buffer): {
  readonly text: string;
  readonly precision: number;
  readonly scale: number;
} {
  const precision = data[0] ?? 0;
  const scale = data[1] ?? 0;
  if (scale > precision || precision > 65) throw malformed(`DECIMAL(${precision},${scale}) inside JSON`);
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

function readValue(type: number, reader: EventReader, depth: number): JsonNode {
  switch (type) {
    case 0x00:
    case 0x01:
      return readObject(reader, type === 0x01, depth);
    case 0x02:
    case 0x03:
      return readArray(reader, type === 0x03, depth);
    case 0x04:
      return literal(reader.u8());
    case 0x05:
      return scalar(String(reader.buffer.readInt16LE(reader.skip(2))));
    case 0x06:
      return scalar(String(reader.u16()));
    case 0x07:
      return scalar(String(reader.buffer.readInt32LE(reader.skip(4))));
    case 0x08:
      return scalar(String(reader.u32()));
    case 0x09:
      return scalar(String(reader.buffer.readBigInt64LE(reader.skip(8))));
    case 0x0a:
      return scalar(String(reader.buffer.readBigUInt64LE(reader.skip(8))));
    case 0x0b:
      return scalar(doubleText(reader.buffer.readDoubleLE(reader.skip(8))));
    case 0x0c:
      return { kind: "string", value: reader.text(variableLength(reader)) };
    case 0x0f: {
      const ownType = reader.u8();
      return { kind: "opaque", type: ownType, data: reader.bytes(variableLength(reader)) };
    }
    default:
      throw malformed(`a JSON value of type ${type}`);
  }
}

function readObject(reader: EventReader, large: boolean, depth: number): JsonNode {
  const base = reader.offset;
  const { count, bytes } = readHead(reader, large, depth);
  const number = (): number => (large ? reader.u32() : reader.u16());
  const keys: string[] = [];
  const places = new EventReader(reader.buffer, reader.skip(count * (large ? 6 : 4)), reader.end);
  for (let i = 0; i < count; i++) {
    const at = base + (large ? places.u32() : places.u16());
    const length = places.u16();
    keys.push(within(reader, at, base + bytes).text(length));
  }
  const members: [string, JsonNode][] = [];
  for (const key of keys) members.push([key, readEntry(reader, number, base, base + bytes, large, depth)]);
  return { kind: "object", members };
}

function readArray(reader: EventReader, large: boolean, depth: number): JsonNode {
  const base = reader.offset;
  const { count, bytes } = readHead(reader, large, depth);
  const number = (): number => (large ? reader.u32() : reader.u16());
  const elements: JsonNode[] = [];
  for (let i = 0; i < count; i++) elements.push(readEntry(reader, number, base, base + bytes, large, depth));
  return { kind: "array", elements };
}

/** Element count and total bytes, both checked against what is there. */
function readHead(reader: EventReader, large: boolean, depth: number): { count: number; bytes: number } {
  if (depth <= 0) throw malformed("JSON is nested too deep");
  const count = large ? reader.u32() : reader.u16();
  const bytes = large ? reader.u32() : reader.u16();
  const headBytes = large ? 8 : 4;
  if (bytes < headBytes || bytes - headBytes > reader.left || count > bytes) throw malformed("a JSON value is cut");
  return { count, bytes };
}

/** One entry of the value table: small values lie in the entry itself, others where it points. */
function readEntry(
  reader: EventReader,
  number: () => number,
  base: number,
  end: number,
  large: boolean,
  depth: number,
): JsonNode {
  const type = reader.u8();
  const inline = type === 0x04 || type === 0x05 || type === 0x06 || (large && (type === 0x07 || type === 0x08));
  if (inline) {
    const at = reader.skip(large ? 4 : 2);
    return readValue(type, new EventReader(reader.buffer, at, reader.end), depth);
  }
  return readValue(type, within(reader, base + number(), end), depth - 1);
}

function within(reader: EventReader, at: number, end: number): EventReader {
  if (at > end || end > reader.end) throw malformed("a JSON value points outside of itself");
  return new EventReader(reader.buffer, at, end);
}

/** Seven bits a byte, lowest first; at most five bytes. */
function variableLength(reader: EventReader): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = reader.u8();
    length += (byte & 0x7f) * 2 ** (7 * i);
    if ((byte & 0x80) === 0) return length;
  }
  throw malformed("a length inside JSON has no end");
}

function literal(code: number): JsonNode {
  const text = LITERALS[code];
  if (text === undefined) throw malformed(`JSON literal ${code}`);
  return scalar(text);
}

function scalar(text: string): JsonNode {
  return { kind: "scalar", text };
}

/** The shortest text that reads back as the same double, and as a double. */
export function doubleText(value: number): string {
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}
