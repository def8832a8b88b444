import {
  AUTH,
  buildAuthMoreData,
  buildAuthSwitch,
  parseAuthMoreData,
  parseAuthSwitch,
} from "../../src/wire/auth-packets.ts";
import { buildBinaryRow, parseBinaryRow } from "../../src/wire/binary-row.ts";
import type { BinaryValue } from "../../src/wire/binary-value.ts";
import { CAP, COM, hasFlag, PACKET_PAYLOAD_MAX } from "../../src/wire/capabilities.ts";
import {
  buildColumnDefinition,
  type ColumnDefinition,
  parseColumnDefinition,
} from "../../src/wire/column-definition.ts";
import type { CompressionAlgorithm } from "../../src/wire/compression.ts";
import { EnvelopeReader } from "../../src/wire/envelope-reader.ts";
import { buildEof, parseEof } from "../../src/wire/eof-packet.ts";
import { buildErr, parseErr } from "../../src/wire/err-packet.ts";
import { buildGreeting, parseGreeting } from "../../src/wire/greeting.ts";
import {
  buildHandshakeResponse,
  buildTlsRequest,
  isTlsRequest,
  parseHandshakeResponse,
} from "../../src/wire/handshake-response.ts";
import { buildOk, parseOk } from "../../src/wire/ok-packet.ts";
import { PacketSplitter } from "../../src/wire/packet-splitter.ts";
import { buildPrepareOk, parsePrepareOk } from "../../src/wire/prepared-statement.ts";
import { ReplyTracker } from "../../src/wire/reply-tracker.ts";
import { buildSessionChange, parseSessionChange, type SessionChange } from "../../src/wire/session-track.ts";
import { buildTextRow, TextRow } from "../../src/wire/text-row.ts";
import { CommandReader } from "./wire-commands.ts";
import type { Spoken } from "./wire-recording.ts";

const PAYLOAD_BYTES_MAX = 1 << 27;
const ENVELOPE_BYTES_MAX = 0xffffff;

/**
 * Listens to a client and a server that are not ours, from the greeting on: reads every packet with our codec, writes
 * what it has read, and compares. {@link defects} are the packets that came out differently.
 */
export class WireConversation {
  readonly defects: string[] = [];
  /** How many packets of each kind have passed. */
  readonly seen = new Map<string, number>();
  readonly changes: SessionChange[] = [];
  readonly textRows: (string | null)[][] = [];
  readonly binaryRows: BinaryValue[][] = [];
  /** Columns of the last result set. */
  columns: ColumnDefinition[] = [];
  /** Columns of each result set. */
  readonly resultColumns: ColumnDefinition[][] = [];
  capabilities = 0;
  /** Both sides went on under TLS, where nothing can be read. */
  encrypted = false;
  readonly commands: CommandReader;
  readonly #fromClient = new PacketSplitter(PAYLOAD_BYTES_MAX);
  readonly #fromServer = new PacketSplitter(PAYLOAD_BYTES_MAX);
  #envelopes: { client: EnvelopeReader; server: EnvelopeReader } | undefined;
  #lastSpeaker: Spoken["from"] = "server";
  #phase: "greeting" | "response" | "authentication" | "commands" = "greeting";
  #serverCapabilities = 0;
  #tracker = new ReplyTracker(0);
  /** The client sends data that is no command: a file, or authentication within a change of user. */
  #clientOwes: "nothing" | "file" | "authentication" = "nothing";

  constructor() {
    this.commands = new CommandReader((kind, payload, rebuilt) => this.#compare(kind, payload, rebuilt));
  }

  /** Whether all that was owed has come. */
  get complete(): boolean {
    return this.#phase === "commands" && this.#tracker.complete && !this.#fromClient.inside && !this.#fromServer.inside;
  }

  hear({ from, bytes }: Spoken): void {
    if (this.encrypted) return;
    const envelopes = this.#envelopes;
    if (envelopes === undefined) this.#feed(from, bytes);
    else this.#unwrap(from, bytes, envelopes);
    this.#lastSpeaker = from;
  }

  /** Envelopes count on from one side to the other until the next command begins. */
  #unwrap(from: Spoken["from"], bytes: Buffer, envelopes: { client: EnvelopeReader; server: EnvelopeReader }): void {
    if (from === "server") {
      if (this.#lastSpeaker === "client") envelopes.server.restart(envelopes.client.sequence);
      envelopes.server.push(bytes, (piece) => this.#feed(from, piece));
      return;
    }
    if (this.complete && !envelopes.client.inside) envelopes.client.restart(0);
    else if (this.#lastSpeaker === "server") envelopes.client.restart(envelopes.server.sequence);
    envelopes.client.push(bytes, (piece) => {
      this.#count("client envelope");
      this.#feed(from, piece);
      if (this.complete) envelopes.client.restart(0);
    });
  }

  #feed(from: Spoken["from"], bytes: Buffer): void {
    const splitter = from === "client" ? this.#fromClient : this.#fromServer;
    splitter.push(bytes, (payload) => {
      if (from === "client") this.#clientPacket(payload);
      else this.#serverPacket(payload);
    });
  }

  #count(kind: string): void {
    this.seen.set(kind, (this.seen.get(kind) ?? 0) + 1);
  }

  #compare(kind: string, payload: Buffer, rebuilt: Buffer): void {
    this.#count(kind);
    if (rebuilt.equals(payload)) return;
    this.defects.push(`${kind}: ${payload.toString("hex", 0, 200)} comes out as ${rebuilt.toString("hex", 0, 200)}`);
  }

