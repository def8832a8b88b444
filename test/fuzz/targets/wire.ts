import { readdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  buildAuthMoreData,
  buildAuthNextFactor,
  buildAuthSwitch,
  parseAuthMoreData,
  parseAuthNextFactor,
  parseAuthSwitch,
} from "../../../src/wire/auth-packets.ts";
import { buildBinaryRow, parseBinaryRow } from "../../../src/wire/binary-row.ts";
import { buildChangeUser, parseChangeUser } from "../../../src/wire/change-user.ts";
import { buildColumnDefinition, parseColumnDefinition } from "../../../src/wire/column-definition.ts";
import type { CompressionAlgorithm } from "../../../src/wire/compression.ts";
import { EnvelopeReader } from "../../../src/wire/envelope-reader.ts";
import { EnvelopeWriter } from "../../../src/wire/envelope-writer.ts";
import { buildEof, parseEof } from "../../../src/wire/eof-packet.ts";
import { buildErr, parseErr } from "../../../src/wire/err-packet.ts";
import { FIELD } from "../../../src/wire/field-type.ts";
import { buildGreeting, parseGreeting } from "../../../src/wire/greeting.ts";
import { buildHandshakeResponse, parseHandshakeResponse } from "../../../src/wire/handshake-response.ts";
import { buildOk, okStatus, parseOk } from "../../../src/wire/ok-packet.ts";
import { PacketNumbers } from "../../../src/wire/packet-numbers.ts";
import { PacketSplitter } from "../../../src/wire/packet-splitter.ts";
import { PacketWalker } from "../../../src/wire/packet-walker.ts";
import {
  buildExecute,
  buildFetch,
  buildLongData,
  buildPrepareOk,
  parseExecute,
  parseFetch,
  parseLongData,
  parsePrepareOk,
} from "../../../src/wire/prepared-statement.ts";
import { buildQuery, parseQuery, statementOffset } from "../../../src/wire/query-attributes.ts";
import { ReplyTracker } from "../../../src/wire/reply-tracker.ts";
import { buildSessionChange, parseSessionChange } from "../../../src/wire/session-track.ts";
import { buildTextRow, TextRow } from "../../../src/wire/text-row.ts";
import { readRecording } from "../../support/wire-recording.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { expectThat, readAgain } from "../promise.ts";

const ALL = 0xffffffff;
/** A packet or envelope beyond this is refused, so that an input cannot announce its way to much memory. */
const BYTES_MAX = 1 << 16;
const COLUMNS = Object.values(FIELD)
  .filter((type) => type !== FIELD.NULL)
  .map((type, index) => ({ type, flags: index % 2 === 0 ? 0 : 0x20 }));

interface Reader {
  readonly read: (payload: Buffer) => unknown;
  /** Writes what was read. */
  readonly write?: (value: never) => Buffer;
}

function packet<T>(read: (payload: Buffer) => T, write?: (value: T) => Buffer): Reader {
  return write === undefined ? { read } : { read, write: write as (value: never) => Buffer };
}

function textRow(payload: Buffer): (Buffer | null)[] {
  const columns = payload[0] ?? 0;
  const row = new TextRow(columns).scan(payload, 1);
  return Array.from({ length: columns }, (_, column) => row.field(column));
}

