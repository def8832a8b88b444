import { type Deferred, deferred } from "../base/deferred.ts";
import { SwitchyardError } from "../base/errors.ts";
import { type ErrPacket, parseErr } from "../wire/err-packet.ts";
import { PacketReader } from "../wire/packet-reader.ts";
import { PacketSplitter } from "../wire/packet-splitter.ts";
import type { PacketVisitor, PacketWalker } from "../wire/packet-walker.ts";
import { frame, packetCount } from "../wire/packet-writer.ts";
import type { PreparedFacts, ReplyPacket, ReplyTracker } from "../wire/reply-tracker.ts";
import type { ClientConnection } from "./client-connection.ts";

/** How a reply ended. */
export interface ReplyEnd {
  /** The error that ended it, if one did. */
  readonly error: ErrPacket | undefined;
  /** Results before the end, each one an OK or a result set: in a text of several statements, those that succeeded. */
  readonly results: number;
}

/** A reply that is being received. Bytes are given to it until it is done. */
export interface ReplyJob {
  readonly end: Promise<ReplyEnd>;
  /** True: the reply is complete. Where {@link drained} is set, wait for it before reading more. */
  take(chunk: Buffer): boolean;
  /** Set while the receiver cannot take more. */
  readonly drained: Promise<void> | undefined;
  lost(error: SwitchyardError): void;
}

/** What every kind of job knows of its reply. */
abstract class TrackedReply implements ReplyJob {
  readonly #end: Deferred<ReplyEnd> = deferred();
  protected readonly tracker: ReplyTracker;
  #error: ErrPacket | undefined;
  #results = 0;

  constructor(tracker: ReplyTracker) {
    this.tracker = tracker;
  }

  get end(): Promise<ReplyEnd> {
    return this.#end.promise;
  }

  get drained(): Promise<void> | undefined {
    return undefined;
  }

  abstract take(chunk: Buffer): boolean;

  lost(error: SwitchyardError): void {
    this.#end.reject(error);
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

  protected finish(): true {
    this.#end.resolve({ error: this.#error, results: this.#results });
    return true;
  }
}

/** Relays a reply byte for byte. Once the client is gone, the rest is read and dropped. */
export class RelayedReply extends TrackedReply implements PacketVisitor {
  readonly #walker: PacketWalker;
  readonly #client: ClientConnection;
  readonly #takeFile: (request: number) => Promise<void>;
  #sequence = 0;
  #file: Promise<void> | undefined;
  #full = false;

  /** `takeFile` has the client's next packets go to the server, up to the end of a file; `request` is the number of its request. */
  constructor(
    tracker: ReplyTracker,
    walker: PacketWalker,
    client: ClientConnection,
    takeFile: (request: number) => Promise<void>,
  ) {
    super(tracker);
    this.#walker = walker;
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
    this.#full = !this.#client.write(chunk);
    return complete && this.finish();
  }

  head(length: number, _sequence: number, firstByte: number): boolean {
    return this.tracker.wants(length, firstByte);
  }

  payload(payload: Buffer, sequence: number): boolean {
    this.#sequence = sequence;
    this.note(this.tracker.take(payload), payload);
    return this.tracker.complete;
  }

  protected override wantsFile(): void {
    const before = this.#file ?? Promise.resolve();
    const request = this.#sequence;
    this.#file = before.then(() => this.#takeFile(request));
  }

  /** A server that fails in the middle of a file may say so early: the client sends the rest of it all the same. */
  protected override finish(): true {
    if (this.#file === undefined) return super.finish();
    void this.#file.then(() => super.finish());
    return true;
  }
}

/** Changes a control packet on its way to the client; returns what goes out instead. */
export type PacketEdit = (kind: ReplyPacket, payload: Buffer) => Buffer;

/** Relays a reply packet by packet, so that some can be changed. Slower than {@link RelayedReply}. */
export class EditedReply extends TrackedReply {
  readonly #client: ClientConnection;
  readonly #edit: PacketEdit;
  readonly #splitter: PacketSplitter;
  #sequence: number;
  #full = false;

  constructor(
    tracker: ReplyTracker,
    client: ClientConnection,
    options: { readonly edit: PacketEdit; readonly payloadBytesMax: number; readonly sequence: number },
  ) {
    super(tracker);
    this.#client = client;
    this.#edit = options.edit;
    this.#sequence = options.sequence;
    this.#splitter = new PacketSplitter(options.payloadBytesMax);
  }

  override get drained(): Promise<void> | undefined {
    return this.#full ? this.#client.drained() : undefined;
  }

  take(chunk: Buffer): boolean {
    this.#splitter.push(chunk, (payload) => {
      let edited = payload;
      if (wantsWhole(this.tracker, payload)) {
        const kind = this.tracker.take(payload);
        this.note(kind, payload);
        edited = this.#edit(kind, payload);
      }
      this.#full = !this.#client.write(frame(edited, this.#sequence)) || this.#full;
      this.#sequence = (this.#sequence + packetCount(edited.length)) & 0xff;
    });
    return this.tracker.complete && this.finish();
  }
}

/** Collects the rows of a reply to a statement of our own; they are few and short. */
export class OwnReply extends TrackedReply {
  readonly rows: (string | null)[][] = [];
  readonly #splitter: PacketSplitter;

  constructor(tracker: ReplyTracker, payloadBytesMax: number) {
    super(tracker);
    this.#splitter = new PacketSplitter(payloadBytesMax);
  }

  get prepared(): PreparedFacts | undefined {
    return this.tracker.prepared;
  }

  take(chunk: Buffer): boolean {
    this.#splitter.push(chunk, (payload) => {
      const inRows = this.tracker.inRows;
      if (wantsWhole(this.tracker, payload)) this.note(this.tracker.take(payload), payload);
      else if (inRows) this.rows.push(readRow(payload, this.tracker.columns));
    });
    return this.tracker.complete && this.finish();
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
