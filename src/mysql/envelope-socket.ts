import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Deferred, deferred } from "../base/deferred.ts";
import { isSwitchyardError, messageOf, type SwitchyardError } from "../base/errors.ts";
import { type CompressionAlgorithm, ENVELOPE_BYTES_MAX, malformed, unpack, unpackLater } from "../wire/compression.ts";
import { type Envelope, EnvelopeReader } from "../wire/envelope-reader.ts";
import { EnvelopeWriter } from "../wire/envelope-writer.ts";
import { PacketNumbers } from "../wire/packet-numbers.ts";

/** What is packed at once: about a millisecond of the event loop. */
const PACK_BYTES = 64 * 1024;
/** Contents that claim more are unpacked in another thread. */
const UNPACK_AT_ONCE_BYTES = 128 * 1024;

export interface EnvelopeOptions {
  readonly algorithm: CompressionAlgorithm;
  /** Of what we send; the algorithm's own default where left out. */
  readonly level?: number | undefined;
  /** Which side of the connection we are. */
  readonly side: "client" | "server";
  /** Bytes that have arrived behind the login. */
  readonly early: Buffer;
  /** The peer has sent what is no envelope. Nothing more is read; the owner decides what is still said. */
  readonly onBroken: (error: SwitchyardError) => void;
}

/**
 * A socket whose bytes travel in compressed envelopes; to its owner it reads and writes like the socket beneath. It
 * takes the socket over when the login has ended, and destroys it when it is destroyed.
 *
 * Memory is bounded by one envelope (16 MiB packed, and as much unpacked) and the marks of two streams: while its
 * owner does not read, nothing is read from the socket, and while the socket does not take bytes, none are packed.
 *
 * Envelopes are numbered anew with each command, which the owner announces with {@link begin} or {@link answer}.
 */
export class EnvelopeSocket extends Duplex {
  readonly #socket: Socket;
  readonly #options: EnvelopeOptions;
  readonly #reader: EnvelopeReader;
  readonly #writer: EnvelopeWriter;
  readonly #packets = new PacketNumbers();
  readonly #envelopes: Envelope[] = [];
  /** Number of the envelope that follows the one read last. */
  #due = 0;
  #working = false;
  #ended = false;
  #room: Deferred<void> | undefined;
  /** Where in what is written the numbers begin anew. */
  readonly #restarts: { readonly at: number; readonly number: number }[] = [];
  #written = 0;
  /** For the payloads that were read and not answered yet: how many in a row have the same number behind them. */
  readonly #unanswered: { payloads: number; readonly number: number }[] = [];
  #writable: Deferred<void> | undefined;

