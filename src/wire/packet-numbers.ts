import { HEADER_BYTES, PACKET_PAYLOAD_MAX } from "./capabilities.ts";

const NUMBER_AT = HEADER_BYTES - 1;

/**
 * Follows the packets of a byte stream by their headers alone, counts the payloads that end, and can number the
 * packets anew as they pass.
 *
 * Within compressed envelopes a server does not number packets one by one: it goes on behind the envelope that it has
 * sent last. Clients without compression take that for packets out of order, so it must not reach them.
 */
export class PacketNumbers {
  /** The number that the next packet is given; undefined leaves numbers as they are. */
  next: number | undefined;
  #headerBytes = 0;
  #length = 0;
  #missing = 0;
  #continues = false;

  /** Whether the stream stands behind a whole payload, so that what follows begins another. */
  get between(): boolean {
    return this.#headerBytes === 0 && !this.#continues;
  }

  /** Passes `piece`, which is changed in place where numbers are. Returns how many payloads have ended in it. */
  pass(piece: Buffer): number {
    let ended = 0;
    let at = 0;
    while (at < piece.length) {
      if (this.#headerBytes < HEADER_BYTES) {
        this.#header(piece, at);
        at += 1;
        if (this.#headerBytes < HEADER_BYTES) continue;
      }
      const count = Math.min(this.#missing, piece.length - at);
      at += count;
      this.#missing -= count;
      if (this.#missing > 0) return ended;
      this.#headerBytes = 0;
      this.#continues = this.#length === PACKET_PAYLOAD_MAX;
      if (!this.#continues) ended += 1;
    }
    return ended;
  }

  #header(piece: Buffer, at: number): void {
    const byte = piece[at] ?? 0;
    if (this.#headerBytes === 0) this.#length = 0;
    if (this.#headerBytes < NUMBER_AT) this.#length |= byte << (8 * this.#headerBytes);
    else if (this.next !== undefined) {
      piece[at] = this.next;
      this.next = (this.next + 1) & 0xff;
    }
    this.#headerBytes += 1;
    this.#missing = this.#length;
  }
}
