import { SwitchyardError } from "../base/errors.ts";

/**
 * Reads the fields of one packet payload, front to back. Every read is checked against the end of the payload,
 * so that a length that the peer merely claims is never followed.
 *
 * Buffers that it returns are views of the payload: copy them if they outlive it.
 *
 * @throws {SwitchyardError} `WIRE_MALFORMED` from every read that does not fit.
 */
export class PacketReader {
  readonly #payload: Buffer;
  readonly #subject: string;
  #at: number;

  /** `subject` names the kind of packet in errors. */
  constructor(payload: Buffer, subject: string, from = 0) {
    this.#payload = payload;
    this.#subject = subject;
    this.#at = from;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#payload.length - this.#at;
  }

  /** Offset of the next byte in the payload. */
  get offset(): number {
    return this.#at;
  }

  /** The next byte without reading it; -1 at the end. */
  peek(): number {
    return this.#payload[this.#at] ?? -1;
  }

  u8(): number {
    const at = this.#take(1);
    return this.#payload.readUInt8(at);
  }

  u16(): number {
    const at = this.#take(2);
    return this.#payload.readUInt16LE(at);
  }

  u24(): number {
    const at = this.#take(3);
    return this.#payload.readUIntLE(at, 3);
  }

  u32(): number {
    const at = this.#take(4);
    return this.#payload.readUInt32LE(at);
  }

  u64(): bigint {
    const at = this.#take(8);
    return this.#payload.readBigUInt64LE(at);
  }

  /** A length-encoded integer; `null` for the byte that means NULL. Above 2^53 it is refused: see {@link lenencBig}. */
  lenenc(): number | null {
    const first = this.u8();
    if (first < 0xfb) return first;
    if (first === 0xfb) return null;
    if (first === 0xfc) return this.u16();
    if (first === 0xfd) return this.u24();
    if (first === 0xff) throw this.malformed("a length starts with 0xff");
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.malformed(`a length of ${value}`);
    return Number(value);
  }

  /** A length-encoded integer that must not be NULL. */
  lenencNumber(): number {
    const value = this.lenenc();
    if (value === null) throw this.malformed("NULL where a number belongs");
    return value;
  }

  /** A length-encoded integer of any size, never NULL. */
  lenencBig(): bigint {
    if (this.peek() === 0xfe) {
      this.u8();
      return this.u64();
    }
    return BigInt(this.lenencNumber());
  }

  /** A length-encoded string; `null` for NULL. */
  lenencBytes(): Buffer | null {
    const length = this.lenenc();
    return length === null ? null : this.bytes(length);
  }

  /** A length-encoded string as UTF-8 text, never NULL. */
  lenencText(): string {
    return this.bytes(this.lenencNumber()).toString("utf8");
  }

  /** The bytes up to the next NUL, which is read as well. */
  nulBytes(): Buffer {
    const end = this.#payload.indexOf(0, this.#at);
    if (end < 0) throw this.malformed("a string without its end");
    const bytes = this.#payload.subarray(this.#at, end);
    this.#at = end + 1;
    return bytes;
  }

  /** Like {@link nulBytes}, but a string that ends with the packet is accepted, as the server does. */
  nulBytesOrRest(): Buffer {
    return this.#payload.indexOf(0, this.#at) < 0 ? this.rest() : this.nulBytes();
  }

  bytes(length: number): Buffer {
    const at = this.#take(length);
    return this.#payload.subarray(at, at + length);
  }

  /** Everything not read yet. */
  rest(): Buffer {
    const bytes = this.#payload.subarray(this.#at);
    this.#at = this.#payload.length;
    return bytes;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** The error for a payload that breaks the protocol in another way than its length. */
  malformed(why: string): SwitchyardError {
    return new SwitchyardError("WIRE_MALFORMED", {
      what: `a ${this.#subject} packet breaks the MySQL protocol: ${why}`,
      details: [`at byte ${this.#at} of ${this.#payload.length}`],
    });
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#payload.length - at) {
      throw this.malformed(`${length} bytes should follow, ${this.#payload.length - at} do`);
    }
    this.#at = at + length;
    return at;
  }
}