  constructor(socket: Socket, options: EnvelopeOptions) {
    super({ readableHighWaterMark: PACK_BYTES, writableHighWaterMark: PACK_BYTES });
    this.#socket = socket;
    this.#options = options;
    this.#reader = new EnvelopeReader(options.algorithm, ENVELOPE_BYTES_MAX);
    this.#writer = new EnvelopeWriter(options.algorithm, options.level);
    socket.on("data", (chunk: Buffer) => this.#arrive(chunk));
    socket.on("drain", () => {
      this.#writable?.resolve();
      this.#writable = undefined;
    });
    socket.on("error", (error) => this.destroy(error));
    socket.on("end", () => {
      this.#ended = true;
      if (!this.#working) this.push(null);
    });
    socket.on("close", () => {
      if (!this.#ended || this.readableEnded) this.destroy();
      else this.once("end", () => this.destroy());
    });
    if (options.early.length > 0) this.#arrive(options.early);
    socket.resume();
  }

  /** What is written next begins a command, or, with another number, goes on in its conversation. */
  begin(number = 0): void {
    this.#restarts.push({ at: this.#written + this.writableLength, number });
  }

  /** What is written next goes on behind the envelope that was read last. */
  goOn(): void {
    this.begin(this.#due);
  }

  /** Server side: the owner has taken the next payloads, and what is written next is the answer to the last of them. */
  answer(payloads = 1): void {
    let left = payloads;
    while (left > 0) {
      const [run] = this.#unanswered;
      if (run === undefined) return;
      const count = Math.min(left, run.payloads);
      left -= count;
      run.payloads -= count;
      if (run.payloads === 0) this.#unanswered.shift();
      if (left === 0) this.begin(run.number);
    }
  }

  /** The packets that are read from now on are numbered one by one, from this number on. */
  renumber(from: number): void {
    this.#packets.next = from & 0xff;
  }

  /** As a socket has it: sends what is waiting, and destroys. */
  destroySoon(): void {
    if (this.writableFinished) this.#socket.destroySoon();
    else this.end(() => this.#socket.destroySoon());
  }

  override _read(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    while (this.#restarts[0] !== undefined && this.#restarts[0].at <= this.#written) {
      this.#writer.restart(this.#restarts.shift()?.number ?? 0);
    }
    const finish = (error?: Error): void => {
      this.#written += chunk.length;
      done(error);
    };
    if (chunk.length > PACK_BYTES) this.#sendParts(chunk).then(() => finish(), finish);
    else if (this.#send(chunk)) finish();
    else this.#drained().then(() => finish(), finish);
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    this.#envelopes.length = 0;
    this.#room?.resolve();
    this.#writable?.resolve();
    done(error);
  }

  /** Whether the socket takes more. */
  #send(part: Buffer): boolean {
    return this.#socket.destroyed || this.#socket.write(this.#writer.write(part));
  }

  /** Other connections have their turn between the parts. */
  async #sendParts(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length && !this.destroyed; at += PACK_BYTES) {
      if (!this.#send(chunk.subarray(at, at + PACK_BYTES))) await this.#drained();
      else await nextTurn();
    }
  }

  #drained(): Promise<void> {
    this.#writable ??= deferred();
    return this.#writable.promise;
  }

  #arrive(chunk: Buffer): void {
    try {
      this.#reader.cut(chunk, (envelope) => this.#envelopes.push(envelope));
    } catch (error) {
      this.#break(error);
      return;
    }
    if (this.#working) return;
    this.#working = true;
    void this.#unpackAll();
  }

  /** Unpacks what has arrived, one envelope after the other, and reads on when the owner has taken it. */
  async #unpackAll(): Promise<void> {
    try {
      for (let envelope = this.#envelopes.shift(); envelope !== undefined; envelope = this.#envelopes.shift()) {
        const unpacked = this.#unpack(envelope);
        const piece = unpacked instanceof Promise ? await this.#paused(unpacked) : unpacked;
        if (this.destroyed) return;
        if (!this.#deliver(envelope.sequence, piece)) {
          this.#room ??= deferred();
          await this.#paused(this.#room.promise);
        }
      }
    } catch (error) {
      this.#break(error);
      return;
    }
    this.#working = false;
    if (this.destroyed) return;
    if (this.#ended) this.push(null);
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #unpack({ contents, unpackedLength }: Envelope): Buffer | Promise<Buffer> {
    const { algorithm } = this.#options;
    if (unpackedLength === 0) return contents;
    return unpackedLength > UNPACK_AT_ONCE_BYTES
      ? unpackLater(contents, unpackedLength, algorithm)
      : unpack(contents, unpackedLength, algorithm);
  }

  #paused<T>(waiting: Promise<T>): Promise<T> {
    this.#socket.pause();
    return waiting;
  }

  #deliver(sequence: number, piece: Buffer): boolean {
    const { between } = this.#packets;
    // A server may begin to speak with a number of its own, as when it closes an idle connection.
    // A client begins with 0, or, in a conversation, goes on behind what we have said.
    const begins = between && (this.#options.side === "client" || [0, this.#writer.sequence].includes(sequence));
    if (sequence !== this.#due && !begins) throw malformed(`it has number ${sequence} where ${this.#due} is due`);
    this.#due = (sequence + 1) & 0xff;
    const payloads = this.#packets.pass(piece);
    if (this.#options.side === "server" && payloads > 0) this.#unanswered.push({ payloads, number: this.#due });
    return piece.length === 0 || this.push(piece);
  }

  /** What came before has been handed out; nothing follows it. `#working` stays set, so nothing is read any more. */
  #break(error: unknown): void {
    this.#working = true;
    this.#envelopes.length = 0;
    this.#socket.pause();
    this.#options.onBroken(isSwitchyardError(error) ? error : malformed(messageOf(error), error));
  }
}
