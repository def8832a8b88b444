import { type BinaryValue, readBinaryValue, writeBinaryValue } from "./binary-value.ts";
import { UNSIGNED_FLAG } from "./field-type.ts";
import { bitIsSet, bitmapBytes, nullBitmap } from "./null-bitmap.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** Of a column's definition, what its values need to be read. */
export interface BinaryColumn {
  readonly type: number;
  readonly flags: number;
}

/** The bitmap's first two bits belong to nothing. */
const SHIFT = 2;

/** Reads a row of a prepared statement's result. @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseBinaryRow(payload: Buffer, columns: readonly BinaryColumn[]): BinaryValue[] {
  const reader = new PacketReader(payload, "binary row");
  const first = reader.u8();
  if (first !== 0x00) throw reader.malformed(`first byte ${first}, expected 0`);
  const nulls = reader.bytes(bitmapBytes(columns.length, SHIFT));
  const values = columns.map(({ type, flags }, index) =>
    bitIsSet(nulls, index + SHIFT) ? null : readBinaryValue(reader, type, (flags & UNSIGNED_FLAG) !== 0),
  );
  if (reader.left > 0) throw reader.malformed(`${reader.left} bytes are left over behind the last column`);
  return values;
}

/** Writes what {@link parseBinaryRow} reads. */
export function buildBinaryRow(values: readonly BinaryValue[], columns: readonly BinaryColumn[]): Buffer {
  const writer = new PacketWriter(64).u8(0).bytes(nullBitmap(values, SHIFT));
  for (const [index, { type }] of columns.entries()) {
    const value = values[index] ?? null;
    if (value !== null) writeBinaryValue(writer, type, value);
  }
  return writer.payload();
}
