import { type Deferred, deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { PacketHandler, PacketLink } from "./packet-link.ts";

/** Packets that may wait unread; a login needs a handful. */
const UNREAD_MAX = 16;

/** Reads a link one packet at a time, for conversations of a few packets: logins. Counts the sequence numbers. */
export class PacketInbox implements PacketHandler {
  readonly #unread: Buffer[] = [];
  #waiting: Deferred<Buffer> | undefined;
  #lost: string | undefined;
  #sequence = -1;

  constructor(link: PacketLink) {
    link.setHandler(this);
  }

  /** The sequence number that our next packet must carry. */
  get nextSequence(): number {
    return (this.#sequence + 1) & 0xff;
  }

  /** Says that a packet of ours has gone out. */
  countSent(): void {
    this.#sequence += 1;
  }

  packet(payload: Buffer, sequence: number): void {
    this.#sequence = sequence;
    if (this.#waiting !== undefined) {
      this.#waiting.resolve(payload);
      this.#waiting = undefined;
    } else if (this.#unread.push(payload) > UNREAD_MAX) {
      throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "a peer that talks without being asked" });
    }
  }

  lost(reason: string): void {
    this.#lost = reason;
    this.#waiting?.reject(this.#error(reason));
  }

  /** The next packet. Throws `MYSQL_CONNECTION_LOST` when the link ends before. */
  next(): Promise<Buffer> {
    const payload = this.#unread.shift();
    if (payload !== undefined) return Promise.resolve(payload);
    if (this.#lost !== undefined) return Promise.reject(this.#error(this.#lost));
    this.#waiting = deferred();
    return this.#waiting.promise;
  }

  #error(reason: string): SwitchyardError {
    return new SwitchyardError("MYSQL_CONNECTION_LOST", { what: `the connection ended during the login: ${reason}` });
  }
}
