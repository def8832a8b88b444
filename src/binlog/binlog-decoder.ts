import { SwitchyardError } from "../base/errors.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { BinlogEvent, EventHeader, PayloadEvent } from "./binlog-event.ts";
import {
  CHECKSUM_BYTES,
  hasChecksum,
  incident,
  readHeader,
  refusedEvent,
  unknownEvent,
  verifyChecksum,
  withPlace,
} from "./event-checks.ts";
import { EventReader, malformed } from "./event-reader.ts";
import { EVENT, EVENT_FLAG, EVENT_HEADER_BYTES, FOREIGN_EVENTS } from "./event-types.ts";
import { decodeAnonymousGtidEvent, decodeGtidEvent, decodeTaggedGtidEvent } from "./gtid-event.ts";
import { LogPlace } from "./log-place.ts";
import { decodeQueryEvent } from "./query-event.ts";
import { decodeRowsEvent, ROWS_KINDS, type RowsKind } from "./rows-event.ts";
import { decodeHeartbeatV2, decodeXaPrepare } from "./small-events.ts";
import { TableMaps } from "./table-maps.ts";
import { readPayload, streamPayload, unpackPayload } from "./transaction-payload.ts";

export interface BinlogDecoderLimits {
  /** Largest compressed transaction that is unpacked all at once; unpacked as a stream it may be of any size. */
  readonly payloadBytesMax: number;
}

const CHECKSUM_CRC32 = 1;
const DEFAULT_LIMITS: BinlogDecoderLimits = { payloadBytesMax: 256 * 1024 * 1024 };

/**
 * Decodes the events of one dump, in the order in which they came. One decoder per dump: it remembers the format
 * and the table maps of the running transaction.
 *
 * Checksums are verified wherever the log has them. An event of a type that is not known stops the stream, unless
 * the server marked it as ignorable. Row values are not decoded and not copied: a rows event shares memory with
 * the packet it came in.
 */
export class BinlogDecoder {
  readonly #limits: BinlogDecoderLimits;
  readonly #tables = new TableMaps();
  readonly #place = new LogPlace();
  #checksums: boolean | undefined;

  constructor(limits: Partial<BinlogDecoderLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** The end of the last event that was decoded. For messages: streams resume by GTID. */
  get place(): { readonly file: string; readonly position: number } {
    return { file: this.#place.file, position: this.#place.position };
  }

  /**
   * Decodes one event with its header, as it is in the log.
   *
   * @throws {SwitchyardError} `BINLOG_CHECKSUM_WRONG`, `BINLOG_MALFORMED`, `BINLOG_EVENT_UNKNOWN`,
   *   `BINLOG_EVENT_REFUSED`, `BINLOG_SOURCE_INCIDENT`, `BINLOG_COLUMN_UNKNOWN`, `BINLOG_TABLE_MAP_MISSING`,
   *   `BINLOG_TABLE_MAPS_TOO_LARGE`, `GTID_SET_INVALID`
   */
  decode(packet: Buffer): BinlogEvent {
    try {
      const header = readHeader(packet);
      const event = this.#outer(header, packet);
      this.#pass(header, event);
      return event;
    } catch (error) {
      throw error instanceof SwitchyardError ? withPlace(error, this.#place.toString()) : error;
    }
  }

  #outer(header: EventHeader, packet: Buffer): BinlogEvent {
    if (header.type === EVENT.FORMAT_DESCRIPTION) return this.#formatDescription(packet);
    if (this.#checksums === undefined) {
      // Only the made-up rotation comes before the format is known, with or without a checksum.
      if (header.type !== EVENT.ROTATE) throw malformed(`an event of type ${header.type} came before the log's format`);
      const end = hasChecksum(packet) ? packet.length - CHECKSUM_BYTES : packet.length;
      return rotate(new EventReader(packet, EVENT_HEADER_BYTES, end));
    }
    return this.#body(header, packet, this.#checksums ? verifyChecksum(packet) : packet.length);
  }

  #pass(header: EventHeader, event: BinlogEvent): void {
    if (event.kind === "rotate") this.#place.set(event.file, event.position);
    else if (header.type === EVENT.HEARTBEAT_V2 && event.kind === "heartbeat") {
      this.#place.set(event.file, event.position);
    } else if ((header.flags & EVENT_FLAG.ARTIFICIAL) === 0) this.#place.pass(header);
  }

  #body(header: EventHeader, packet: Buffer, end: number): BinlogEvent {
    const reader = new EventReader(packet, EVENT_HEADER_BYTES, end);
    const rows = ROWS_KINDS[header.type];
    if (rows !== undefined) return this.#rows(reader, rows, header.type);
    switch (header.type) {
      case EVENT.GTID:
        this.#tables.endTransaction();
        return decodeGtidEvent(reader);
      case EVENT.GTID_TAGGED:
        this.#tables.endTransaction();
        return decodeTaggedGtidEvent(reader);
      case EVENT.ANONYMOUS_GTID:
        this.#tables.endTransaction();
        return decodeAnonymousGtidEvent(reader);
      case EVENT.QUERY:
        return decodeQueryEvent(reader, header);
      case EVENT.TABLE_MAP:
        return { kind: "table-map", table: this.#tables.take(reader) };
      case EVENT.XID:
        return { kind: "xid", xid: packet.readBigUInt64LE(reader.skip(8)) };
      case EVENT.XA_PREPARE:
        return decodeXaPrepare(reader);
      case EVENT.TRANSACTION_PAYLOAD:
        return this.#payload(reader);
      case EVENT.ROTATE:
        return rotate(reader);
      case EVENT.PREVIOUS_GTIDS:
        return { kind: "previous-gtids", set: GtidSet.decodeBinary(reader.rest()) };
      case EVENT.HEARTBEAT:
        return { kind: "heartbeat", file: reader.text(reader.left), position: header.logPosition };
      case EVENT.HEARTBEAT_V2:
        return decodeHeartbeatV2(reader);
      default:
        return otherEvent(header, reader);
    }
  }

  #rows(reader: EventReader, kind: RowsKind, type: number): BinlogEvent {
    return decodeRowsEvent(reader, kind, this.#tables.running) ?? { kind: "skipped", type };
  }

  #payload(reader: EventReader): PayloadEvent {
    const packed = readPayload(reader);
    const decodeInner = (packet: Buffer): BinlogEvent => {
      const header = readHeader(packet);
      // A payload inside of another could unpack to itself, without end.
      if (header.type === EVENT.TRANSACTION_PAYLOAD) throw malformed("a compressed transaction inside of another");
      return this.#body(header, packet, packet.length);
    };
    const { payloadBytesMax } = this.#limits;
    return {
      kind: "payload",
      compression: packed.compression,
      uncompressedBytes: packed.uncompressedBytes,
      compressedBytes: packed.bytes.length,
      *events() {
        for (const packet of unpackPayload(packed, payloadBytesMax)) yield decodeInner(packet);
      },
      async *stream() {
        for await (const packet of streamPayload(packed)) yield decodeInner(packet);
      },
    };
  }

