import { constants, deflateSync, inflateSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
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

/**
 * What `bytes` are when unpacked. Never makes more than `length` bytes of it, and takes nothing less for whole.
 *
 * @throws {SwitchyardError} `WIRE_MALFORMED`
 */
export function unpack(bytes: Buffer, length: number, algorithm: CompressionAlgorithm): Buffer {
  let unpacked = EMPTY;
  try {
    unpacked = algorithm === "zlib" ? inflate(bytes, length) : unzstd(bytes, length);
  } catch (error) {
    throw malformed(`its contents are no ${algorithm} data of ${length} bytes`, error);
  }
  if (unpacked.length !== length) throw malformed(`it announces ${length} bytes and holds ${unpacked.length}`);
  return unpacked;
}

function inflate(bytes: Buffer, length: number): Buffer {
  return inflateSync(bytes, { maxOutputLength: Math.max(1, length) });
}

function unzstd(bytes: Buffer, length: number): Buffer {
  const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX };
  return zstdDecompressSync(bytes, { maxOutputLength: Math.max(1, length), params });
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
