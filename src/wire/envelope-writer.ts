import {
  type CompressionAlgorithm,
  ENVELOPE_BYTES_MAX,
  ENVELOPE_HEADER_BYTES,
  PACK_FROM_BYTES,
  pack,
} from "./compression.ts";

/**
 * Puts a stream of packets into compressed envelopes. Packets need not end where envelopes do: whatever is written at
 * once shares them.
 *
 * Envelopes have sequence numbers of their own, which begin at 0 with every command and count on through its reply.
 */
export class EnvelopeWriter {
  readonly #algorithm: CompressionAlgorithm;
  readonly #level: number | undefined;
  #sequence = 0;

  constructor(algorithm: CompressionAlgorithm, level?: number) {
    this.#algorithm = algorithm;
    this.#level = level;
  }

  /** Number of the next envelope. */
  get sequence(): number {
    return this.#sequence;
  }

  /** A command begins (0), or a reply behind the last envelope of its command. */
  restart(sequence: number): void {
    this.#sequence = sequence & 0xff;
  }

  /** The bytes for the wire that carry `bytes`. */
  write(bytes: Buffer): Buffer {
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += ENVELOPE_BYTES_MAX) {
      const contents = bytes.subarray(at, at + ENVELOPE_BYTES_MAX);
      const packed = contents.length < PACK_FROM_BYTES ? contents : pack(contents, this.#algorithm, this.#level);
      // What does not get shorter is sent as it is; a length of 0 within says so.
      const shorter = packed.length < contents.length;
      parts.push(this.#header(shorter ? packed.length : contents.length, shorter ? contents.length : 0));
      parts.push(shorter ? packed : contents);
    }
    return Buffer.concat(parts);
  }

  #header(length: number, unpackedLength: number): Buffer {
    const header = Buffer.allocUnsafe(ENVELOPE_HEADER_BYTES);
    header.writeUIntLE(length, 0, 3);
    header[3] = this.#sequence;
    header.writeUIntLE(unpackedLength, 4, 3);
    this.#sequence = (this.#sequence + 1) & 0xff;
    return header;
  }
}
