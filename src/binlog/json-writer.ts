import { malformed } from "./event-reader.ts";
import { JSON_TYPE } from "./json-reader.ts";
import type { JsonNode } from "./json-value.ts";

/** Offsets and sizes of the small form are of two bytes. */
const SMALL_MAX = 0xffff;

/** A value without the byte that says its type. */
interface Encoded {
  readonly type: number;
  readonly bytes: Buffer;
}

/** How wide the numbers of a container are. */
interface Widths {
  readonly offset: 2 | 4;
  readonly keyEntry: 4 | 6;
  readonly valueEntry: 3 | 5;
}

const SMALL: Widths = { offset: 2, keyEntry: 4, valueEntry: 3 };
const LARGE: Widths = { offset: 4, keyEntry: 6, valueEntry: 5 };

/** A value in the server's binary form of JSON, as the server itself would write it. The inverse of `readJson`. */
export function writeJson(node: JsonNode): Buffer {
  const { type, bytes } = encode(node);
  return Buffer.concat([Buffer.of(type), bytes]);
}

function encode(node: JsonNode): Encoded {
  switch (node.kind) {
    case "object":
      return container(
        JSON_TYPE.OBJECT,
        node.members.map(([key]) => Buffer.from(key, "utf8")),
        node.members.map(([, value]) => encode(value)),
      );
    case "array":
      return container(JSON_TYPE.ARRAY, [], node.elements.map(encode));
    case "string": {
      const text = Buffer.from(node.value, "utf8");
      return { type: JSON_TYPE.STRING, bytes: Buffer.concat([variableLength(text.length), text]) };
    }
    case "opaque": {
      const head = Buffer.concat([Buffer.of(node.type), variableLength(node.data.length)]);
      return { type: JSON_TYPE.OPAQUE, bytes: Buffer.concat([head, node.data]) };
    }
    case "scalar":
      return node.integer === undefined ? literalOrDouble(node.text) : integer(BigInt(node.text), node.integer);
  }
}

/** Either form of a container: the small one where all of it is near enough. */
function container(type: number, keys: readonly Buffer[], values: readonly Encoded[]): Encoded {
  const small = layOut(SMALL, keys, values);
  if (small !== undefined) return { type, bytes: small };
  // The code of the large form is that of the small one and 1.
  return { type: type + 1, bytes: layOut(LARGE, keys, values) as Buffer };
}

function layOut(widths: Widths, keys: readonly Buffer[], values: readonly Encoded[]): Buffer | undefined {
  const { offset, keyEntry, valueEntry } = widths;
  const headBytes = 2 * offset + keys.length * keyEntry + values.length * valueEntry;
  const keyBytes = keys.reduce((sum, key) => sum + key.length, 0);
  const valueBytes = values.reduce((sum, value) => sum + (isInline(value, widths) ? 0 : value.bytes.length), 0);
  const total = headBytes + keyBytes + valueBytes;
  if (widths === SMALL && (total > SMALL_MAX || values.length > SMALL_MAX)) return undefined;
  const out = Buffer.alloc(total);
  let at = out.writeUIntLE(values.length, 0, offset);
  at = out.writeUIntLE(total, at, offset);
  let free = headBytes;
  for (const key of keys) {
    if (key.length > SMALL_MAX) throw malformed("a name in JSON is too long");
    at = out.writeUIntLE(free, at, offset);
    at = out.writeUInt16LE(key.length, at);
    free += key.copy(out, free);
  }
  for (const value of values) {
    out.writeUInt8(value.type, at);
    if (isInline(value, widths)) value.bytes.copy(out, at + 1);
    else {
      out.writeUIntLE(free, at + 1, offset);
      free += value.bytes.copy(out, free);
    }
    at += valueEntry;
  }
  return out;
}

/** Whether the entry itself has room for the value. */
function isInline({ type }: Encoded, { offset }: Widths): boolean {
  if (type === JSON_TYPE.LITERAL || type === JSON_TYPE.INT16 || type === JSON_TYPE.UINT16) return true;
  return offset === 4 && (type === JSON_TYPE.INT32 || type === JSON_TYPE.UINT32);
}

function literalOrDouble(text: string): Encoded {
  const literal = ["null", "true", "false"].indexOf(text);
  if (literal >= 0) return { type: JSON_TYPE.LITERAL, bytes: Buffer.of(literal) };
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(Number(text));
  return { type: JSON_TYPE.DOUBLE, bytes };
}

function integer(value: bigint, kind: "signed" | "unsigned"): Encoded {
  const fits = kind === "signed" ? BigInt.asIntN : BigInt.asUintN;
  const [short, middle, long] = INTEGERS[kind];
  if (fits(16, value) === value) return { type: short, bytes: lowBytes(value, 2) };
  if (fits(32, value) === value) return { type: middle, bytes: lowBytes(value, 4) };
  return { type: long, bytes: lowBytes(value, 8) };
}

const INTEGERS = {
  signed: [JSON_TYPE.INT16, JSON_TYPE.INT32, JSON_TYPE.INT64],
  unsigned: [JSON_TYPE.UINT16, JSON_TYPE.UINT32, JSON_TYPE.UINT64],
} as const;

function lowBytes(value: bigint, count: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes.subarray(0, count);
}

/** Seven bits a byte, lowest first. */
function variableLength(length: number): Buffer {
  const bytes: number[] = [];
  let rest = length;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}
