import { FIELD } from "./field-type.ts";
import type { PacketReader } from "./packet-reader.ts";
import type { PacketWriter } from "./packet-writer.ts";

/** A DATE, DATETIME or TIMESTAMP. A zero date is all zeros. */
export interface DateTimeParts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly microseconds: number;
}

/** A TIME: a length of time, of up to 838 hours either way. */
export interface TimeParts {
  readonly negative: boolean;
  readonly days: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly microseconds: number;
}

/**
 * A value of the binary protocol. Integers of up to four bytes are numbers, LONGLONG is a bigint; FLOAT is the
 * double of the same value; all that the server sends as a string, DECIMAL, JSON and BIT among them, is bytes.
 */
export type BinaryValue = null | number | bigint | Buffer | DateTimeParts | TimeParts;

/** How a value lies in the packet. */
type Layout = "u8" | "u16" | "u32" | "u64" | "float" | "double" | "datetime" | "time" | "bytes" | "nothing";

const LAYOUTS: ReadonlyMap<number, Layout> = new Map([
  [FIELD.TINY, "u8"],
  [FIELD.BOOL, "u8"],
  [FIELD.SHORT, "u16"],
  [FIELD.YEAR, "u16"],
  [FIELD.LONG, "u32"],
  [FIELD.INT24, "u32"],
  [FIELD.LONGLONG, "u64"],
  [FIELD.FLOAT, "float"],
  [FIELD.DOUBLE, "double"],
  [FIELD.DATE, "datetime"],
  [FIELD.NEWDATE, "datetime"],
  [FIELD.DATETIME, "datetime"],
  [FIELD.TIMESTAMP, "datetime"],
  [FIELD.TIME, "time"],
  [FIELD.NULL, "nothing"],
]);

/** A type that is not in the table is a length-encoded string: so are all that servers have added since 4.1. */
function layoutOf(type: number): Layout {
  return LAYOUTS.get(type) ?? "bytes";
}

/** Reads one value that is not NULL. @throws {SwitchyardError} `WIRE_MALFORMED` */
export function readBinaryValue(reader: PacketReader, type: number, unsigned: boolean): BinaryValue {
  switch (layoutOf(type)) {
    case "u8":
      return unsigned ? reader.u8() : (reader.u8() << 24) >> 24;
    case "u16":
      return unsigned ? reader.u16() : (reader.u16() << 16) >> 16;
    case "u32":
      return unsigned ? reader.u32() : reader.u32() | 0;
    case "u64":
      return unsigned ? reader.u64() : BigInt.asIntN(64, reader.u64());
    case "float":
      return reader.bytes(4).readFloatLE(0);
    case "double":
      return reader.bytes(8).readDoubleLE(0);
    case "datetime":
      return readDateTime(reader);
    case "time":
      return readTime(reader);
    case "bytes":
      return reader.bytes(reader.lenencNumber());
    case "nothing":
      return null;
  }
}

/** Writes what {@link readBinaryValue} reads; the value must be of the kind that the type has. */
export function writeBinaryValue(writer: PacketWriter, type: number, value: Exclude<BinaryValue, null>): void {
  switch (layoutOf(type)) {
    case "u8":
      writer.u8(value as number);
      break;
    case "u16":
      writer.u16(value as number);
      break;
    case "u32":
      writer.u32(value as number);
      break;
    case "u64":
      writer.u64(value as bigint);
      break;
    case "float":
      writer.bytes(floatBytes(value as number, 4));
      break;
    case "double":
      writer.bytes(floatBytes(value as number, 8));
      break;
    case "datetime":
      writeDateTime(writer, value as DateTimeParts);
      break;
    case "time":
      writeTime(writer, value as TimeParts);
      break;
    case "bytes":
      writer.lenencBytes(value as Buffer);
      break;
    case "nothing":
      break;
  }
}

function floatBytes(value: number, width: 4 | 8): Buffer {
  const bytes = Buffer.allocUnsafe(width);
  if (width === 4) bytes.writeFloatLE(value, 0);
  else bytes.writeDoubleLE(value, 0);
  return bytes;
}

/** Zero parts at the end are left out: 0, 4, 7 or 11 bytes. */
function readDateTime(reader: PacketReader): DateTimeParts {
  const length = reader.u8();
  if (length !== 0 && length !== 4 && length !== 7 && length !== 11) {
    throw reader.malformed(`a date of ${length} bytes`);
  }
  const has = (bytes: number): boolean => length >= bytes;
  return {
    year: has(4) ? reader.u16() : 0,
    month: has(4) ? reader.u8() : 0,
    day: has(4) ? reader.u8() : 0,
    hours: has(7) ? reader.u8() : 0,
    minutes: has(7) ? reader.u8() : 0,
    seconds: has(7) ? reader.u8() : 0,
    microseconds: has(11) ? reader.u32() : 0,
  };
}

function writeDateTime(writer: PacketWriter, value: DateTimeParts): void {
  const { year, month, day, hours, minutes, seconds, microseconds } = value;
  const clock = (hours | minutes | seconds) !== 0;
  const length = microseconds !== 0 ? 11 : clock ? 7 : (year | month | day) !== 0 ? 4 : 0;
  writer.u8(length);
  if (length >= 4) writer.u16(year).u8(month).u8(day);
  if (length >= 7) writer.u8(hours).u8(minutes).u8(seconds);
  if (length >= 11) writer.u32(microseconds);
}

/** 0, 8 or 12 bytes. */
function readTime(reader: PacketReader): TimeParts {
  const length = reader.u8();
  if (length !== 0 && length !== 8 && length !== 12) throw reader.malformed(`a time of ${length} bytes`);
  const has = (bytes: number): boolean => length >= bytes;
  return {
    negative: has(8) && reader.u8() !== 0,
    days: has(8) ? reader.u32() : 0,
    hours: has(8) ? reader.u8() : 0,
    minutes: has(8) ? reader.u8() : 0,
    seconds: has(8) ? reader.u8() : 0,
    microseconds: has(12) ? reader.u32() : 0,
  };
}

function writeTime(writer: PacketWriter, value: TimeParts): void {
  const { negative, days, hours, minutes, seconds, microseconds } = value;
  const length = microseconds !== 0 ? 12 : (days | hours | minutes | seconds) !== 0 ? 8 : 0;
  writer.u8(length);
  if (length >= 8) {
    writer
      .u8(negative ? 1 : 0)
      .u32(days)
      .u8(hours)
      .u8(minutes)
      .u8(seconds);
  }
  if (length >= 12) writer.u32(microseconds);
}