  #clientPacket(payload: Buffer): void {
    switch (this.#phase) {
      case "response":
        this.#response(payload);
        break;
      case "commands":
        if (this.#clientOwes === "nothing") {
          this.#tracker.start(payload[0] ?? -1);
          this.commands.read(payload, this.capabilities);
        } else if (this.#clientOwes === "authentication" || payload.length === 0) this.#clientOwes = "nothing";
        break;
      default:
        this.#count("authentication from the client");
    }
  }

  #response(payload: Buffer): void {
    if (isTlsRequest(payload)) {
      const rebuilt = buildTlsRequest(payload.readUInt32LE(0), payload.readUInt32LE(4), payload.readUInt8(8));
      this.#compare("TLS request", payload, rebuilt);
      this.encrypted = true;
      return;
    }
    const response = parseHandshakeResponse(payload);
    this.#compare("handshake response", payload, buildHandshakeResponse(response));
    this.capabilities = (response.capabilities & this.#serverCapabilities) >>> 0;
    this.#phase = "authentication";
  }

  #serverPacket(payload: Buffer): void {
    if (this.#phase === "greeting") {
      const greeting = parseGreeting(payload);
      this.#compare("greeting", payload, buildGreeting(greeting));
      this.#serverCapabilities = greeting.capabilities;
      this.#phase = "response";
    } else if (this.#phase === "commands") this.#reply(payload);
    else this.#authentication(payload);
  }

  #authentication(payload: Buffer): void {
    switch (payload[0]) {
      case AUTH.SWITCH:
        this.#compare("authentication switch", payload, buildAuthSwitch(parseAuthSwitch(payload)));
        break;
      case AUTH.MORE_DATA:
        this.#compare("authentication data", payload, buildAuthMoreData(parseAuthMoreData(payload)));
        break;
      case 0xff:
        this.#compare("ERR", payload, buildErr(parseErr(payload)));
        break;
      default:
        this.#ok("login OK", payload, 0x00);
        this.#beginCommands();
    }
  }

  #beginCommands(): void {
    this.#phase = "commands";
    this.#tracker = new ReplyTracker(this.capabilities);
    const zlib = hasFlag(this.capabilities, CAP.COMPRESS);
    if (!zlib && !hasFlag(this.capabilities, CAP.ZSTD)) return;
    const algorithm: CompressionAlgorithm = zlib ? "zlib" : "zstd";
    this.#envelopes = {
      client: new EnvelopeReader(algorithm, ENVELOPE_BYTES_MAX),
      server: new EnvelopeReader(algorithm, ENVELOPE_BYTES_MAX),
    };
  }

  #reply(payload: Buffer): void {
    const tracker = this.#tracker;
    const { inRows } = tracker;
    // The tracker counts packets of the wire; here payloads of several of them are already one.
    const length = payload.length === PACKET_PAYLOAD_MAX ? payload.length + 1 : payload.length;
    if (!tracker.wants(length, payload[0] ?? -1)) {
      if (inRows && this.commands.current !== COM.FIELD_LIST) this.#row(payload);
      else this.#definition(payload);
      return;
    }
    const event = tracker.take(payload);
    const deprecateEof = hasFlag(this.capabilities, CAP.DEPRECATE_EOF);
    if (event === "ok") this.#ok("OK", payload, 0x00);
    else if (event === "eof" && deprecateEof) this.#ok("end of rows", payload, 0xfe);
    else if (event === "eof") this.#compare("EOF", payload, buildEof(parseEof(payload)));
    else if (event === "error") this.#compare("ERR", payload, buildErr(parseErr(payload)));
    else if (event === "prepared") {
      const ok = parsePrepareOk(payload, this.capabilities);
      this.#compare("prepare OK", payload, buildPrepareOk(ok, this.capabilities));
      this.commands.prepared(ok);
    } else this.#count(event);
    if (event === "columns" || event === "prepared") this.columns = [];
    if (event === "columns") this.resultColumns.push(this.columns);
    if (event === "local-infile") this.#clientOwes = "file";
    if (event === "authentication") this.#clientOwes = "authentication";
  }

  #ok(kind: string, payload: Buffer, first: 0x00 | 0xfe): void {
    const ok = parseOk(payload, this.capabilities);
    const tracks = ok.tracks.map((track) => {
      const change = parseSessionChange(track);
      this.changes.push(change);
      this.#count(`session: ${change.kind}`);
      return buildSessionChange(change);
    });
    this.#compare(kind, payload, buildOk({ ...ok, tracks }, this.capabilities, first));
  }

  #definition(payload: Buffer): void {
    const column = parseColumnDefinition(payload);
    this.columns.push(column);
    // A field list has default values behind what a result set has.
    if (this.commands.current === COM.FIELD_LIST) this.#count("column definition of a field list");
    else this.#compare("column definition", payload, buildColumnDefinition(column));
  }

  #row(payload: Buffer): void {
    const binary = this.commands.current === COM.STMT_EXECUTE || this.commands.current === COM.STMT_FETCH;
    if (binary) {
      const values = parseBinaryRow(payload, this.columns);
      this.#compare("binary row", payload, buildBinaryRow(values, this.columns));
      this.binaryRows.push(values.map((value) => (Buffer.isBuffer(value) ? Buffer.from(value) : value)));
      return;
    }
    const row = new TextRow(this.columns.length).scan(payload);
    const fields = this.columns.map((_, index) => row.field(index));
    this.#compare("text row", payload, buildTextRow(fields));
    this.textRows.push(fields.map((field) => (field === null ? null : field.toString("latin1"))));
  }
}
