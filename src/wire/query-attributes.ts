import { CAP, hasFlag } from "./capabilities.ts";
import { PacketReader } from "./packet-reader.ts";

/** Bytes of a binary value by its type; types that are not here are length-encoded strings. */
const FIXED_BYTES: ReadonlyMap<number, number> = new Map([
  [0x01, 1],
  [0x02, 2],
  [0x03, 4],
  [0x04, 4],
  [0x05, 8],
  [0x06, 0],
  [0x08, 8],
  [0x09, 4],
  [0x0d, 2],
]);

/** Types whose value starts with one byte that counts the rest: dates and times. */
const COUNTED: ReadonlySet<number> = new Set([0x07, 0x0a, 0x0b, 0x0c]);

/**
 * Where the text of the statement begins in a `COM_QUERY` payload: behind the command byte, and behind the
 * query attributes where the connection has agreed on them.
 *
 * @throws {SwitchyardError} `WIRE_MALFORMED`
 */
export function statementOffset(payload: Buffer, capabilities: number): number {
  if (!hasFlag(capabilities, CAP.QUERY_ATTRIBUTES)) return 1;
  const reader = new PacketReader(payload, "query", 1);
  const count = reader.lenencNumber();
  reader.lenencNumber();
  if (count === 0) return reader.offset;
  const nulls = reader.bytes(Math.ceil(count / 8));
  if (reader.u8() !== 1) throw reader.malformed("query attributes without their types");
  const types: number[] = [];
  for (let index = 0; index < count; index++) {
    types.push(reader.u16() & 0xff);
    reader.lenencBytes();
  }
  for (const [index, type] of types.entries()) {
    const isNull = ((nulls[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
    if (!isNull) skipValue(reader, type);
  }
  return reader.offset;
}

function skipValue(reader: PacketReader, type: number): void {
  const fixed = FIXED_BYTES.get(type);
  if (fixed !== undefined) reader.skip(fixed);
  else if (COUNTED.has(type)) reader.skip(reader.u8());
  else reader.lenencBytes();
}
