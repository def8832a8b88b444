import { SwitchyardError } from "../base/errors.ts";
import { ByteGatherer } from "./byte-gatherer.ts";
import { type CompressionAlgorithm, ENVELOPE_HEADER_BYTES, malformed, unpack } from "./compression.ts";

/** An envelope as it came: its contents are not looked at, and are a view of the chunk where they lie within one. */
export interface Envelope {
  readonly sequence: number;
  readonly contents: Buffer;
  /** What the contents claim to unpack to; 0 where they are not packed. */
  readonly unpackedLength: number;
}

/**
 * Takes a stream of compressed envelopes apart and gives the stream of packets within, in pieces that follow the
 * envelopes: a packet may begin in one piece and end in another, so the pieces go to a splitter or walker.
 *
 * What an envelope announces is not believed: bytes are gathered as they arrive, and unpacking stops at the length
 * that was announced, which may not exceed `unpackedBytesMax`.
 *
 * @throws {SwitchyardError} `WIRE_MALFORMED`, and `WIRE_PACKET_TOO_LARGE` for an envelope beyond the limit.
 */
export class EnvelopeReader {
  readonly #algorithm: CompressionAlgorithm;
  readonly #unpackedBytesMax: number;
  readonly #header: Buffer = Buffer.alloc(ENVELOPE_HEADER_BYTES);
  #headerBytes = 0;
  /** Bytes of the present envelope that have not arrived; -1 between envelopes. */
  #missing = -1;
  #length = 0;
  readonly #gathered = new ByteGatherer();
  #unpackedLength = 0;
  #sequence = 0;

  constructor(algorithm: CompressionAlgorithm, unpackedBytesMax: number) {
    this.#algorithm = algorithm;
    this.#unpackedBytesMax = unpackedBytesMax;
  }

  /** Number that the next envelope must have. */
  get sequence(): number {
    return this.#sequence;
  }

  /** Whether part of an envelope has arrived and the rest has not. */
  get inside(): boolean {
    return this.#headerBytes > 0 || this.#missing >= 0;
  }

  /** The next envelope begins a command (0), or a reply behind the last envelope of its command. */
  restart(sequence: number): void {
    this.#sequence = sequence & 0xff;
  }

  /**
   * Hands out the contents of each envelope that `chunk` completes. A piece that was not packed may be a view of the
   * chunk. Between pieces the owner may {@link restart}.
   */
  push(chunk: Buffer, onPiece: (piece: Buffer) => void): void {
    this.cut(chunk, ({ sequence, contents, unpackedLength }) => {
      if (sequence !== this.#sequence) throw malformed(`it has number ${sequence} where ${this.#sequence} is due`);
      this.#sequence = (sequence + 1) & 0xff;
      onPiece(unpackedLength === 0 ? contents : unpack(contents, unpackedLength, this.#algorithm));
    });
  }

  /** Hands out each envelope that `chunk` completes, packed and with whatever number it has. */
  cut(chunk: Buffer, onEnvelope: (envelope: Envelope) => void): void {
    let at = 0;
    while (at < chunk.length || this.#missing === 0) {
      if (this.#missing < 0) {
        const copied = chunk.copy(this.#header, this.#headerBytes, at);
        this.#headerBytes += copied;
        at += copied;
        if (this.#headerBytes < ENVELOPE_HEADER_BYTES) return;
        this.#begin();
      }
      const count = Math.min(this.#missing, chunk.length - at);
      const part = chunk.subarray(at, at + count);
      at += count;
      this.#missing -= count;
      if (this.#missing > 0) {
        this.#gathered.add(part, this.#length);
        return;
      }
      const contents = this.#gathered.finish(part);
      this.#missing = -1;
      onEnvelope({ sequence: this.#header.readUInt8(3), contents, unpackedLength: this.#unpackedLength });
    }
  }

  #begin(): void {
    this.#headerBytes = 0;
    const length = this.#header.readUIntLE(0, 3);
    this.#unpackedLength = this.#header.readUIntLE(4, 3);
    const announced = Math.max(length, this.#unpackedLength);
    if (announced > this.#unpackedBytesMax) {
      throw new SwitchyardError("WIRE_PACKET_TOO_LARGE", {
        what: `a compressed envelope of ${announced} bytes is announced; ${this.#unpackedBytesMax} are allowed`,
      });
    }
    this.#length = length;
    this.#missing = length;
  }
}