/** Every reader of one payload. The first byte of an input chooses, so their order is part of every saved input. */
const PACKETS: readonly Reader[] = [
  packet(parseGreeting, buildGreeting),
  packet(parseHandshakeResponse, buildHandshakeResponse),
  packet(
    (payload) => parseChangeUser(payload, ALL),
    (value) => buildChangeUser(value, ALL),
  ),
  packet(parseAuthSwitch, buildAuthSwitch),
  packet(parseAuthMoreData, buildAuthMoreData),
  packet(parseAuthNextFactor, buildAuthNextFactor),
  packet((payload) => {
    const ok = parseOk(payload, ALL);
    expectThat(okStatus(payload) === ok.status, "the status alone reads otherwise");
    const changes = ok.tracks.map(parseSessionChange);
    const again = changes.map((change) => readAgain(() => parseSessionChange(buildSessionChange(change))));
    expectThat(isDeepStrictEqual(again, changes), "a change of the session reads otherwise once it is written");
    return ok;
  }),
  packet(
    (payload) => parseOk(payload, 0),
    (ok) => buildOk(ok, 0),
  ),
  packet(parseErr, buildErr),
  packet(parseEof, buildEof),
  packet(parseColumnDefinition, buildColumnDefinition),
  packet(
    (payload) => {
      const query = parseQuery(payload, ALL);
      const at = statementOffset(payload, ALL);
      expectThat(payload.subarray(at).equals(query.text), "the statement begins elsewhere");
      return query;
    },
    (query) => buildQuery(query, ALL),
  ),
  packet(
    (payload) => parsePrepareOk(payload, ALL),
    (ok) => buildPrepareOk(ok, ALL),
  ),
  packet(
    (payload) => parseExecute(payload, ALL, { parameters: 3 }),
    (execute) => buildExecute(execute, ALL),
  ),
  packet(
    (payload) => parseExecute(payload, 0, { parameters: 2, longData: new Set([1]) }),
    (execute) => buildExecute(execute, 0),
  ),
  packet(parseLongData, buildLongData),
  packet(parseFetch, buildFetch),
  packet(textRow, (fields) => Buffer.concat([Buffer.from([fields.length]), buildTextRow(fields)])),
  packet(
    (payload) => parseBinaryRow(payload, COLUMNS),
    (values) => buildBinaryRow(values, COLUMNS),
  ),
];

/** How the bytes of a stream are read, chosen by the first byte above those of {@link PACKETS}. */
const STREAMS: readonly ((bytes: Buffer, pieceBytes: number) => void)[] = [
  splitAndWalk,
  (bytes, pieceBytes) => unwrap("zlib", bytes, pieceBytes),
  (bytes, pieceBytes) => unwrap("zstd", bytes, pieceBytes),
];

export const target: FuzzTarget = {
  errors: ["WIRE_MALFORMED", "WIRE_PACKET_TOO_LARGE", "WIRE_UNEXPECTED_PACKET"],
  dictionary: [
    ...["caching_sha2_password", "mysql_native_password", "utf8mb4", "def", "#42000"].map((text) => Buffer.from(text)),
    Buffer.from([0xfb]),
    Buffer.from([0xfc, 0xff, 0xff]),
    Buffer.from([0xfd, 0xff, 0xff, 0xff]),
    Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0xff, 0xff, 0xff, 0x00]),
    Buffer.from([0x00, 0x00, 0x00, 0x00]),
  ],
  corpus,
  run(input) {
    const choice = input[0] ?? 0;
    const body = input.subarray(1);
    const reader = PACKETS[choice];
    if (reader !== undefined) readPacket(reader, body);
    else STREAMS[choice % STREAMS.length]?.(body.subarray(1), 1 + (body[0] ?? 0));
  },
};

function readPacket({ read, write }: Reader, payload: Buffer): void {
  const value = read(payload);
  if (write === undefined) return;
  // What is left out may be written as the default that it means, but what we write must mean what we have read.
  const written = write(value as never);
  const again = readAgain(() => write(read(written) as never));
  expectThat(written.equals(again), "what it writes reads as something else");
}

