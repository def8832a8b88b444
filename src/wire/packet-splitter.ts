import { SwitchyardError } from "../base/errors.ts";
import { HEADER_BYTES, PACKET_PAYLOAD_MAX } from "./capabilities.ts";

const EMPTY: Buffer = Buffer.alloc(0);
const GATHER_FIRST_BYTES = 16 * 1024;

/**
 * Cuts a byte stream into packet payloads, and joins those that were split because of their size.
 *
 * Pull form: {@link feed} a chunk, then {@link next} until it gives nothing. The reader may stop in the middle of
 * a chunk and go on later, which is how back-pressure reaches the socket; feed again only after `next` gave nothing.
 * Push form: {@link push}.
 *
 * A payload that lies within one chunk is a view of it, any other a buffer of its own; both are the caller's to keep
 * as long as the chunk is. Memory grows only with bytes that have arrived, never with lengths that are claimed.
 *
 * @throws {SwitchyardError} `WIRE_PACKET_TOO_LARGE` when a payload would exceed `payloadBytesMax`.
 */
export class PacketSplitter {
  readonly #payloadBytesMax: number;
  readonly #pauses: boolean;
  #paused = false;
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** A packet header that was cut by the end of a chunk, as far as it has come: its first byte is the lowest. */
  #header = 0;
  #headerBytes = 0;
  /** Payload gathered so far, where it does not lie within one chunk. */
  #gathered: Buffer = EMPTY;
  #gatheredBytes = 0;
  #gathering = false;
  /** Payload bytes of the present packet that have not arrived; -1 between packets. */
  #missing = -1;
  #continues = false;
  #sequence = 0;

  /** With `pauses`, {@link next} stops where a payload is {@link begun}. */
  constructor(payloadBytesMax: number, pauses = false) {
    this.#payloadBytesMax = payloadBytesMax;
    this.#pauses = pauses;
  }

  /** Sequence number of the (last) packet of the payload that {@link next} gave last. */
  get sequence(): number {
    return this.#sequence;
  }

  /**
   * Whether a packet has ended and its payload goes on in another: the reader may take what there is of it with
   * {@link takeBegun}, instead of waiting for the whole.
   */
  get begun(): boolean {
    return this.#paused;
  }

  /** What has come of a payload of several packets, to the end of a packet. The next packet is then read as a payload's first. */
  takeBegun(): Buffer {
    const begun = this.#gathered.subarray(0, this.#gatheredBytes);
    this.#forgetGathered();
    this.#continues = false;
    this.#paused = false;
    return begun;
  }

  /** The reader has read packets of the stream by itself, the last of them with this number. */
  passed(sequence: number): void {
    this.#sequence = sequence & 0xff;
  }

  /** Whether part of a packet has arrived and the rest has not. */
  get inside(): boolean {
    return this.#headerBytes > 0 || this.#missing >= 0 || this.#gathering || this.#at < this.#chunk.length;
  }

  feed(chunk: Buffer): void {
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk;
    this.#at = 0;
  }

  /** The next whole payload; nothing when more bytes are needed first. */
  next(): Buffer | undefined {
    for (;;) {
      if (this.#missing < 0 && !this.#readHeader()) return undefined;
      const payload = this.#readPayload();
      if (payload !== undefined) return payload;
      if (this.#missing >= 0) return undefined;
      if (this.#pauses && !this.#paused) {
        this.#paused = true;
        return undefined;
      }
    }
  }

  /** Feeds a chunk and hands out every payload that it completes. */
  push(chunk: Buffer, onPacket: (payload: Buffer, sequence: number) => void): void {
    this.feed(chunk);
    for (let payload = this.next(); payload !== undefined; payload = this.next()) onPacket(payload, this.#sequence);
  }

  /** What has been fed and not been given out, for handing the stream to another reader. Only between packets. */
  takeRemainder(): Buffer {
    const tail = this.#chunk.subarray(this.#at);
    const rest = this.#headerBytes === 0 ? tail : Buffer.concat([this.#cutHeader(), tail]);
    this.#header = 0;
    this.#headerBytes = 0;
    this.#dropChunk();
    return rest;
  }

  #readHeader(): boolean {
    const chunk = this.#chunk;
    const at = this.#at;
    if (this.#headerBytes === 0 && chunk.length - at >= HEADER_BYTES) {
      this.#at = at + HEADER_BYTES;
      this.#begin((chunk[at] ?? 0) | ((chunk[at + 1] ?? 0) << 8) | ((chunk[at + 2] ?? 0) << 16), chunk[at + 3] ?? 0);
      return true;
    }
    while (this.#at < chunk.length && this.#headerBytes < HEADER_BYTES) {
      this.#header |= (chunk[this.#at] ?? 0) << (8 * this.#headerBytes);
      this.#headerBytes += 1;
      this.#at += 1;
    }
    if (this.#headerBytes < HEADER_BYTES) return false;
    const header = this.#header;
    this.#header = 0;
    this.#headerBytes = 0;
    this.#begin(header & 0xff_ffff, header >>> 24);
    return true;
  }

  #cutHeader(): Buffer {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeInt32LE(this.#header);
    return header.subarray(0, this.#headerBytes);
  }

  #begin(length: number, sequence: number): void {
    if (this.#gatheredBytes + length > this.#payloadBytesMax) {
      throw new SwitchyardError("WIRE_PACKET_TOO_LARGE", {
        what: `a packet of ${this.#gatheredBytes + length} bytes or more is announced; ${this.#payloadBytesMax} are allowed`,
      });
    }
    this.#missing = length;
    this.#continues = length === PACKET_PAYLOAD_MAX;
    this.#sequence = sequence;
  }

  /** The payload if it is whole; `#missing` is -1 afterwards when the present packet has ended. */
  #readPayload(): Buffer | undefined {
    const available = this.#chunk.length - this.#at;
    if (available >= this.#missing && !this.#gathering && !this.#continues) {
      const payload = this.#chunk.subarray(this.#at, this.#at + this.#missing);
      this.#at += this.#missing;
      this.#missing = -1;
      if (this.#at === this.#chunk.length) this.#dropChunk();
      return payload;
    }
    this.#gather(Math.min(available, this.#missing));
    if (this.#missing > 0) return undefined;
    this.#missing = -1;
    if (this.#continues) return undefined;
    const payload = this.#gathered.subarray(0, this.#gatheredBytes);
    this.#forgetGathered();
    return payload;
  }

  #forgetGathered(): void {
    this.#gathered = EMPTY;
    this.#gatheredBytes = 0;
    this.#gathering = false;
  }

  /** Who waits for the next packet keeps nothing of the last. */
  #dropChunk(): void {
    this.#chunk = EMPTY;
    this.#at = 0;
  }

  #gather(count: number): void {
    this.#gathering = true;
    const needed = this.#gatheredBytes + count;
    if (needed > this.#gathered.length) {
      const announced = this.#gatheredBytes + this.#missing;
      const room = Math.max(needed, Math.min(announced, Math.max(GATHER_FIRST_BYTES, this.#gathered.length * 2)));
      const grown = Buffer.allocUnsafe(room);
      this.#gathered.copy(grown, 0, 0, this.#gatheredBytes);
      this.#gathered = grown;
    }
    this.#chunk.copy(this.#gathered, this.#gatheredBytes, this.#at, this.#at + count);
    this.#gatheredBytes = needed;
    this.#missing -= count;
    this.#at += count;
  }
}
