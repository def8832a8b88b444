import { HEADER_BYTES, PACKET_PAYLOAD_MAX } from "./capabilities.ts";

/** Builds one packet payload, growing as it goes. All integers are little-endian; lengths are bytes. */
export class PacketWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(sizeHint = 128) {
    this.#buffer = Buffer.allocUnsafe(Math.max(16, sizeHint));
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#room(1);
    this.#length = this.#buffer.writeUInt8(value & 0xff, this.#length);
    return this;
  }

  u16(value: number): this {
    this.#room(2);
    this.#length = this.#buffer.writeUInt16LE(value & 0xffff, this.#length);
    return this;
  }

  u24(value: number): this {
    this.#room(3);
    this.#length = this.#buffer.writeUIntLE(value & 0xffffff, this.#length, 3);
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#length = this.#buffer.writeUInt32LE(value >>> 0, this.#length);
    return this;
  }

  u64(value: bigint): this {
    this.#room(8);
    this.#length = this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), this.#length);
    return this;
  }

  /** A length-encoded integer in its shortest form. */
  lenenc(value: number | bigint): this {
    if (value < 0xfb) return this.u8(Number(value));
    if (value <= 0xffff) return this.u8(0xfc).u16(Number(value));
    if (value <= 0xffffff) return this.u8(0xfd).u24(Number(value));
    return this.u8(0xfe).u64(BigInt(value));
  }

  /** The byte that means NULL where a length belongs. */
  lenencNull(): this {
    return this.u8(0xfb);
  }

  lenencBytes(bytes: Buffer | string): this {
    const raw = toBytes(bytes);
    return this.lenenc(raw.length).bytes(raw);
  }

  /** Bytes followed by NUL. The bytes must not contain one. */
  nulBytes(bytes: Buffer | string): this {
    return this.bytes(bytes).u8(0);
  }

  bytes(bytes: Buffer | string): this {
    const raw = toBytes(bytes);
    this.#room(raw.length);
    raw.copy(this.#buffer, this.#length);
    this.#length += raw.length;
    return this;
  }

  zeros(count: number): this {
    this.#room(count);
    this.#buffer.fill(0, this.#length, this.#length + count);
    this.#length += count;
    return this;
  }

  /** The payload written so far. The writer must not be used afterwards. */
  payload(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

function toBytes(bytes: Buffer | string): Buffer {
  return typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes;
}

/**
 * `payload` as it goes over the wire: one packet, or several where it is 16 MiB - 1 or longer (the last of them
 * shorter than that, perhaps empty). The first carries `sequence`, the others count on from it, modulo 256.
 */
export function frame(payload: Buffer, sequence: number): Buffer {
  const packets = packetCount(payload.length);
  const framed = Buffer.allocUnsafe(payload.length + packets * HEADER_BYTES);
  let from = 0;
  let to = 0;
  for (let index = 0; index < packets; index++) {
    const length = Math.min(PACKET_PAYLOAD_MAX, payload.length - from);
    framed.writeUIntLE(length, to, 3);
    framed[to + 3] = (sequence + index) & 0xff;
    payload.copy(framed, to + HEADER_BYTES, from, from + length);
    from += length;
    to += HEADER_BYTES + length;
  }
  return framed;
}

/** How many packets a payload of `length` bytes takes; the reply counts on from there. */
export function packetCount(length: number): number {
  return Math.floor(length / PACKET_PAYLOAD_MAX) + 1;
}
