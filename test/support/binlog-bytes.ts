import { crc32 } from "node:zlib";

const HEADER_BYTES = 19;
const CHECKSUM_BYTES = 4;
const FORMAT_DESCRIPTION = 15;

export interface FramingOptions {
  readonly flags?: number;
  readonly logPosition?: number;
  /** Off for events of a log without checksums, and for those inside of a compressed transaction. */
  readonly checksum?: boolean;
}

/** An event as it is in a log: header, body, and a checksum that fits. */
export function frameEvent(type: number, body: Uint8Array, options: FramingOptions = {}): Buffer {
  const checksum = options.checksum ?? true;
  const size = HEADER_BYTES + body.length + (checksum ? CHECKSUM_BYTES : 0);
  const packet = Buffer.alloc(size);
  packet[4] = type;
  packet.writeUInt32LE(size, 9);
  packet.writeUInt32LE(options.logPosition ?? 0, 13);
  packet.writeUInt16LE(options.flags ?? 0, 17);
  packet.set(body, HEADER_BYTES);
  if (checksum) packet.writeUInt32LE(crc32(packet.subarray(0, size - CHECKSUM_BYTES)), size - CHECKSUM_BYTES);
  return packet;
}

/** The event that a log begins with. */
export function formatDescription(checksum = true): Buffer {
  const postHeaderLengths = 42;
  const body = Buffer.alloc(2 + 50 + 4 + 1 + postHeaderLengths + 1);
  body.writeUInt16LE(4, 0);
  body.write("9.7.4", 2, "latin1");
  body[56] = HEADER_BYTES;
  body[body.length - 1] = checksum ? 1 : 0;
  // This event has the bytes of a checksum whether the log has checksums or not.
  return frameEvent(FORMAT_DESCRIPTION, checksum ? body : Buffer.concat([body, Buffer.alloc(CHECKSUM_BYTES)]), {
    checksum,
  });
}

/** A length-encoded integer as the server writes it. */
export function lenenc(value: number): Buffer {
  if (value < 0xfb) return Buffer.from([value]);
  const bytes = Buffer.alloc(9);
  bytes[0] = 0xfe;
  bytes.writeBigUInt64LE(BigInt(value), 1);
  return bytes;
}

/** The body of a TRANSACTION_PAYLOAD event: its fields, and what was packed. */
export function payloadBody(packed: Uint8Array, uncompressedBytes: number, compression = 0): Buffer {
  const field = (type: number, value: number): Buffer => {
    const encoded = lenenc(value);
    return Buffer.concat([Buffer.from([type, encoded.length]), encoded]);
  };
  return Buffer.concat([
    field(2, compression),
    field(3, uncompressedBytes),
    field(1, packed.length),
    Buffer.of(0),
    packed,
  ]);
}

/** The raw events of a log file, in order. */
export function eventsOfFile(file: Buffer): Buffer[] {
  const events: Buffer[] = [];
  for (let offset = 4; offset < file.length; ) {
    const size = file.readUInt32LE(offset + 9);
    events.push(file.subarray(offset, offset + size));
    offset += size;
  }
  return events;
}
