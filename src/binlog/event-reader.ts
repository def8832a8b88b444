import { SwitchyardError } from "../base/errors.ts";

/**
 * Reads the fields of one event in order. Every read is checked against the end of the event: what the event
 * claims is never trusted, and a field that is not there is `BINLOG_MALFORMED`.
 */
export class EventReader {
  readonly buffer: Buffer;
  readonly end: number;
  offset: number;

  constructor(buffer: Buffer, offset = 0, end = buffer.length) {
    this.buffer = buffer;
    this.offset = offset;
    this.end = end;
  }

  get left(): number {
    return this.end - this.offset;
  }

  /** Moves past `count` bytes and says where they began. */
  skip(count: number): number {
    if (count < 0 || count > this.end - this.offset) {
      throw malformed(`a field of ${count} bytes begins ${this.left} bytes before the event's end`);
    }
    const at = this.offset;
    this.offset += count;
    return at;
  }

  u8(): number {
    return this.buffer.readUInt8(this.skip(1));
  }

  u16(): number {
    return this.buffer.readUInt16LE(this.skip(2));
  }

  u32(): number {
    return this.buffer.readUInt32LE(this.skip(4));
  }

  u48(): number {
    return this.buffer.readUIntLE(this.skip(6), 6);
  }

  /** 7 bytes: microseconds since 1970 need 51 bits, the top bit is left to the caller. */
  u56(): bigint {
    const at = this.skip(7);
    return BigInt(this.buffer.readUIntLE(at, 6)) | (BigInt(this.buffer.readUInt8(at + 6)) << 48n);
  }

  /** 8 bytes that must fit a double exactly. */
  u64(): number {
    const value = this.buffer.readBigUInt64LE(this.skip(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`the number ${value} is out of range`);
    return Number(value);
  }

  /** A length-encoded integer. */
  lenenc(): number {
    const first = this.u8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.u16();
    if (first === 0xfd) return this.buffer.readUIntLE(this.skip(3), 3);
    if (first === 0xfe) return this.u64();
    throw malformed(`${first} does not begin a length`);
  }

  /** A slice that shares memory with the event. */
  bytes(count: number): Buffer {
    const at = this.skip(count);
    return this.buffer.subarray(at, at + count);
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }

  text(count: number): string {
    const at = this.skip(count);
    return this.buffer.toString("utf8", at, at + count);
  }
}

export function malformed(what: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError("BINLOG_MALFORMED", {
    what: `a binary log event cannot be read: ${what}`,
    changed: "The stream stopped before this event; nothing of its transaction was kept.",
    fix: "Check the source's log with mysqlbinlog --verify-binlog-checksum, and that the source is a MySQL server.",
    ...(cause === undefined ? {} : { cause }),
  });
}