  #formatDescription(packet: Buffer): BinlogEvent {
    const reader = new EventReader(packet, EVENT_HEADER_BYTES);
    const version = reader.u16();
    const serverVersion = reader.text(50).replace(/\0.*$/s, "");
    reader.skip(4);
    const headerBytes = reader.u8();
    if (version !== 4 || headerBytes !== EVENT_HEADER_BYTES || reader.left < CHECKSUM_BYTES + 1) {
      throw malformed(`log format ${version} with headers of ${headerBytes} bytes`);
    }
    const algorithm = packet[packet.length - CHECKSUM_BYTES - 1];
    if (algorithm === CHECKSUM_CRC32) verifyChecksum(packet);
    else if (algorithm !== 0) throw malformed(`checksums of kind ${algorithm}`);
    this.#checksums = algorithm === CHECKSUM_CRC32;
    this.#tables.forget();
    return { kind: "format-description", serverVersion, checksums: this.#checksums };
  }
}

function rotate(reader: EventReader): BinlogEvent {
  const position = reader.u64();
  return { kind: "rotate", file: reader.text(reader.left), position };
}

/** Events that carry no data for us, those that we refuse, and the unknown. */
function otherEvent(header: EventHeader, reader: EventReader): BinlogEvent {
  switch (header.type) {
    case EVENT.ROWS_QUERY:
      // Its length byte holds the length modulo 256: the text goes to the end.
      reader.skip(1);
      return { kind: "rows-query", sql: reader.text(reader.left) };
    case EVENT.STOP:
    case EVENT.IGNORABLE:
    case EVENT.TRANSACTION_CONTEXT:
    case EVENT.VIEW_CHANGE:
      return { kind: "skipped", type: header.type };
    case EVENT.INTVAR:
    case EVENT.RAND:
    case EVENT.USER_VAR:
    case EVENT.APPEND_BLOCK:
    case EVENT.DELETE_FILE:
    case EVENT.BEGIN_LOAD_QUERY:
    case EVENT.EXECUTE_LOAD_QUERY:
      return { kind: "statement-context", type: header.type };
    case EVENT.INCIDENT:
      throw incident(reader);
    case EVENT.FORMAT_DESCRIPTION:
      throw refusedEvent("a second format inside of a transaction", "Check the log with mysqlbinlog.");
    default:
      if ((header.flags & EVENT_FLAG.IGNORABLE) !== 0 && FOREIGN_EVENTS[header.type] === undefined) {
        return { kind: "skipped", type: header.type };
      }
      throw unknownEvent(header.type);
  }
}
