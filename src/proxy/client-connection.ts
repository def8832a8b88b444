import type { Socket } from "node:net";
import { type SecureContext, TLSSocket } from "node:tls";
import { type Deferred, deferred } from "../base/deferred.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { EnvelopeSocket } from "../mysql/envelope-socket.ts";
import { PacketSplitter } from "../wire/packet-splitter.ts";
import { frame } from "../wire/packet-writer.ts";
import { giveBack } from "./chunk-memory.ts";
import type { ClientBacklog } from "./client-backlog.ts";
import type { Compression } from "./client-compression.ts";
import { leanSocket } from "./lean-socket.ts";

/** Who has the commands of a client done, one after the other. Must not throw. */
export interface CommandTaker {
  /** A whole command, in the turn in which its last byte has come. */
  command(payload: Buffer): void;
  /** The first packet of a command of several: the others are to be read with {@link ClientConnection.readBytes}. */
  largeCommand(head: Buffer): void;
  /** Nothing more comes: the client is gone, or has broken the protocol. */
  over(error: unknown): void;
}

/** Before a login, nobody may make us gather more than this. */
const LOGIN_BYTES_MAX = 64 * 1024;
/** How long a client that is being disconnected may take to read its last packet. */
const FLUSH_MS = 2000;
/** How long a client is not read before it is looked after. */
const LOOK_MS = 500;
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * One client's connection: commands in, bytes out, with back-pressure both ways.
 *
 * The socket is read even while no command is awaited, as far as its {@link ClientBacklog} goes, so that a client that
 * leaves is noticed while its statement is held or executed.
 */
export class ClientConnection {
  #remote: string;
  readonly #gone = deferred<string>();
  /** What bytes go through: the {@link #raw} socket, or envelopes over it. */
  #socket: Socket | EnvelopeSocket;
  #raw: Socket;
  #envelopes: EnvelopeSocket | undefined;
  /** The client has sent what is no envelope; nothing follows what is still in {@link #backlog}. */
  #broken: SwitchyardError | undefined;
  #splitter = new PacketSplitter(LOGIN_BYTES_MAX);
  readonly #backlog: ClientBacklog;
  /** Runs while the client is not read. */
  #looking: NodeJS.Timeout | undefined;
  #greeted = false;
  #waiting: Deferred<void> | undefined;
  #drained: Deferred<void> | undefined;
  #taker: CommandTaker | undefined;
  /** {@link #taker} waits for a command. */
  #hungry = false;
  #goneReason: string | undefined;
  /** Nothing that it has sent is of use any more. */
  #ending = false;

  constructor(socket: Socket, backlog: ClientBacklog) {
    this.#socket = socket;
    this.#raw = socket;
    this.#backlog = backlog;
    this.#remote = socket.remoteAddress ?? "unknown";
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    this.#listen(socket);
  }

  /** The client's address. */
  get remote(): string {
    return this.#remote;
  }

  /** A load balancer that is trusted says that it passes on a client from there. */
  cameFrom(address: string): void {
    this.#remote = address;
  }

  /** Settles with the reason when the connection has ended, however it did. */
  get gone(): Promise<string> {
    return this.#gone.promise;
  }

  get isGone(): boolean {
    return this.#goneReason !== undefined;
  }

  /** How many bytes have come from it so far. */
  get bytesRead(): number {
    return this.#raw.bytesRead;
  }

  get encrypted(): boolean {
    return this.#raw instanceof TLSSocket;
  }

  get compressed(): boolean {
    return this.#envelopes !== undefined;
  }

  /** Sequence number that our next packet must carry: 0 for the greeting, then one more than the payload read last. */
  get nextSequence(): number {
    return this.#greeted ? (this.#splitter.sequence + 1) & 0xff : 0;
  }

