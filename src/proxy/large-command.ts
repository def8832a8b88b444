import type { Writable } from "node:stream";
import { HEADER_BYTES, PACKET_PAYLOAD_MAX } from "../wire/capabilities.ts";
import type { ClientConnection } from "./client-connection.ts";
import { drained } from "./local-file.ts";

/** Whoever reads the rest of a large command as it passes. Answers whether it may go on to the server. */
export type Passing = (payload: Buffer) => boolean;

const NUMBER_AT = HEADER_BYTES - 1;

/**
 * A command of several packets of which the first has come: its rest is read from the client and passed to a server,
 * packet by packet, never kept.
 *
 * A server executes nothing before it has the whole of a command. One whose last packet has not been sent can still be
 * taken back, by closing the connection.
 */
export class LargeCommand {
  /** The payload of the first packet. It is changed in place where a backend must get other bytes. */
  readonly head: Buffer;
  readonly #client: ClientConnection;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #length = PACKET_PAYLOAD_MAX;
  #missing = 0;
  #packets = 1;
  #bytes = PACKET_PAYLOAD_MAX;
  #ended = false;
  #refused = false;
  #passing: Promise<boolean> | undefined;
  #dropped: Promise<unknown> | undefined;

  constructor(head: Buffer, client: ClientConnection) {
    this.head = head;
    this.#client = client;
  }

  /** How many packets have begun. */
  get packets(): number {
    return this.#packets;
  }

  /** How many bytes it has, as far as the packets say that have begun. */
  get bytes(): number {
    return this.#bytes + this.#missing;
  }

  /** The client has sent all of it. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What was to see the rest has let it go no further. */
  get refused(): boolean {
    return this.#refused;
  }

  /**
   * Passes the rest to `server`, as fast as that takes it. Where `passing` refuses, or the server has gone, the rest is
   * read from the client and dropped, so that it hears the answer.
   *
   * @returns false when the client has left before the end
   */
  passRest(server: Writable, passing: Passing, onLast: (packets: number) => void): Promise<boolean> {
    this.#passing = this.#passRest(server, passing, onLast);
    return this.#passing;
  }

  async #passRest(server: Writable, passing: Passing, onLast: (packets: number) => void): Promise<boolean> {
    const onPayload = (payload: Buffer): void => {
      if (!this.#refused && !passing(payload)) this.#refused = true;
    };
    for (;;) {
      const bytes = await this.#client.readBytes();
      if (bytes === undefined) return false;
      const reached = this.#walk(bytes, onPayload);
      if (this.#ended) onLast(this.#packets);
      const going = !this.#refused && !server.destroyed && server.writable;
      if (going && !server.write(bytes.subarray(0, reached))) await drained(server);
      if (this.#ended) return this.#finish(bytes.subarray(reached));
    }
  }

  /** The whole command, put together; undefined where it is longer than allowed, or the client has left. */
  async gather(bytesMax: number): Promise<Buffer | undefined> {
    const parts = [this.head];
    let length = this.head.length;
    for (;;) {
      const bytes = await this.#client.readBytes();
      if (bytes === undefined) return undefined;
      const reached = this.#walk(bytes, (payload) => {
        length += payload.length;
        if (length <= bytesMax) parts.push(payload);
      });
      // It is read to its end all the same: only then does the client listen.
      if (length > bytesMax) parts.length = 0;
      if (!this.#ended) continue;
      this.#finish(bytes.subarray(reached));
      return length > bytesMax ? undefined : Buffer.concat(parts, length);
    }
  }

  /** Reads what is still to come, and drops it; where it is being passed on, waits until that has ended. */
  async drop(): Promise<void> {
    if (this.#ended && this.#passing === undefined) return;
    this.#dropped ??= this.#passing ?? this.gather(0);
    await this.#dropped;
  }

  #finish(behind: Buffer): true {
    this.#client.putBack(behind);
    this.#client.tookCommand(this.#packets);
    return true;
  }

  /** Finds the payloads in what has come, numbers their packets, and returns where the command ends, or the length. */
  #walk(bytes: Buffer, onPayload: (payload: Buffer) => void): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.#missing > 0) {
        const end = Math.min(bytes.length, at + this.#missing);
        onPayload(bytes.subarray(at, end));
        this.#bytes += end - at;
        this.#missing -= end - at;
        at = end;
      } else {
        if (this.#headerBytes === NUMBER_AT) bytes[at] = this.#packets & 0xff;
        this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
        if (this.#headerBytes < HEADER_BYTES) continue;
        this.#headerBytes = 0;
        this.#packets += 1;
        this.#length = this.#header.readUIntLE(0, NUMBER_AT);
        this.#missing = this.#length;
      }
      this.#ended = this.#missing === 0 && this.#headerBytes === 0 && this.#length < PACKET_PAYLOAD_MAX;
      if (this.#ended) return at;
    }
    return at;
  }
}
