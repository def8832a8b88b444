import { SwitchyardError } from "../base/errors.ts";
import { ByteGatherer } from "./byte-gatherer.ts";
import { HEADER_BYTES } from "./capabilities.ts";

/** What a {@link PacketWalker} tells about the packets that pass. */
export interface PacketVisitor {
  /**
   * A packet begins. `firstByte` is the first byte of its payload, -1 where that is empty. Answers whether the
   * whole payload is wanted; it is then given to {@link payload}.
   */
  head(length: number, sequence: number, firstByte: number): boolean;
  /**
   * A wanted payload, which may be a view of the chunk. Answers whether the walk is to stop right behind it.
   */
  payload(payload: Buffer, sequence: number): boolean;
}

/**
 * Walks the packets of a byte stream without copying or cutting them: only headers and first bytes are looked at,
 * and only payloads that the visitor wants are put together. Packets are those of the wire: a payload of 16 MiB
 * and more passes as several, and the visitor must know continuations from beginnings by their lengths.
 *
 * @throws {SwitchyardError} `WIRE_PACKET_TOO_LARGE` when a wanted payload is larger than `wantedBytesMax`.
 */
export class PacketWalker {
  readonly #wantedBytesMax: number;
  #boundary = 0;
  /** A header that was cut by the end of a chunk, as far as it has come: its first byte is the lowest. */
  #header = 0;
  #headBytes = 0;
  /** Payload bytes of the present packet that are still to come; -1 between packets. */
  #missing = -1;
  #sequence = 0;
  #collecting = false;
  /** Copies of the parts of a wanted payload that came in earlier chunks: the chunk's memory may be used again. */
  readonly #collected = new ByteGatherer();
  #wantedLength = 0;

  constructor(wantedBytesMax = 1024 * 1024) {
    this.#wantedBytesMax = wantedBytesMax;
  }

  /** Offset in the last walked chunk behind the last packet that ended in it; where the walk began if none did. */
  get boundary(): number {
    return this.#boundary;
  }

  /** Whether the stream stands between two packets. */
  get betweenPackets(): boolean {
    return this.#missing < 0 && this.#headBytes === 0;
  }

  /**
   * Walks `chunk` from `from` up to `to`. Returns the offset reached: `to`, or less when the visitor stopped the
   * walk; the next walk must go on exactly there.
   */
  walk(chunk: Buffer, from: number, to: number, visitor: PacketVisitor): number {
    let at = from;
    this.#boundary = from;
    while (at < to) {
      if (this.#missing < 0) {
        const begun = this.#begin(chunk, at, to, visitor);
        at = begun < 0 ? to : begun;
        if (begun < 0) return to;
      }
      if (this.#missing > to - at) {
        if (this.#collecting) this.#collected.add(chunk.subarray(at, to), this.#wantedLength);
        this.#missing -= to - at;
        return to;
      }
      const end = at + this.#missing;
      const stop = this.#collecting && this.#deliver(chunk, at, end, visitor);
      this.#missing = -1;
      at = end;
      this.#boundary = at;
      if (stop) return at;
    }
    return to;
  }

  /** Reads a header and looks at the first byte. Returns the offset of the payload; -1 when the chunk ends before. */
  #begin(chunk: Buffer, at: number, to: number, visitor: PacketVisitor): number {
    if (this.#headBytes === 0 && to - at > HEADER_BYTES) {
      const length = (chunk[at] ?? 0) | ((chunk[at + 1] ?? 0) << 8) | ((chunk[at + 2] ?? 0) << 16);
      this.#announce(length, chunk[at + 3] ?? 0, length === 0 ? -1 : (chunk[at + HEADER_BYTES] ?? 0), visitor);
      this.#missing = length;
      return at + HEADER_BYTES;
    }
    let offset = at;
    while (offset < to && this.#headBytes < HEADER_BYTES) {
      this.#header |= (chunk[offset++] ?? 0) << (8 * this.#headBytes++);
    }
    if (this.#headBytes < HEADER_BYTES) return -1;
    const length = this.#header & 0xff_ffff;
    // An empty payload ends with its header: nothing more may be waited for.
    if (length > 0 && offset >= to) return -1;
    const first = length === 0 ? -1 : (chunk[offset] ?? 0);
    const sequence = this.#header >>> 24;
    this.#header = 0;
    this.#headBytes = 0;
    this.#announce(length, sequence, first, visitor);
    this.#missing = length;
    return offset;
  }

  #announce(length: number, sequence: number, firstByte: number, visitor: PacketVisitor): void {
    this.#sequence = sequence;
    this.#wantedLength = length;
    this.#collecting = visitor.head(length, sequence, firstByte);
    if (this.#collecting && length > this.#wantedBytesMax) {
      throw new SwitchyardError("WIRE_PACKET_TOO_LARGE", {
        what: `a control packet of ${length} bytes is announced; ${this.#wantedBytesMax} are allowed`,
      });
    }
  }

  #deliver(chunk: Buffer, at: number, end: number, visitor: PacketVisitor): boolean {
    const part = chunk.subarray(at, end);
    const payload = this.#collected.finish(part);
    this.#collecting = false;
    return visitor.payload(payload, this.#sequence);
  }
}
