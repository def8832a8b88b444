import { deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { type ColumnDefinition, parseColumnDefinition } from "../wire/column-definition.ts";
import { type ErrPacket, parseErr } from "../wire/err-packet.ts";
import { PacketReader } from "../wire/packet-reader.ts";
import { PacketSplitter } from "../wire/packet-splitter.ts";
import type { PacketVisitor, PacketWalker } from "../wire/packet-walker.ts";
import { frame, packetCount } from "../wire/packet-writer.ts";
import type { PreparedFacts, ReplyPacket, ReplyTracker } from "../wire/reply-tracker.ts";
import type { ClientConnection } from "./client-connection.ts";
import { sendsFile } from "./local-file.ts";

/** How a reply ended. */
export interface ReplyEnd {
  /** The error that ended it, if one did. */
  readonly error: ErrPacket | undefined;
  /** Results before the end, each one an OK or a result set: in a text of several statements, those that succeeded. */
  readonly results: number;
  /** No server has executed it, and the client is told why as soon as it listens. */
  readonly unsent?: true;
}

/** Who waits for the end of a reply; told in the turn in which it has come. Must not throw. */
export interface ReplyWaiter {
  ended(end: ReplyEnd): void;
  lost(error: SwitchyardError): void;
}

/** Waits with a promise. */
export class PromisedEnd implements ReplyWaiter {
  readonly #end = deferred<ReplyEnd>();

  get promise(): Promise<ReplyEnd> {
    return this.#end.promise;
  }

  ended(end: ReplyEnd): void {
    this.#end.resolve(end);
  }

  lost(error: SwitchyardError): void {
    this.#end.reject(error);
  }
}

/** A reply that is being received. Bytes are given to it until it is done. */
export interface ReplyJob {
  /**
   * True: the reply is complete, and {@link finish} is to be called once the connection is free again. Where
   * {@link drained} is set, wait for it before reading more.
   */
  take(chunk: Buffer): boolean;
  /** Tells who waits. */
  finish(): void;
  /** Set while the receiver cannot take more. */
  readonly drained: Promise<void> | undefined;
  lost(error: SwitchyardError): void;
}

/** The first byte of a packet by which a server asks for a file. */
const ASKS_FOR_FILE = 0xfb;

/** What every kind of job knows of its reply. */
abstract class TrackedReply implements ReplyJob {
  readonly #waiter: ReplyWaiter;
  protected readonly tracker: ReplyTracker;
  #error: ErrPacket | undefined;
  #results = 0;

  constructor(tracker: ReplyTracker, waiter: ReplyWaiter) {
    this.tracker = tracker;
    this.#waiter = waiter;
  }

  get drained(): Promise<void> | undefined {
    return undefined;
  }

  abstract take(chunk: Buffer): boolean;

  lost(error: SwitchyardError): void {
    this.#waiter.lost(error);
  }

  finish(): void {
    this.#waiter.ended({ error: this.#error, results: this.#results });
  }

  /** Notes one packet that the tracker has asked for. */
  protected note(kind: ReplyPacket, payload: Buffer): void {
    if (kind === "error" || kind === "unsolicited") this.#error = parseErr(payload);
    else if (kind === "columns" || kind === "ok") this.#results += 1;
    else if (kind === "local-infile") this.wantsFile();
  }

  /** The server asks for a file of the client's. */
  protected wantsFile(): void {
    throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "a server asks for a file of the client's" });
  }
}

export interface RelayOptions {
  readonly walker: PacketWalker;
  readonly client: ClientConnection;
  /** What the reply is to. */
  readonly command: Buffer;
  /** Has the client's next packets go to the server, up to the end of a file; `request` is the number of its request. */
  readonly takeFile: (client: ClientConnection, request: number) => Promise<void>;
}

/** Relays a reply byte for byte. Once the client is gone, the rest is read and dropped. */
export class RelayedReply extends TrackedReply implements PacketVisitor {
  readonly #walker: PacketWalker;
  readonly #client: ClientConnection;
  readonly #command: Buffer;
  readonly #takeFile: RelayOptions["takeFile"];
  #sequence = 0;
  #file: Promise<void> | undefined;
  #full = false;

  constructor(tracker: ReplyTracker, waiter: ReplyWaiter, { walker, client, command, takeFile }: RelayOptions) {
    super(tracker, waiter);
    this.#walker = walker;
    this.#command = command;
    this.#client = client;
    this.#takeFile = takeFile;
  }

  override get drained(): Promise<void> | undefined {
    return this.#full ? this.#client.drained() : undefined;
  }

  take(chunk: Buffer): boolean {
    const reached = this.#walker.walk(chunk, 0, chunk.length, this);
    const complete = this.tracker.complete && this.#walker.betweenPackets;
    if (reached < chunk.length) {
      throw new SwitchyardError("WIRE_UNEXPECTED_PACKET", { what: "a server sent more than it owed" });
    }
    this.#full = !this.#client.passOn(chunk);
    return complete;
  }