  /** From now on commands may be of this size; before, only what a login needs is accepted. */
  acceptCommands(payloadBytesMax: number): void {
    if (this.#envelopes === undefined) this.#becomeLean();
    const rest = this.#splitter.takeRemainder();
    this.#splitter = new PacketSplitter(payloadBytesMax, true);
    if (rest.length > 0) this.#splitter.feed(rest);
  }

  /**
   * The next whole payload; undefined once the client is gone.
   *
   * @throws {SwitchyardError} `WIRE_PACKET_TOO_LARGE`, `WIRE_MALFORMED`
   */
  async read(): Promise<Buffer | undefined> {
    for (;;) {
      const payload = this.#readNow();
      if (payload !== undefined) return payload;
      if (this.#splitter.begun) throw malformedHere();
      if (this.#goneReason !== undefined) return undefined;
      this.#waiting = deferred();
      if (this.#socket.isPaused()) this.#socket.resume();
      await this.#waiting.promise;
    }
  }

  #becomeLean(): void {
    const lean = leanSocket(this.#raw);
    if (lean === this.#raw) return;
    this.#unlisten(this.#raw);
    this.#raw = lean;
    this.#socket = lean;
    this.#listen(lean);
    lean.resume();
  }

  #unlisten(socket: Socket): void {
    for (const event of ["data", "drain", "error", "end", "close"]) socket.removeAllListeners(event);
  }

  /** From now on commands go to `taker`; while it has one done, what belongs to it may be read as before. */
  serve(taker: CommandTaker): void {
    this.#taker = taker;
    this.next();
    if (this.#socket.isPaused()) this.#watch();
  }

  /** The command is done. The next one is handed over in this very call, if it is here and the client reads. */
  next(): void {
    this.#hungry = true;
    this.#handOver();
  }

  /** False: nothing more is done for a client that has not read what it was told; {@link #drain} goes on. */
  #handOver(): boolean {
    const taker = this.#taker;
    if (taker === undefined) return true;
    if (this.#socket.writableNeedDrain && this.#goneReason === undefined) return false;
    let payload: Buffer | undefined;
    try {
      payload = this.#readNow();
    } catch (error) {
      this.#hungry = false;
      taker.over(error);
      return true;
    }
    if (payload === undefined && this.#splitter.begun) {
      this.#hungry = false;
      taker.largeCommand(this.#splitter.takeBegun());
      return true;
    }
    if (payload === undefined && this.#goneReason === undefined) {
      if (this.#socket.isPaused()) this.#socket.resume();
      return true;
    }
    this.#hungry = false;
    if (payload === undefined) taker.over(undefined);
    else taker.command(payload);
    return true;
  }

  /** A payload that has arrived already. */
  #readNow(): Buffer | undefined {
    try {
      for (;;) {
        const payload = this.#splitter.next();
        if (payload !== undefined) {
          this.#envelopes?.answer();
          return payload;
        }
        if (this.#splitter.begun) return undefined;
        const chunk = this.#backlog.take();
        if (chunk === undefined) break;
        this.#splitter.feed(chunk);
      }
    } catch (error) {
      this.#envelopes?.goOn();
      throw error;
    }
    if (this.#broken === undefined) return undefined;
    this.#envelopes?.goOn();
    throw this.#broken;
  }

  /** Bytes as they arrive, not cut into packets; undefined once nothing more comes. What is left over is given back. */
  async readBytes(): Promise<Buffer | undefined> {
    for (;;) {
      const rest = this.#splitter.takeRemainder();
      if (rest.length > 0) return rest;
      const chunk = this.#backlog.take();
      if (chunk !== undefined) return chunk;
      if (this.#goneReason !== undefined || this.#broken !== undefined) return undefined;
      this.#waiting = deferred();
      if (this.#socket.isPaused()) this.#socket.resume();
      await this.#waiting.promise;
    }
  }

  /** Says that {@link readBytes} has given so many payloads to the end. */
  tookPayloads(count: number): void {
    this.#envelopes?.answer(count);
  }

  /** A command of so many packets has been read to its end by {@link readBytes}. */
  tookCommand(packets: number): void {
    this.#splitter.passed(packets - 1);
    this.#envelopes?.answer();
  }

  /**
   * Gives back what {@link readBytes} gave beyond what was wanted. From now on nobody waits for bytes, and that the
   * client leaves must be noticed all the same.
   */
  putBack(bytes: Buffer): void {
    if (bytes.length > 0) this.#splitter.feed(bytes);
    if (this.#socket.isPaused() && !this.#backlog.isFull) this.#socket.resume();
  }

  /** Sends framed bytes. False: wait for {@link drained} before sending more. */
  write(bytes: Buffer): boolean {
    if (this.#goneReason !== undefined) return true;
    this.#greeted = true;
    // What the kernel has taken at once needs no waiting, however much it was.
    return this.#socket.write(bytes) || this.#socket.writableLength === 0;
  }

  /** As {@link write}, of a chunk of a socket's that nobody keeps: its memory is used again as soon as may be. */
  passOn(chunk: Buffer): boolean {
    const takesMore = this.write(chunk);
    if (this.#isPlain && this.#raw.writableLength === 0) giveBack(chunk);
    return takesMore;
  }

  /** Bytes that are written go to the kernel as they are. */
  get #isPlain(): boolean {
    return this.#envelopes === undefined && !this.encrypted;
  }

  /** Sends one payload as the answer to the command read last, or the packet after `sequence`. */
  send(payload: Buffer, sequence = this.nextSequence): boolean {
    return this.write(frame(payload, sequence));
  }

  /** Settles when the socket takes bytes again, or the client is gone. */
  drained(): Promise<void> {
    if (!this.#socket.writableNeedDrain || this.#goneReason !== undefined) return Promise.resolve();
    this.#drained ??= deferred();
    return this.#drained.promise;
  }

  /** Puts TLS around the connection. Clients begin with it right behind their request, so bytes may be here already. */
  async startTls(context: SecureContext): Promise<void> {
    const plain = this.#raw;
    const early = Buffer.concat([this.#splitter.takeRemainder(), ...this.#backlog.takeAll()]);
    // All listeners at once would set the stream flowing again in the next tick, and what is put back would be lost.
    plain.pause();
    this.#unlisten(plain);
    if (early.length > 0) plain.unshift(early);
    plain.on("error", () => undefined);
    const secure = new TLSSocket(plain, { isServer: true, secureContext: context });
    this.#socket = secure;
    this.#raw = secure;
    const ready = deferred<void>();
    secure.once("secure", () => ready.resolve());
    secure.once("error", (error) => ready.reject(error));
    secure.once("close", () => ready.reject(new Error("the client left during the TLS handshake")));
    this.#listen(secure);
    try {
      await ready.promise;
    } catch (cause) {
      throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", {
        what: `TLS with a client could not be agreed on: ${messageOf(cause)}`,
        cause,
      });
    }
  }

  /** All that follows goes in compressed envelopes, both ways: right behind the OK of the login. */
  compress({ algorithm, level }: Compression): void {
    const raw = this.#raw;
    const early = Buffer.concat([this.#splitter.takeRemainder(), ...this.#backlog.takeAll()]);
    raw.pause();
    this.#unlisten(raw);
    const onBroken = (error: SwitchyardError): void => {
      this.#broken = error;
      this.#wake();
    };
    this.#envelopes = new EnvelopeSocket(raw, { algorithm, level, side: "server", early, onBroken });
    this.#socket = this.#envelopes;
    this.#listen(this.#envelopes);
  }

  /** Sends what is waiting and closes; soon also where the client does not take it. */
  end(): void {
    const socket = this.#socket;
    this.#ending = true;
    this.#forget();
    if (socket.destroyed) return;
    const timer = setTimeout(() => this.destroy(), FLUSH_MS);
    socket.once("close", () => clearTimeout(timer));
    socket.destroySoon();
  }

  /** The client has said goodbye: closes at once where it has been sent all that it is owed, as a server does. */
  endAfterGoodbye(): void {
    if (this.#isPlain && this.#raw.writableLength === 0) this.destroy();
    else this.end();
  }

  /** Closes at once. */
  destroy(): void {
    this.#ending = true;
    this.#socket.destroy();
    this.#leave("closed by the proxy");
  }

  #listen(socket: Socket | EnvelopeSocket): void {
    socket.on("data", (chunk: Buffer) => this.#arrive(chunk));
    socket.on("drain", () => this.#drain());
    socket.on("error", (error) => this.#leave(error.message));
    socket.on("end", () => this.#leave("the client closed the connection"));
    socket.on("close", () => this.#leave("the connection was closed"));
  }

  #arrive(chunk: Buffer): void {
    this.#backlog.add(chunk);
    if (this.#wake() || !this.#backlog.isFull) return;
    this.#socket.pause();
    if (this.#taker !== undefined) this.#watch();
  }

  #watch(): void {
    this.#looking ??= setTimeout(() => {
      this.#looking = undefined;
      if (this.#goneReason === undefined && this.#socket.isPaused()) this.#lookAfter();
    }, LOOK_MS);
  }

  /** A client that is not read may have gone: it is read on, or else the system is asked. */
  #lookAfter(): void {
    if (!this.#socket.writableNeedDrain && this.#backlog.further()) {
      // It is looked after again when it is not read any more.
      this.#socket.resume();
      return;
    }
    // Sends nothing, and fails where the client's system has said that nobody is there.
    if (this.#raw.writableLength === 0) this.#raw.write(NOTHING);
    this.#watch();
  }

  #forget(): void {
    if (this.#goneReason !== undefined) this.#backlog.takeAll();
  }

  /** Whether somebody waits for a command. */
  #wake(): boolean {
    if (this.#hungry) return this.#handOver();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve();
    return waiting !== undefined;
  }

  #drain(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
    if (this.#hungry) this.#handOver();
  }

  #leave(reason: string): void {
    if (this.#goneReason !== undefined) return;
    this.#goneReason = reason;
    clearTimeout(this.#looking);
    if (this.#ending) this.#forget();
    this.#gone.resolve(reason);
    this.#wake();
    this.#drain();
  }
}

/** Nothing but a command is ever this large. */
function malformedHere(): SwitchyardError {
  return new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "a client answers a question with more than 16 MiB" });
}
