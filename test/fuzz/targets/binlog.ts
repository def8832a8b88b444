import { readFileSync } from "node:fs";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { BinlogDecoder } from "../../../src/binlog/binlog-decoder.ts";
import type { BinlogEvent, PayloadEvent, RowsEvent } from "../../../src/binlog/binlog-event.ts";
import { COLUMN } from "../../../src/binlog/column-type.ts";
import { applyJsonDiffs, decodeJsonDiffs } from "../../../src/binlog/json-diff.ts";
import { jsonText, readJson } from "../../../src/binlog/json-value.ts";
import { decodeQueryStatus } from "../../../src/binlog/query-status.ts";
import { differencesStart, type RowImage, RowWalker } from "../../../src/binlog/row-walker.ts";
import { decodeTableMetadata } from "../../../src/binlog/table-metadata.ts";
import { TransactionReader } from "../../../src/binlog/transaction-reader.ts";
import { hasValueText, valueText } from "../../../src/binlog/value-text.ts";
import { eventsOfFile, formatDescription, frameEvent, payloadBody } from "../../support/binlog-bytes.ts";
import type { FuzzTarget } from "../fuzz-target.ts";
import { expectThat } from "../promise.ts";

/**
 * An input is a list of records: how (1 byte), type of the event (1), flags of its header (2), length of its body (2),
 * body. The frames of the events and their checksums are made when it is run, so that changes of an input get past
 * the checks of these and into the bodies.
 */
const HOW = {
  /** An event with a header and a checksum that fit. */
  FRAMED: 0,
  /** The same inside of a compressed transaction; neighbours are in the same one. */
  PACKED: 1,
  /** The body is all bytes of the packet. */
  RAW: 2,
} as const;
const HOW_COUNT = 3;
const RECORD_BYTES = 6;
const EVENT_HEADER_BYTES = 19;
const CHECKSUM_BYTES = 4;

const GOLDEN = join(import.meta.dirname, "../../golden/binlog");
const LOGS = ["types-full", "types-minimal", "json-partial", "json-partial-minimal", "shapes"];
const EVENT_BYTES_MAX = 3000;
const GTIDS: ReadonlySet<number> = new Set([33, 42]);
const PAYLOAD = 40;

export const target: FuzzTarget = {
  errors: [
    "BINLOG_MALFORMED",
    "BINLOG_CHECKSUM_WRONG",
    "BINLOG_EVENT_UNKNOWN",
    "BINLOG_EVENT_REFUSED",
    "BINLOG_SOURCE_INCIDENT",
    "BINLOG_COLUMN_UNKNOWN",
    "BINLOG_TABLE_MAP_MISSING",
    "BINLOG_PAYLOAD_TOO_LARGE",
    "BINLOG_TRANSACTION_SHAPE",
    "GTID_SET_INVALID",
  ],
  // Types of columns with their metadata, heads of JSON containers, and words of the server.
  dictionary: [
    Buffer.from([245, 4]),
    Buffer.from([252, 4]),
    Buffer.from([246, 65, 30]),
    Buffer.from([254, 0xf7, 8]),
    Buffer.from([2, 2, 0, 10, 0, 2, 0, 0, 2, 0, 0]),
    Buffer.from([1, 1, 0, 0, 0, 20, 0, 0, 0]),
    Buffer.from([0x0f, 246, 4, 2, 1, 0x80, 1]),
    ...["BEGIN", "COMMIT", "XA START X'78'", "ROLLBACK TO `s`", "$.a[last]", '$."q"'].map((text) => Buffer.from(text)),
  ],
  corpus: () => LOGS.flatMap((name) => transactionsOf(readFileSync(join(GOLDEN, `${name}.binlog`)))),
  run: readAll,
};

/** The transactions of a log as inputs, each as it was and once more packed. Large events are left out. */
function transactionsOf(log: Buffer): Buffer[] {
  const transactions: Buffer[][] = [];
  for (const packet of eventsOfFile(log).slice(1)) {
    const type = packet[4] as number;
    if (GTIDS.has(type) || transactions.length === 0) transactions.push([]);
    if (packet.length < EVENT_BYTES_MAX) transactions.at(-1)?.push(packet);
  }
  const isInside = (packet: Buffer): boolean => !GTIDS.has(packet[4] ?? 0) && packet[4] !== PAYLOAD;
  return transactions.flatMap((packets) => [
    Buffer.concat(packets.map((packet) => record(HOW.FRAMED, packet))),
    Buffer.concat(packets.map((packet) => record(isInside(packet) ? HOW.PACKED : HOW.FRAMED, packet))),
  ]);
}

