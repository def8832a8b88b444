import { type Deferred, deferred } from "../base/deferred.ts";
import type { SwitchyardError } from "../base/errors.ts";
import type { AuthAnswers } from "../mysql/auth-answers.ts";
import { AUTH, parseAuthMoreData, parseAuthSwitch } from "../wire/auth-packets.ts";
import { type ErrPacket, parseErr } from "../wire/err-packet.ts";
import { PacketSplitter } from "../wire/packet-splitter.ts";
import type { ReplyTracker } from "../wire/reply-tracker.ts";
import { severalFactors } from "./client-errors.ts";
import type { ReplyEnd, ReplyJob } from "./reply-jobs.ts";

const EMPTY = Buffer.alloc(0);
const AUTH_BYTES_MAX = 64 * 1024;

/** The reply to a change of user: a conversation about the password that ends with OK or ERR. The client sees none of it. */
export class AuthReply implements ReplyJob {
  readonly drained = undefined;
  readonly #end: Deferred<ReplyEnd> = deferred();
  readonly #splitter = new PacketSplitter(AUTH_BYTES_MAX);
  readonly #tracker: ReplyTracker;
  readonly #answers: AuthAnswers;
  readonly #send: (payload: Buffer, sequence: number) => void;
  #ok: Buffer | undefined;
  #error: ErrPacket | undefined;
  #severalFactors = false;

  constructor(tracker: ReplyTracker, answers: AuthAnswers, send: (payload: Buffer, sequence: number) => void) {
    this.#tracker = tracker;
    this.#answers = answers;
    this.#send = send;
  }

  get end(): Promise<ReplyEnd> {
    return this.#end.promise;
  }

  /** The server's OK, once the reply has ended with one. */
  get ok(): Buffer | undefined {
    return this.#ok;
  }

  take(chunk: Buffer): boolean {
    this.#splitter.push(chunk, (payload, sequence) => {
      this.#tracker.wants(payload.length, payload[0] ?? -1);
      const kind = this.#tracker.take(payload);
      if (kind === "ok") this.#ok = Buffer.from(payload);
      else if (kind === "error") this.#error = this.#severalFactors ? severalFactors() : parseErr(payload);
      else {
        const answer = this.#answer(payload);
        if (answer !== undefined) this.#send(answer, (sequence + 1) & 0xff);
      }
    });
    return this.#tracker.complete;
  }

  finish(): void {
    this.#end.resolve({ error: this.#error, results: 0 });
  }

  lost(error: SwitchyardError): void {
    this.#end.reject(error);
  }

  #answer(payload: Buffer): Buffer | undefined {
    if (payload[0] === AUTH.NEXT_FACTOR) {
      // Nothing is no answer to any factor: the server refuses.
      this.#severalFactors = true;
      return EMPTY;
    }
    if (payload[0] !== AUTH.SWITCH) return this.#answers.more(parseAuthMoreData(payload));
    const { plugin, nonce } = parseAuthSwitch(payload);
    return this.#answers.first(plugin, Buffer.from(nonce));
  }
}
