import { createZstdDecompress, zstdDecompressSync } from "node:zlib";
import { SwitchyardError } from "../base/errors.ts";
import { type EventReader, malformed } from "./event-reader.ts";
import { EVENT_HEADER_BYTES } from "./event-types.ts";

const FIELD = { END: 0, PAYLOAD_SIZE: 1, COMPRESSION: 2, UNCOMPRESSED_SIZE: 3 } as const;
const ZSTD = 0;
const NONE = 255;
/** What is given to the decompressor at once, and what it gives back at once. */
const PIECE_BYTES = 64 * 1024;
/** The largest event that a server writes. */
const EVENT_BYTES_MAX = 1024 * 1024 * 1024;

/** The packed events of a TRANSACTION_PAYLOAD event, as they came. */
export interface PackedEvents {
  readonly compression: "zstd" | "none";
  readonly bytes: Buffer;
  /** What they claim to unpack to; nothing is set aside for it in advance. */
  readonly uncompressedBytes: number;
}

/** Reads the fields of a TRANSACTION_PAYLOAD event. */
export function readPayload(reader: EventReader): PackedEvents {
  let size = 0;
  let compression = NONE;
  let uncompressedBytes: number | undefined;
  while (reader.left > 0) {
    const field = reader.lenenc();
    if (field === FIELD.END) break;
    const length = reader.lenenc();
    const end = reader.offset + length;
    if (end > reader.end) throw malformed(`a field of ${length} bytes in a compressed transaction`);
    const value = reader.lenenc();
    if (field === FIELD.PAYLOAD_SIZE) size = value;
    else if (field === FIELD.COMPRESSION) compression = value;
    else if (field === FIELD.UNCOMPRESSED_SIZE) uncompressedBytes = value;
    reader.offset = end;
  }
  const bytes = reader.bytes(size);
  if (compression === NONE) return { compression: "none", bytes, uncompressedBytes: bytes.length };
  if (compression !== ZSTD) throw malformed(`a payload compressed in a way numbered ${compression}`);
  if (uncompressedBytes === undefined) throw malformed("a compressed transaction does not tell its size");
  return { compression: "zstd", bytes, uncompressedBytes };
}

/**
 * The events inside, unpacked all at once. `bytesMax` bounds what is unpacked, whatever the event claims.
 *
 * @throws {SwitchyardError} `BINLOG_PAYLOAD_TOO_LARGE`, `BINLOG_MALFORMED`
 */
export function* unpackPayload(packed: PackedEvents, bytesMax: number): Generator<Buffer> {
  if (packed.compression === "none") {
    yield* splitEvents(packed.bytes);
    return;
  }
  if (packed.uncompressedBytes > bytesMax) {
    throw new SwitchyardError("BINLOG_PAYLOAD_TOO_LARGE", {
      what: `a compressed transaction of ${packed.uncompressedBytes} bytes is above the limit of ${bytesMax}`,
      changed: "The stream stopped before this transaction.",
      fix: "Raise the stream's limit for compressed transactions, or have the writer run without compression.",
    });
  }
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(packed.bytes, { maxOutputLength: Math.max(1, packed.uncompressedBytes) });
  } catch (error) {
    throw damaged(error);
  }
  if (bytes.length !== packed.uncompressedBytes) throw wrongSize(bytes.length, packed.uncompressedBytes);
  yield* splitEvents(bytes);
}

/**
 * The events inside, one after the other. Memory is bounded by the largest of them and by the decompressor's window,
 * not by the size of the transaction: pieces are unpacked as they are asked for.
 *
 * @throws {SwitchyardError} `BINLOG_MALFORMED`
 */
export async function* streamPayload(packed: PackedEvents): AsyncGenerator<Buffer> {
  if (packed.compression === "none") {
    yield* splitEvents(packed.bytes);
    return;
  }
  const cutter = new EventCutter();
  let unpacked = 0;
  try {
    for await (const piece of unpackPieces(packed.bytes)) {
      unpacked += piece.length;
      if (unpacked > packed.uncompressedBytes) throw wrongSize(unpacked, packed.uncompressedBytes);
      yield* cutter.push(piece);
    }
  } catch (error) {
    throw error instanceof SwitchyardError ? error : damaged(error);
  }
  cutter.end();
  if (unpacked !== packed.uncompressedBytes) throw wrongSize(unpacked, packed.uncompressedBytes);
}

async function* unpackPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  const decompress = createZstdDecompress({ chunkSize: PIECE_BYTES });
  // Errors come out of the loop below; this one keeps them from being uncaught when the loop has been left before.
  decompress.on("error", () => undefined);
  decompress.end(bytes);
  try {
    yield* decompress as AsyncIterable<Buffer>;
  } finally {
    decompress.destroy();
  }
}

/** Cuts pieces of any size into events. Holds no more than one event, and sets aside only what has arrived of it. */
class EventCutter {
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Size of the event that is being held, once its header is there. */
  #wanted = EVENT_HEADER_BYTES;
  #sized = false;

  *push(piece: Buffer): Generator<Buffer> {
    this.#held.push(piece);
    this.#heldBytes += piece.length;
    while (this.#heldBytes >= this.#wanted) {
      const bytes = this.#join();
      if (!this.#sized) {
        this.#wanted = eventSize(bytes, 0);
        this.#sized = true;
        continue;
      }
      const event = bytes.subarray(0, this.#wanted);
      this.#hold(bytes.subarray(this.#wanted));
      yield event;
    }
  }

  end(): void {
    if (this.#heldBytes > 0) throw malformed("a compressed transaction ends within an event");
  }

  #join(): Buffer {
    const bytes = this.#held.length === 1 ? (this.#held[0] as Buffer) : Buffer.concat(this.#held);
    this.#held = [bytes];
    return bytes;
  }

  #hold(rest: Buffer): void {
    this.#held = [rest];
    this.#heldBytes = rest.length;
    this.#wanted = EVENT_HEADER_BYTES;
    this.#sized = false;
  }
}

/** Cuts unpacked bytes into events, each a slice with its header and without checksum. */
function* splitEvents(bytes: Buffer): Generator<Buffer> {
  let offset = 0;
  while (offset < bytes.length) {
    if (bytes.length - offset < EVENT_HEADER_BYTES) throw malformed("a compressed transaction ends in a header");
    const size = eventSize(bytes, offset);
    if (size > bytes.length - offset) throw malformed(`an event of ${size} bytes inside a compressed transaction`);
    yield bytes.subarray(offset, offset + size);
    offset += size;
  }
}

function eventSize(bytes: Buffer, offset: number): number {
  const size = bytes.readUInt32LE(offset + 9);
  if (size < EVENT_HEADER_BYTES || size > EVENT_BYTES_MAX) {
    throw malformed(`an event of ${size} bytes inside a compressed transaction`);
  }
  return size;
}

function wrongSize(actual: number, claimed: number): SwitchyardError {
  return malformed(`a compressed transaction unpacks to ${actual} bytes and says ${claimed}`);
}

function damaged(error: unknown): SwitchyardError {
  return malformed(`a compressed transaction is damaged (${error instanceof Error ? error.message : "unknown"})`);
}