function record(how: number, packet: Buffer): Buffer {
  const body = packet.subarray(EVENT_HEADER_BYTES, packet.length - CHECKSUM_BYTES);
  const head = Buffer.from([
    how,
    packet[4] ?? 0,
    packet[17] ?? 0,
    packet[18] ?? 0,
    body.length & 255,
    body.length >> 8,
  ]);
  return Buffer.concat([head, body]);
}

/** The packets that an input stands for. */
function* packetsOf(input: Buffer): Generator<Buffer> {
  let packed: Buffer[] = [];
  const flush = function* (): Generator<Buffer> {
    if (packed.length === 0) return;
    const inner = Buffer.concat(packed);
    packed = [];
    const bytes = zstdCompressSync(inner, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    yield frameEvent(PAYLOAD, payloadBody(bytes, inner.length));
  };
  for (let at = 0; at + RECORD_BYTES <= input.length; ) {
    const length = Math.min(input.readUInt16LE(at + 4), input.length - at - RECORD_BYTES);
    const body = input.subarray(at + RECORD_BYTES, at + RECORD_BYTES + length);
    const how = (input[at] as number) % HOW_COUNT;
    const type = input[at + 1] as number;
    const flags = input.readUInt16LE(at + 2);
    at += RECORD_BYTES + length;
    if (how === HOW.PACKED) {
      packed.push(frameEvent(type, body, { flags, checksum: false }));
      continue;
    }
    yield* flush();
    yield how === HOW.RAW ? body : frameEvent(type, body, { flags });
  }
  yield* flush();
}

async function readAll(input: Buffer): Promise<void> {
  const decoder = new BinlogDecoder({ payloadBytesMax: 4 * 1024 * 1024 });
  const reader = new TransactionReader();
  decoder.decode(formatDescription());
  for (const packet of packetsOf(input)) {
    const event = decoder.decode(packet);
    for (const inner of event.kind === "payload" ? await unpacked(event) : [event]) {
      readEvent(inner);
      // What has no place in a transaction is met again and again: here the bodies are of interest.
      if (reader.isBetween || inner.kind !== "gtid") for (const _ of reader.push(inner));
    }
  }
}

/** The inner events, which must be the same in one piece and as a stream. */
async function unpacked(payload: PayloadEvent): Promise<BinlogEvent[]> {
  const streamed: BinlogEvent[] = [];
  for await (const event of payload.stream()) streamed.push(event);
  const kinds = [...payload.events()].map((event) => event.kind);
  expectThat(kinds.join() === streamed.map((event) => event.kind).join(), "a stream unpacks to other events");
  return streamed;
}

function readEvent(event: BinlogEvent): void {
  if (event.kind === "query") decodeQueryStatus(event.status);
  else if (event.kind === "table-map") decodeTableMetadata(event.table.columns, event.table.metadata);
  else if (event.kind === "rows") readRows(event);
}

function readRows(event: RowsEvent): void {
  const walker = new RowWalker(event);
  while (walker.next()) {
    if (event.operation !== "write") readImage(event, walker.before);
    if (event.operation === "delete") continue;
    readImage(event, walker.after);
    if (event.partialJson) readDifferences(event, walker);
  }
}

function readImage(event: RowsEvent, image: RowImage): void {
  for (const [i, column] of event.table.columns.entries()) {
    const start = image.starts[i] as number;
    const end = image.ends[i] as number;
    if (start < 0) continue;
    expectThat(start <= end && end <= image.buffer.length, "a value lies outside of its event");
    if (hasValueText(column)) valueText(column, event.table.unsigned?.[i] ?? false, image.buffer, start);
    if (column.type === COLUMN.JSON) {
      const text = jsonText(readJson(image.buffer, start, end));
      expectThat(text.length <= 12 * (end - start) + 64, "JSON is far longer as text than its bytes can tell");
    }
  }
}

function readDifferences(event: RowsEvent, { before, after }: RowWalker): void {
  for (const i of event.table.columns.keys()) {
    const start = differencesStart(after, i);
    if (start === undefined) continue;
    const diffs = decodeJsonDiffs(after.buffer, start, after.ends[i] as number);
    const old = before.starts[i] as number;
    if (old >= 0) jsonText(applyJsonDiffs(readJson(before.buffer, old, before.ends[i] as number), diffs));
  }
}
