import type { ErrPacket } from "../wire/err-packet.ts";
import type { Flight } from "./traffic-session.ts";

/** How a command went that was answered without a server, until the next one has been sent. */
export class AnsweredHere {
  #is = false;
  #after: Flight | undefined;
  #error: ErrPacket | undefined;

  /** The last command was answered here, with an OK or this error; `sent` is the last flight before it. */
  note(sent: Flight | undefined, error?: ErrPacket): void {
    this.#is = true;
    this.#after = sent;
    this.#error = error;
  }

  /** Its outcome, if nothing has been sent since; undefined where a server knows how the last command went. */
  since(sent: Flight | undefined): { readonly error: ErrPacket | undefined } | undefined {
    return this.#is && this.#after === sent ? { error: this.#error } : undefined;
  }

  /** A server has been told. */
  told(): void {
    this.#is = false;
    this.#after = undefined;
  }
}
