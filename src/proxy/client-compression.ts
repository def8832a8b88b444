import { COMPRESSION_FLAGS, type CompressionWord, ZSTD_LEVEL_MAX } from "../mysql/compression-choice.ts";
import { CAP, hasFlag } from "../wire/capabilities.ts";
import type { CompressionAlgorithm } from "../wire/compression.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import type { HandshakeResponse } from "../wire/handshake-response.ts";
import { wrongCompression, wrongCompressionLevel } from "./client-errors.ts";

/** How one side of a session is compressed; undefined stands for not at all. */
export interface Compression {
  readonly algorithm: CompressionAlgorithm;
  /** Of what we send, for zstd. */
  readonly level: number | undefined;
}

/** What a server offers where nobody has restricted it. */
export const OFFERED_BY_DEFAULT: readonly CompressionWord[] = ["zlib", "zstd", "uncompressed"];

/** The flags of a greeting for what is offered. */
export function offeredFlags(offered: readonly CompressionWord[]): number {
  return offered.reduce((flags, word) => flags | COMPRESSION_FLAGS[word], 0);
}

/** What a client has asked for, decided as a server does: of both it gets zlib; or what it must be told instead. */
export function askedCompression(
  response: HandshakeResponse,
  offered: readonly CompressionWord[],
): Compression | undefined | ErrPacket {
  const asked = response.capabilities & offeredFlags(offered);
  if (hasFlag(asked, CAP.COMPRESS)) return { algorithm: "zlib", level: undefined };
  if (hasFlag(asked, CAP.ZSTD)) {
    const level = response.zstdLevel ?? 0;
    return level < 1 || level > ZSTD_LEVEL_MAX ? wrongCompressionLevel() : { algorithm: "zstd", level };
  }
  return offered.includes("uncompressed") ? undefined : wrongCompression();
}