/** A splitter and a walker must see the same packets, and a reply tracker must take any of them. */
function splitAndWalk(bytes: Buffer, pieceBytes: number): void {
  const splitter = new PacketSplitter(BYTES_MAX);
  const whole: number[] = [];
  splitter.feed(bytes);
  for (let payload = splitter.next(); payload !== undefined; payload = splitter.next()) whole.push(payload.length);
  const numbers = new PacketNumbers();
  numbers.next = 0;
  let ended = 0;
  const walker = new PacketWalker(BYTES_MAX);
  const tracker = new ReplyTracker(ALL);
  const walked: number[] = [];
  const visitor = {
    head: (length: number, _sequence: number, firstByte: number): boolean => {
      if (tracker.complete) tracker.start(firstByte & 0x1f);
      return tracker.wants(length, firstByte);
    },
    payload: (payload: Buffer): boolean => {
      tracker.take(payload);
      return false;
    },
  };
  const cut = new PacketSplitter(BYTES_MAX);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    cut.feed(piece);
    for (let payload = cut.next(); payload !== undefined; payload = cut.next()) walked.push(payload.length);
    ended += numbers.pass(Buffer.from(piece));
  }
  expectThat(isDeepStrictEqual(walked, whole), "pieces of another size give other packets");
  expectThat(ended === whole.length, "the numbering sees other packets");
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    walker.walk(piece, 0, piece.length, visitor);
  }
}

function unwrap(algorithm: CompressionAlgorithm, bytes: Buffer, pieceBytes: number): void {
  const reader = new EnvelopeReader(algorithm, BYTES_MAX);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    reader.push(bytes.subarray(at, at + pieceBytes), (piece) => {
      expectThat(piece.length <= BYTES_MAX, "an envelope holds more than is allowed");
    });
  }
}

const GOLDEN = join(import.meta.dirname, "../../golden/wire");
const RECORDED_PACKETS_EACH = 8;
const PACKET_BYTES_MAX = 2000;

/** Recorded packets under every reader that takes them, and what our own writers make of each. */
function corpus(): Buffer[] {
  const files = readdirSync(GOLDEN).filter((file) => file.endsWith(".txt") && !/zlib|zstd|tls/.test(file));
  const payloads = files.flatMap((file) => payloadsOf(join(GOLDEN, file)));
  const inputs = PACKETS.flatMap((reader, choice) => {
    const taken = payloads.filter((payload) => isTaken(reader, payload)).slice(0, RECORDED_PACKETS_EACH);
    return taken.map((payload) => Buffer.concat([Buffer.from([choice]), payload]));
  });
  const row = buildTextRow(["1", null, "three"]);
  const stream = Buffer.concat(payloads.slice(0, 40).map(framed));
  const envelope = (algorithm: CompressionAlgorithm): Buffer => {
    const writer = new EnvelopeWriter(algorithm);
    return Buffer.concat([writer.write(stream.subarray(0, 900)), writer.write(stream.subarray(900))]);
  };
  const streams = [stream, envelope("zlib"), envelope("zstd")];
  return [
    ...inputs,
    Buffer.concat([Buffer.from([PACKETS.findIndex(({ read }) => read === textRow), 3]), row]),
    ...streams.flatMap((bytes, index) =>
      [1, 100, 254].map((piece) => Buffer.concat([Buffer.from([streamChoice(index), piece]), bytes])),
    ),
  ];
}

/** The smallest first byte that chooses a stream. */
function streamChoice(index: number): number {
  let choice = PACKETS.length;
  while (choice % STREAMS.length !== index) choice++;
  return choice;
}

function payloadsOf(file: string): Buffer[] {
  const sides = { client: new PacketSplitter(1 << 20), server: new PacketSplitter(1 << 20) };
  const payloads: Buffer[] = [];
  for (const { from, bytes } of readRecording(file).spoken) {
    sides[from].feed(bytes);
    for (let payload = sides[from].next(); payload !== undefined; payload = sides[from].next()) {
      if (payload.length < PACKET_BYTES_MAX) payloads.push(payload);
    }
  }
  return payloads;
}

function isTaken({ read }: Reader, payload: Buffer): boolean {
  try {
    read(payload);
    return true;
  } catch {
    return false;
  }
}

function framed(payload: Buffer, index: number): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(payload.length, 0, 3);
  header[3] = index & 0xff;
  return Buffer.concat([header, payload]);
}
