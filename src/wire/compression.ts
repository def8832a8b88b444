import { promisify } from "node:util";
import {
  constants,
  deflateSync,
  inflate as inflateLater,
  inflateSync,
  zstdDecompress as unzstdLater,
  zstdCompressSync,
  zstdDecompressSync,
} from "node:zlib";
import { SwitchyardError } from "../base/errors.ts";

/** How the envelopes of a connection are compressed; both sides must have agreed on it at login. */
export type CompressionAlgorithm = "zlib" | "zstd";

/** Bytes of an envelope's header: three of its length, one of sequence number, three of the length within. */
export const ENVELOPE_HEADER_BYTES = 7;

/** The most bytes that one envelope can carry, packed or unpacked. */
export const ENVELOPE_BYTES_MAX = 0xffffff;

/** Shorter contents are sent as they are, like servers do: packing would make them longer. */
export const PACK_FROM_BYTES = 50;

/** 16 MiB: nothing within an envelope can refer further back, whatever the frame announces. */
const ZSTD_WINDOW_LOG_MAX = 24;

const EMPTY: Buffer = Buffer.alloc(0);

const INFLATE: (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer> = promisify(inflateLater);
const UNZSTD: (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer> = promisify(unzstdLater);

/**
 * What `bytes` are when unpacked. Never makes more than `length` bytes of it, and takes nothing less for whole.
 *
 * @throws {SwitchyardError} `WIRE_MALFORMED`
 */
export function unpack(bytes: Buffer, length: number, algorithm: CompressionAlgorithm): Buffer {
  let unpacked = EMPTY;
  try {
    const options = unpackOptions(length);
    unpacked = algorithm === "zlib" ? inflateSync(bytes, options) : zstdDecompressSync(bytes, options);
  } catch (error) {
    throw damaged(length, algorithm, error);
  }
  return checked(unpacked, length);
}

/** As {@link unpack}, in another thread: for contents that would keep the event loop for long. */
export async function unpackLater(bytes: Buffer, length: number, algorithm: CompressionAlgorithm): Promise<Buffer> {
  let unpacked = EMPTY;
  try {
    const options = unpackOptions(length);
    unpacked = algorithm === "zlib" ? await INFLATE(bytes, options) : await UNZSTD(bytes, options);
  } catch (error) {
    throw damaged(length, algorithm, error);
  }
  return checked(unpacked, length);
}

function unpackOptions(length: number): { maxOutputLength: number; params: Record<number, number> } {
  return { maxOutputLength: Math.max(1, length), params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } };
}

function checked(unpacked: Buffer, length: number): Buffer {
  if (unpacked.length !== length) throw malformed(`it announces ${length} bytes and holds ${unpacked.length}`);
  return unpacked;
}

function damaged(length: number, algorithm: CompressionAlgorithm, cause: unknown): SwitchyardError {
  return malformed(`its contents are no ${algorithm} data of ${length} bytes`, cause);
}

/** `bytes` packed; `level` as the algorithm counts it, its own default where left out. */
export function pack(bytes: Buffer, algorithm: CompressionAlgorithm, level?: number): Buffer {
  if (algorithm === "zlib") return deflateSync(bytes, level === undefined ? {} : { level });
  const params = level === undefined ? {} : { [constants.ZSTD_c_compressionLevel]: level };
  return zstdCompressSync(bytes, { params });
}

export function malformed(why: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError("WIRE_MALFORMED", {
    what: `a compressed envelope breaks the MySQL protocol: ${why}`,
    cause,
  });
}
