import { serverDoubleText } from "./double-text.ts";
import { EventReader, malformed } from "./event-reader.ts";
import type { JsonNode } from "./json-value.ts";

/** The server allows 100 levels. */
const DEPTH_MAX = 100;

const LITERALS = ["null", "true", "false"] as const;

/** Type codes inside of the binary form. */
export const JSON_TYPE = {
  OBJECT: 0,
  LARGE_OBJECT: 1,
  ARRAY: 2,
  LARGE_ARRAY: 3,
  LITERAL: 4,
  INT16: 5,
  UINT16: 6,
  INT32: 7,
  UINT32: 8,
  INT64: 9,
  UINT64: 10,
  DOUBLE: 11,
  STRING: 12,
  OPAQUE: 15,
} as const;

/** Where a container lies, and how wide the numbers in it are. */
interface Container {
  readonly base: number;
  readonly end: number;
  readonly large: boolean;
  readonly depth: number;
}

/**
 * Unpacks one value of the server's binary form of JSON.
 *
 * Entries of a container point at their values by offset, so hostile bytes may point many entries at one value, or
 * back at the container itself. What is unpacked is therefore bounded twice: in depth, and in bytes, for a value in
 * which nothing is read twice cannot hold more bytes than it has.
 */
export class JsonReader {
  readonly #reader: EventReader;
  #budget: number;

  constructor(buffer: Buffer, start: number, end: number) {
    this.#reader = new EventReader(buffer, start, end);
    this.#budget = end - start;
  }

  /** @throws {SwitchyardError} `BINLOG_MALFORMED` */
  read(): JsonNode {
    return this.#value(this.#reader.u8(), this.#reader, 0);
  }

  #value(type: number, reader: EventReader, depth: number): JsonNode {
    switch (type) {
      case JSON_TYPE.OBJECT:
      case JSON_TYPE.LARGE_OBJECT:
        return this.#object(reader, type === JSON_TYPE.LARGE_OBJECT, depth + 1);
      case JSON_TYPE.ARRAY:
      case JSON_TYPE.LARGE_ARRAY:
        return this.#array(reader, type === JSON_TYPE.LARGE_ARRAY, depth + 1);
      case JSON_TYPE.LITERAL:
        return literal(reader.u8());
      case JSON_TYPE.INT16:
        return integer("signed", reader.buffer.readInt16LE(reader.skip(2)));
      case JSON_TYPE.UINT16:
        return integer("unsigned", reader.u16());
      case JSON_TYPE.INT32:
        return integer("signed", reader.buffer.readInt32LE(reader.skip(4)));
      case JSON_TYPE.UINT32:
        return integer("unsigned", reader.u32());
      case JSON_TYPE.INT64:
        return integer("signed", reader.buffer.readBigInt64LE(reader.skip(8)));
      case JSON_TYPE.UINT64:
        return integer("unsigned", reader.buffer.readBigUInt64LE(reader.skip(8)));
      case JSON_TYPE.DOUBLE:
        return scalar(finite(reader.buffer.readDoubleLE(reader.skip(8))));
      case JSON_TYPE.STRING: {
        const length = variableLength(reader);
        this.#spend(length);
        return { kind: "string", value: reader.text(length) };
      }
      case JSON_TYPE.OPAQUE: {
        const ownType = reader.u8();
        const length = variableLength(reader);
        this.#spend(length);
        return { kind: "opaque", type: ownType, data: reader.bytes(length) };
      }
      default:
        throw malformed(`a JSON value of type ${type}`);
    }
  }

  #object(reader: EventReader, large: boolean, depth: number): JsonNode {
    const base = reader.offset;
    const { count, end } = this.#head(reader, large, depth, large ? 11 : 7);
    const container = { base, end, large, depth };
    const places = new EventReader(reader.buffer, reader.skip(count * (large ? 6 : 4)), end);
    const values = new EventReader(reader.buffer, reader.skip(count * (large ? 5 : 3)), end);
    const members: [string, JsonNode][] = [];
    for (let i = 0; i < count; i++) {
      const at = base + (large ? places.u32() : places.u16());
      const length = places.u16();
      this.#spend(length);
      const key = within(reader, at, end).text(length);
      members.push([key, this.#entry(values, container)]);
    }
    return { kind: "object", members };
  }

  #array(reader: EventReader, large: boolean, depth: number): JsonNode {
    const base = reader.offset;
    const { count, end } = this.#head(reader, large, depth, large ? 5 : 3);
    const container = { base, end, large, depth };
    const values = new EventReader(reader.buffer, reader.skip(count * (large ? 5 : 3)), end);
    const elements: JsonNode[] = [];
    for (let i = 0; i < count; i++) elements.push(this.#entry(values, container));
    return { kind: "array", elements };
  }

  /** Element count and end, both checked against what is there. */
  #head(reader: EventReader, large: boolean, depth: number, entryBytes: number): { count: number; end: number } {
    if (depth > DEPTH_MAX) throw malformed("JSON is nested too deep");
    const { offset } = reader;
    const count = large ? reader.u32() : reader.u16();
    const bytes = large ? reader.u32() : reader.u16();
    const headBytes = (large ? 8 : 4) + count * entryBytes;
    if (bytes < headBytes || bytes > reader.end - offset) throw malformed("a JSON value is cut");
    this.#spend(headBytes);
    return { count, end: offset + bytes };
  }

  /** One entry of the value table: small values lie in the entry itself, others where it points. */
  #entry(values: EventReader, { base, end, large, depth }: Container): JsonNode {
    const type = values.u8();
    const at = values.skip(large ? 4 : 2);
    const isInline =
      type === JSON_TYPE.LITERAL ||
      type === JSON_TYPE.INT16 ||
      type === JSON_TYPE.UINT16 ||
      (large && (type === JSON_TYPE.INT32 || type === JSON_TYPE.UINT32));
    if (isInline) return this.#value(type, new EventReader(values.buffer, at, end), depth);
    const offset = large ? values.buffer.readUInt32LE(at) : values.buffer.readUInt16LE(at);
    return this.#value(type, within(values, base + offset, end), depth);
  }

  #spend(bytes: number): void {
    this.#budget -= bytes;
    if (this.#budget < 0) throw malformed("parts of a JSON value are used more than once");
  }
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

/** JSON has no infinities, and the server stores none. */
function finite(value: number): string {
  if (!Number.isFinite(value)) throw malformed(`the number ${value} inside JSON`);
  return serverDoubleText(value);
}

function scalar(text: string): JsonNode {
  return { kind: "scalar", text };
}

function integer(kind: "signed" | "unsigned", value: number | bigint): JsonNode {
  return { kind: "scalar", text: String(value), integer: kind };
}