  head(length: number, _sequence: number, firstByte: number): boolean {
    const wanted = this.tracker.wants(length, firstByte);
    // A server may ask for any file of the client's: only a client that has offered one is asked. It is known by its first
    // byte, and refused then: a client is not shown the beginning of such a request either.
    if (wanted && firstByte === ASKS_FOR_FILE && !sendsFile(this.#command)) super.wantsFile();
    return wanted;
  }

  payload(payload: Buffer, sequence: number): boolean {
    this.#sequence = sequence;
    this.note(this.tracker.take(payload), payload);
    return this.tracker.complete;
  }

  protected override wantsFile(): void {
    const before = this.#file ?? Promise.resolve();
    const request = this.#sequence;
    this.#file = before.then(() => this.#takeFile(this.#client, request));
  }

  /** A server that fails in the middle of a file may say so early: the client sends the rest of it all the same. */
  override finish(): void {
    if (this.#file === undefined) super.finish();
    else void this.#file.then(() => super.finish());
  }
}

/** Changes a control packet on its way to the client; returns what goes out instead. `ends`: nothing follows it. */
export type PacketEdit = (kind: ReplyPacket, payload: Buffer, ends: boolean) => Buffer | readonly Buffer[];

export interface EditOptions {
  readonly client: ClientConnection;
  readonly edit: PacketEdit;
  readonly payloadBytesMax: number;
}

/** Relays a reply packet by packet, so that some can be changed. Slower than {@link RelayedReply}. */
export class EditedReply extends TrackedReply {
  readonly #client: ClientConnection;
  readonly #edit: PacketEdit;
  readonly #splitter: PacketSplitter;
  /** Undefined until the first packet has come: the command may be longer than what was sent at first. */
  #sequence: number | undefined;
  #full = false;

  constructor(tracker: ReplyTracker, waiter: ReplyWaiter, options: EditOptions) {
    super(tracker, waiter);
    this.#client = options.client;
    this.#edit = options.edit;
    this.#splitter = new PacketSplitter(options.payloadBytesMax);
  }

  override get drained(): Promise<void> | undefined {
    return this.#full ? this.#client.drained() : undefined;
  }

  take(chunk: Buffer): boolean {
    this.#splitter.push(chunk, (payload) => {
      let edited: ReturnType<PacketEdit> = payload;
      if (wantsWhole(this.tracker, payload)) {
        const kind = this.tracker.take(payload);
        this.note(kind, payload);
        edited = this.#edit(kind, payload, this.tracker.complete);
      }
      if (Buffer.isBuffer(edited)) this.#write(edited);
      else for (const one of edited) this.#write(one);
    });
    return this.tracker.complete;
  }

  #write(payload: Buffer): void {
    const sequence = this.#sequence ?? this.#client.nextSequence;
    this.#full = !this.#client.write(frame(payload, sequence)) || this.#full;
    this.#sequence = (sequence + packetCount(payload.length)) & 0xff;
  }
}

/** Collects the rows of a reply to a statement of our own; they are few and short. */
export class OwnReply extends TrackedReply {
  readonly rows: (string | null)[][] = [];
  /** The same as they came. */
  readonly rowPackets: Buffer[] = [];
  readonly columns: ColumnDefinition[] = [];
  readonly #splitter: PacketSplitter;
  /** Bytes that may still come: no server has more to say, whatever it announces. */
  #bytesLeft: number;

  constructor(tracker: ReplyTracker, waiter: ReplyWaiter, bytesMax: number) {
    super(tracker, waiter);
    this.#bytesLeft = bytesMax;
    this.#splitter = new PacketSplitter(bytesMax);
  }

  get prepared(): PreparedFacts | undefined {
    return this.tracker.prepared;
  }

  take(chunk: Buffer): boolean {
    this.#bytesLeft -= chunk.length;
    if (this.#bytesLeft < 0) throw new SwitchyardError("WIRE_PACKET_TOO_LARGE", { what: "a reply that does not end" });
    this.#splitter.push(chunk, (payload) => {
      const { inRows, inDefinitions } = this.tracker;
      if (wantsWhole(this.tracker, payload)) this.note(this.tracker.take(payload), payload);
      else if (inRows) {
        this.rows.push(readRow(payload, this.tracker.columns));
        this.rowPackets.push(Buffer.from(payload));
      } else if (inDefinitions) this.columns.push(parseColumnDefinition(payload));
    });
    return this.tracker.complete;
  }
}

/** As {@link ReplyTracker.wants}, for payloads that were put together from several packets of the wire. */
function wantsWhole(tracker: ReplyTracker, payload: Buffer): boolean {
  // Continuations are part of the payload already; the tracker must not wait for one.
  const length = Math.min(payload.length, 0xfffffe);
  return tracker.wants(length, payload[0] ?? -1);
}

function readRow(payload: Buffer, columns: number): (string | null)[] {
  const reader = new PacketReader(payload, "row");
  const row: (string | null)[] = [];
  for (let column = 0; column < columns; column++) row.push(reader.lenencBytes()?.toString("utf8") ?? null);
  return row;
}

/** Sets flags in the status of an OK or EOF packet; other packets are given back as they are. */
export function withStatus(payload: Buffer, kind: ReplyPacket, flags: number): Buffer {
  if (kind !== "ok" && kind !== "eof") return payload;
  const edited = Buffer.from(payload);
  const at = edited[0] === 0xfe && edited.length < 7 ? 3 : statusOffset(edited);
  edited.writeUInt16LE((edited.readUInt16LE(at) | flags) & 0xffff, at);
  return edited;
}

function statusOffset(payload: Buffer): number {
  const reader = new PacketReader(payload, "OK", 1);
  reader.lenencBig();
  reader.lenencBig();
  return reader.offset;
}
