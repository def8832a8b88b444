import { SwitchyardError } from "../base/errors.ts";
import { CAP, hasFlag } from "../wire/capabilities.ts";
import type { CompressionAlgorithm } from "../wire/compression.ts";

/** The words of the server's `protocol_compression_algorithms`. */
export type CompressionWord = CompressionAlgorithm | "uncompressed";

/** What a connection may use, the preferred first, and how hard zstd works on what is sent (1 to 22). */
export interface CompressionWishes {
  readonly algorithms: readonly CompressionWord[];
  readonly zstdLevel?: number | undefined;
}

/** MySQL's own default. */
export const ZSTD_LEVEL_DEFAULT = 3;
export const ZSTD_LEVEL_MAX = 22;

export const COMPRESSION_FLAGS: Readonly<Record<CompressionWord, number>> = {
  zlib: CAP.COMPRESS,
  zstd: CAP.ZSTD,
  uncompressed: 0,
};

/**
 * The first of the algorithms that the server with these capabilities offers. A server does not tell in its greeting
 * whether it takes connections without compression, so `uncompressed` is always taken for offered.
 *
 * @throws {SwitchyardError} `MYSQL_COMPRESSION_UNAVAILABLE`
 */
export function chooseCompression(
  wishes: CompressionWishes | undefined,
  server: { readonly name: string; readonly capabilities: number },
): CompressionWord {
  if (wishes === undefined) return "uncompressed";
  const chosen = wishes.algorithms.find((word) => hasFlag(server.capabilities, COMPRESSION_FLAGS[word]));
  if (chosen !== undefined) return chosen;
  throw new SwitchyardError("MYSQL_COMPRESSION_UNAVAILABLE", {
    what: `server "${server.name}" offers no compression of ${wishes.algorithms.join(", ")}`,
    changed: "The password was not sent.",
    fix: "Add an algorithm that the server has in `protocol_compression_algorithms` to the backend's `compression`.",
  });
}

/** The level for what we send; only zstd has one that can be chosen. */
export function levelOf(word: CompressionWord, wishes: CompressionWishes | undefined): number | undefined {
  return word === "zstd" ? (wishes?.zstdLevel ?? ZSTD_LEVEL_DEFAULT) : undefined;
}
