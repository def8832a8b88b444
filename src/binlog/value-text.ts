import { COLUMN, type ColumnType } from "./column-type.ts";
import { decimalText } from "./decimal-value.ts";
import { malformed } from "./event-reader.ts";
import { doubleText } from "./json-value.ts";
import {
  dateText,
  datetimeText,
  oldDatetimeText,
  oldTimestampText,
  oldTimeText,
  timestampText,
  timeText,
} from "./temporal-value.ts";

/**
 * The exact text of a number or temporal value in a row image: what the server shows in the session time zone
 * +00:00, with FLOAT widened to the DOUBLE of the same value, so that no bit is lost. ENUM and SET are their number.
 *
 * Types whose values are bytes (strings, blobs, JSON, GEOMETRY, VECTOR) have no text here: their bytes are the value.
 */
export function valueText(column: ColumnType, unsigned: boolean, buffer: Buffer, at: number): string {
  switch (column.type) {
    case COLUMN.TINY:
      return String(unsigned ? buffer.readUInt8(at) : buffer.readInt8(at));
    case COLUMN.SHORT:
      return String(unsigned ? buffer.readUInt16LE(at) : buffer.readInt16LE(at));
    case COLUMN.INT24:
      return String(unsigned ? buffer.readUIntLE(at, 3) : buffer.readIntLE(at, 3));
    case COLUMN.LONG:
      return String(unsigned ? buffer.readUInt32LE(at) : buffer.readInt32LE(at));
    case COLUMN.LONGLONG:
      return String(unsigned ? buffer.readBigUInt64LE(at) : buffer.readBigInt64LE(at));
    case COLUMN.FLOAT:
      return doubleText(buffer.readFloatLE(at));
    case COLUMN.DOUBLE:
      return doubleText(buffer.readDoubleLE(at));
    case COLUMN.NEWDECIMAL:
      return decimalText(buffer, at, column.meta >> 8, column.meta & 255);
    case COLUMN.YEAR: {
      const year = buffer.readUInt8(at);
      return year === 0 ? "0000" : String(1900 + year);
    }
    case COLUMN.DATE:
    case COLUMN.NEWDATE:
      return dateText(buffer, at);
    case COLUMN.TIME2:
      return timeText(buffer, at, column.meta);
    case COLUMN.DATETIME2:
      return datetimeText(buffer, at, column.meta);
    case COLUMN.TIMESTAMP2:
      return timestampText(buffer, at, column.meta);
    case COLUMN.TIME:
      return oldTimeText(buffer, at);
    case COLUMN.DATETIME:
      return oldDatetimeText(buffer, at);
    case COLUMN.TIMESTAMP:
      return oldTimestampText(buffer, at);
    case COLUMN.BIT:
      return String(bigEndian(buffer, at, column.fixedBytes));
    case COLUMN.ENUM:
    case COLUMN.SET:
      return String(littleEndian(buffer, at, column.fixedBytes));
    default:
      throw malformed(`a value of type ${column.type} is not a number or a time`);
  }
}

/** Whether {@link valueText} reads values of this type: all that have a fixed length. */
export function hasValueText(column: ColumnType): boolean {
  return column.fixedBytes >= 0;
}

function bigEndian(buffer: Buffer, at: number, bytes: number): bigint {
  let value = 0n;
  for (let i = 0; i < bytes; i++) value = (value << 8n) | BigInt(buffer.readUInt8(at + i));
  return value;
}

function littleEndian(buffer: Buffer, at: number, bytes: number): bigint {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(buffer.readUInt8(at + i));
  return value;
}
