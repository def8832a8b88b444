import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { type Deferred, deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { HEADER_BYTES, PACKET_PAYLOAD_MAX } from "../wire/capabilities.ts";
import type { CompressionAlgorithm } from "../wire/compression.ts";
import { PacketSplitter } from "../wire/packet-splitter.ts";
import { frame } from "../wire/packet-writer.ts";
import { EnvelopeSocket } from "./envelope-socket.ts";

/** A server's largest packet or binary log event is 1 GiB. */
const PAYLOAD_BYTES_MAX = 1024 * 1024 * 1024 + 1024;
/** From this length on a payload goes out as it lies, behind its header. */
const UNCOPIED_BYTES_MIN = 16 * 1024;

/** A payload in one buffer or in several, one behind the other. A long one is not copied: its bytes stay as they are. */
export type Payload = Buffer | readonly Buffer[];

/** Who reads the packets of a link. */
export interface PacketHandler {
  /** One whole payload. While the promise it returns is pending, nothing more is read from the socket. */
  packet(payload: Buffer, sequence: number): void | Promise<void>;
  /**
   * Where present, bytes are handed over as they come, uncut, and {@link packet} is not called. Whoever takes them
   * gives back what lies behind the reply with {@link PacketLink.unread}.
   */
  chunk?: ((bytes: Buffer) => void | Promise<void>) | undefined;
  /** The link has ended; nothing more comes. */
  lost(reason: string): void;
}

/**
 * Packets over one socket, both ways, with back-pressure both ways. It knows nothing of what they mean.
 *
 * It never throws from an event of the socket: whatever goes wrong ends the link, tells the handler once, and
 * settles {@link closed}.
 */
export class PacketLink {
  /** What packets go through: the {@link #raw} socket, or envelopes over it. */
  #socket: Duplex;
  #raw: Socket;
  #envelopes: EnvelopeSocket | undefined;
  /** A packet has come since we have sent one. */
  #answered = false;
  readonly #splitter: PacketSplitter;
  readonly #closed = deferred<string>();
  #handler: PacketHandler | undefined;
  #waiting = false;
  #reason: string | undefined;
  #drained: Deferred<void> | undefined;
  #lastPacketMs = performance.now();
  #lastSentMs = performance.now();
  /** The peer has closed while a handler kept the socket paused. */
  #peerEnded: string | undefined;

  private constructor(socket: Socket, payloadBytesMax: number) {
    this.#splitter = new PacketSplitter(payloadBytesMax);
    this.#socket = socket;
    this.#raw = socket;
    this.#listen(socket);
  }

  /**
   * Connects a socket; a host that is a path means a socket file. Throws the socket's own error. A peer that announces a
   * larger packet than `payloadBytesMax` ends the link.
   */
  static async dial(
    host: string,
    port: number,
    signal: AbortSignal,
    payloadBytesMax = PAYLOAD_BYTES_MAX,
  ): Promise<PacketLink> {
    const { link, giveUp } = PacketLink.dialing(host, port, payloadBytesMax);
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      if (signal.aborted) giveUp();
      return await link;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** As {@link dial}, given up by a call: a signal is dear where thousands connect. */
  static dialing(
    host: string,
    port: number,
    payloadBytesMax: number,
  ): { readonly link: Promise<PacketLink>; readonly giveUp: () => void } {
    const socket = host.startsWith("/") ? connectTcp({ path: host }) : connectTcp({ host, port, noDelay: true });
    const { promise: link, resolve, reject } = Promise.withResolvers<PacketLink>();
    const fail = (error: unknown): void => {
      socket.destroy();
      reject(error);
    };
    socket.on("error", fail);
    socket.once("connect", () => {
      socket.setKeepAlive(true, 30_000);
      resolve(new PacketLink(socket, payloadBytesMax));
    });
    return { link, giveUp: () => fail(new SwitchyardError("CANCELLED", { what: "connecting was given up" })) };
  }

  /** Settles with the reason once the link has ended, however it did. */
  get closed(): Promise<string> {
    return this.#closed.promise;
  }

  get ended(): boolean {
    return this.#reason !== undefined;
  }

  /** When the last bytes arrived, by `performance.now()`; now, while a handler keeps the socket paused. */
  get lastPacketMs(): number {
    return this.#waiting ? performance.now() : this.#lastPacketMs;
  }

  /** For how long no bytes have moved, either way; 0 while a handler keeps the socket paused and does not wait to send. */
  get stillMs(): number {
    const received = this.#drained === undefined ? this.lastPacketMs : this.#lastPacketMs;
    return performance.now() - Math.max(received, this.#lastSentMs);
  }

  /** Hands all following packets to `handler`; those that have arrived already, at once. */
  setHandler(handler: PacketHandler): void {
    this.#handler = handler;
    this.#pump();
  }

  /** Sends one payload: a command, or a packet of the login. Safe after the end of the link: nothing happens then. */
  send(payload: Payload, sequence = 0): void {
    if (this.#reason !== undefined) return;
    this.#envelopes?.begin();
    this.#answered = false;
    this.#lastSentMs = performance.now();
    this.#write(payload, sequence);
  }

  /**
   * Sends one payload within the reply to a command, and waits while the socket has too much to send already. Rejects
   * when the link ends.
   */
  async sendSlowly(payload: Buffer, sequence: number): Promise<void> {
    if (this.#reason !== undefined) throw new SwitchyardError("MYSQL_CONNECTION_LOST", { what: this.#reason });
    if (this.#answered) this.#envelopes?.goOn();
    this.#answered = false;
    this.#lastSentMs = performance.now();
    if (this.#write(payload, sequence)) return;
    this.#drained ??= deferred();
    await this.#drained.promise;
  }

  /** Gives bytes back that a handler of chunks has taken and that do not belong to its reply. */
  unread(bytes: Buffer): void {
    this.#splitter.feed(Buffer.concat([bytes, this.#splitter.takeRemainder()]));
  }

  /** Puts TLS around the socket. Bytes sent by the peer in clear text behind the last packet end the link. */
  async startTls(options: ConnectionOptions): Promise<void> {
    const plain = this.#raw;
    plain.removeAllListeners();
    plain.on("error", () => undefined);
    if (this.#splitter.inside) throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "bytes came before TLS" });
    const secure = connectTls({ ...options, socket: plain });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    secure.once("secureConnect", resolve);
    secure.once("error", reject);
    secure.once("close", () => reject(new Error("the server closed the connection during the TLS handshake")));
    this.#raw = secure;
    this.#socket = secure;
    try {
      await promise;
    } catch (error) {
      secure.on("error", () => undefined);
      this.end(`TLS: ${error instanceof Error ? error.message : String(error)}`);
      throw error;
    }
    secure.removeAllListeners();
    this.#listen(secure);
  }

  /** All that follows goes in compressed envelopes, both ways. Right behind the login, before the first command. */
  compress(algorithm: CompressionAlgorithm, level: number | undefined): void {
    const raw = this.#raw;
    raw.removeAllListeners();
    this.#envelopes = new EnvelopeSocket(raw, {
      ...{ algorithm, level, side: "client" },
      early: this.#splitter.takeRemainder(),
      onBroken: (error) => this.end(error.message),
    });
    this.#socket = this.#envelopes;
    this.#listen(this.#envelopes);
  }

  /** Ends the link at once. The first reason given is the one that is told. */
  end(reason: string): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#socket.destroy();
    this.#drained?.reject(new SwitchyardError("MYSQL_CONNECTION_LOST", { what: reason }));
    this.#handler?.lost(reason);
    this.#closed.resolve(reason);
  }

  /** Sends what is waiting and closes our half; the peer is expected to close the other. */
  finish(): void {
    this.#socket.end();
  }

  /**
   * Gives the socket, paused, to another reader, with the bytes that have arrived and were not handed out. Only while
   * the link lives and without {@link compress}; afterwards it does nothing any more.
   */
  detach(): { readonly socket: Socket; readonly unread: Buffer } {
    const socket = this.#raw;
    socket.pause();
    socket.removeAllListeners();
    this.#reason = "given to another reader";
    this.#handler = undefined;
    return { socket, unread: this.#splitter.takeRemainder() };
  }

  /** False where the socket has too much to send already. */
  #write(payload: Payload, sequence: number): boolean {
    const parts = Buffer.isBuffer(payload) ? [payload] : payload;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    const socket = this.#socket;
    if (this.#envelopes !== undefined || length < UNCOPIED_BYTES_MIN || length >= PACKET_PAYLOAD_MAX) {
      return socket.write(frame(Buffer.isBuffer(payload) ? payload : Buffer.concat(parts, length), sequence));
    }
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUIntLE(length, 0, 3);
    header[3] = sequence & 0xff;
    socket.cork();
    let free = socket.write(header);
    for (const part of parts) if (part.length > 0) free = socket.write(part);
    socket.uncork();
    return free;
  }

  #listen(socket: Duplex): void {
    socket.on("data", (chunk: Buffer) => this.#arrive(chunk));
    socket.on("drain", () => {
      this.#lastSentMs = performance.now();
      this.#drained?.resolve();
      this.#drained = undefined;
    });
    socket.on("error", (error) => this.end(error.message));
    socket.on("end", () => this.#endAfterPackets("the server closed the connection"));
    socket.on("close", () => this.#endAfterPackets("the connection was closed"));
  }

  /** What has arrived is still read, so that a last ERR packet is not lost with the connection. */
  #endAfterPackets(reason: string): void {
    if (!this.#waiting) this.end(reason);
    else this.#peerEnded = reason;
  }

  #arrive(chunk: Buffer): void {
    this.#lastPacketMs = performance.now();
    this.#answered = true;
    this.#splitter.feed(chunk);
    this.#pump();
  }

  #pump(): void {
    if (this.#waiting) return;
    try {
      while (this.#reason === undefined && this.#handler !== undefined) {
        const wait = this.#deliver(this.#handler);
        if (wait === "empty") return;
        if (wait !== undefined) {
          this.#wait(wait);
          return;
        }
      }
    } catch (error) {
      this.end(error instanceof Error ? error.message : String(error));
    }
  }

  #deliver(handler: PacketHandler): void | Promise<void> | "empty" {
    if (handler.chunk !== undefined) {
      const bytes = this.#splitter.takeRemainder();
      return bytes.length === 0 ? "empty" : handler.chunk(bytes);
    }
    const payload = this.#splitter.next();
    return payload === undefined ? "empty" : handler.packet(payload, this.#splitter.sequence);
  }

  #wait(work: Promise<void>): void {
    this.#waiting = true;
    this.#socket.pause();
    work.then(
      () => {
        this.#waiting = false;
        this.#lastPacketMs = performance.now();
        this.#pump();
        if (this.#waiting || this.#reason !== undefined) return;
        if (this.#peerEnded !== undefined) this.end(this.#peerEnded);
        else this.#socket.resume();
      },
      (error: unknown) => this.end(error instanceof Error ? error.message : String(error)),
    );
  }
}
