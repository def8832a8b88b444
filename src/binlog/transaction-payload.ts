import { zstdDecompressSync } from "node:zlib";
import { SwitchyardError } from "../base/errors.ts";
import { type EventReader, malformed } from "./event-reader.ts";
import { EVENT_HEADER_BYTES } from "./event-types.ts";

const FIELD = { END: 0, PAYLOAD_SIZE: 1, COMPRESSION: 2, UNCOMPRESSED_SIZE: 3 } as const;
const ZSTD = 0;
const NONE = 255;

/** The events inside a TRANSACTION_PAYLOAD event, unpacked. `bytesMax` bounds what is allocated, whatever it claims. */
export function unpackPayload(reader: EventReader, bytesMax: number): Buffer {
  let size = 0;
  let compression = NONE;
  let uncompressedSize = 0;
  while (reader.left > 0) {
    const field = reader.lenenc();
    if (field === FIELD.END) break;
    const length = reader.lenenc();
    const end = reader.offset + length;
    const value = reader.lenenc();
    if (field === FIELD.PAYLOAD_SIZE) size = value;
    else if (field === FIELD.COMPRESSION) compression = value;
    else if (field === FIELD.UNCOMPRESSED_SIZE) uncompressedSize = value;
    reader.offset = end;
  }
  const packed = reader.bytes(size);
  if (compression === NONE) return packed;
  if (compression !== ZSTD) throw malformed(`a payload compressed in a way numbered ${compression}`);
  if (uncompressedSize > bytesMax) {
    throw new SwitchyardError("BINLOG_PAYLOAD_TOO_LARGE", {
      what: `a compressed transaction of ${uncompressedSize} bytes is above the limit of ${bytesMax}`,
      changed: "The stream stopped before this transaction.",
      fix: "Raise the stream's limit for compressed transactions, or have the writer run without compression.",
    });
  }
  try {
    return zstdDecompressSync(packed, { maxOutputLength: Math.max(1, uncompressedSize) });
  } catch (error) {
    throw malformed(`a compressed transaction is damaged (${error instanceof Error ? error.message : "unknown"})`);
  }
}

/** Cuts unpacked bytes into events, each a slice with its header and without checksum. */
export function* splitEvents(bytes: Buffer): Generator<Buffer> {
  let offset = 0;
  while (offset < bytes.length) {
    if (bytes.length - offset < EVENT_HEADER_BYTES) throw malformed("a compressed transaction ends in a header");
    const size = bytes.readUInt32LE(offset + 9);
    if (size < EVENT_HEADER_BYTES || size > bytes.length - offset) {
      throw malformed(`an event of ${size} bytes inside a compressed transaction`);
    }
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}
