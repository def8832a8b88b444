import { crc32 } from "node:zlib";
import { SwitchyardError } from "../base/errors.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { BinlogEvent, EventHeader, RowOperation } from "./binlog-event.ts";
import { EventReader, malformed } from "./event-reader.ts";
import { EVENT, EVENT_FLAG, EVENT_HEADER_BYTES } from "./event-types.ts";
import { decodeGtidEvent, decodeTaggedGtidEvent } from "./gtid-event.ts";
import { decodeQueryEvent } from "./query-event.ts";
import { decodeRowsEvent } from "./rows-event.ts";
import { decodeTableMap, type TableMap } from "./table-map.ts";
import { splitEvents, unpackPayload } from "./transaction-payload.ts";

export interface BinlogDecoderLimits {
  /** Largest compressed transaction that is unpacked. */
  readonly payloadBytesMax: number;
}

const CHECKSUM_BYTES = 4;
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
  /** Table maps of the running transaction, by table number. */
  readonly #tables = new Map<number, TableMap>();
  /** The last map of each table with its bytes: servers send the same one with every statement. */
  readonly #known = new Map<string, { readonly bytes: Buffer; readonly table: TableMap }>();
  #checksums: boolean | undefined;

  constructor(limits: Partial<BinlogDecoderLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /**
   * Decodes one event with its header, as it is in the log.
   *
   * @throws {SwitchyardError} `BINLOG_CHECKSUM_WRONG`, `BINLOG_MALFORMED`, `BINLOG_EVENT_UNKNOWN`,
   *   `BINLOG_EVENT_REFUSED`, `BINLOG_SOURCE_INCIDENT`, `BINLOG_COLUMN_UNKNOWN`, `BINLOG_TABLE_MAP_MISSING`
   */
  decode(packet: Buffer): BinlogEvent {
    const header = readHeader(packet);
    if (header.type === EVENT.FORMAT_DESCRIPTION) return this.#formatDescription(packet);
    if (this.#checksums === undefined) {
      // Only the made-up rotation comes before the format is known; nothing in it is needed.
      if (header.type === EVENT.ROTATE) return { kind: "rotate", file: "" };
      throw malformed(`an event of type ${header.type} came before the log's format`);
    }
    if (!this.#checksums) return this.#body(header, packet, packet.length);
    return this.#body(header, packet, verifyChecksum(packet));
  }

  #body(header: EventHeader, packet: Buffer, end: number): BinlogEvent {
    const reader = new EventReader(packet, EVENT_HEADER_BYTES, end);
    switch (header.type) {
      case EVENT.GTID:
        this.#tables.clear();
        return decodeGtidEvent(reader);
      case EVENT.GTID_TAGGED:
        this.#tables.clear();
        return decodeTaggedGtidEvent(reader);
      case EVENT.QUERY:
        return decodeQueryEvent(reader);
      case EVENT.TABLE_MAP:
        return { kind: "table-map", table: this.#tableMap(reader) };
      case EVENT.WRITE_ROWS:
        return this.#rows(reader, "write");
      case EVENT.UPDATE_ROWS:
        return this.#rows(reader, "update");
      case EVENT.DELETE_ROWS:
        return this.#rows(reader, "delete");
      case EVENT.XID:
        return { kind: "xid" };
      case EVENT.XA_PREPARE:
        return { kind: "xa-prepare", onePhase: reader.u8() !== 0 };
      case EVENT.TRANSACTION_PAYLOAD:
        return this.#payload(unpackPayload(reader, this.#limits.payloadBytesMax));
      case EVENT.ROTATE:
        reader.skip(8);
        return { kind: "rotate", file: reader.text(reader.left) };
      case EVENT.PREVIOUS_GTIDS:
        return { kind: "previous-gtids", set: GtidSet.decodeBinary(reader.rest()) };
      case EVENT.HEARTBEAT:
      case EVENT.HEARTBEAT_V2:
        return { kind: "heartbeat" };
      default:
        return otherEvent(header, reader);
    }
  }

  #rows(reader: EventReader, operation: RowOperation): BinlogEvent {
    return decodeRowsEvent(reader, operation, this.#tables) ?? { kind: "skipped", type: EVENT.WRITE_ROWS };
  }

  #tableMap(reader: EventReader): TableMap {
    const bytes = reader.buffer.subarray(reader.offset, reader.end);
    const key = bytes.length < 6 ? "" : bytes.toString("latin1", 0, 6);
    const known = this.#known.get(key);
    if (known?.bytes.equals(bytes)) {
      this.#tables.set(known.table.tableId, known.table);
      return known.table;
    }
    const table = decodeTableMap(reader);
    if (this.#known.size >= 10_000) this.#known.clear();
    this.#known.set(key, { bytes: Buffer.from(bytes), table });
    this.#tables.set(table.tableId, table);
    return table;
  }

  #payload(bytes: Buffer): BinlogEvent {
    const decodeInner = (packet: Buffer): BinlogEvent => this.#body(readHeader(packet), packet, packet.length);
    return {
      kind: "payload",
      *events() {
        for (const packet of splitEvents(bytes)) yield decodeInner(packet);
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
    this.#tables.clear();
    this.#known.clear();
    return { kind: "format-description", serverVersion };
  }
}

function readHeader(packet: Buffer): EventHeader {
  if (packet.length < EVENT_HEADER_BYTES) throw malformed(`it is ${packet.length} bytes long`);
  const header = {
    timestamp: packet.readUInt32LE(0),
    type: packet.readUInt8(4),
    serverId: packet.readUInt32LE(5),
    size: packet.readUInt32LE(9),
    logPosition: packet.readUInt32LE(13),
    flags: packet.readUInt16LE(17),
  };
  if (header.size !== packet.length) throw malformed(`it says ${header.size} bytes and has ${packet.length}`);
  return header;
}

/** Where the event's body ends, its checksum left out. */
function verifyChecksum(packet: Buffer): number {
  const end = packet.length - CHECKSUM_BYTES;
  if (end < EVENT_HEADER_BYTES || crc32(packet.subarray(0, end)) !== packet.readUInt32LE(end)) {
    throw new SwitchyardError("BINLOG_CHECKSUM_WRONG", {
      what: `an event of ${packet.length} bytes does not match its checksum`,
      changed: "The stream stopped before this event; nothing of its transaction was kept.",
      fix: "Check the source's disk and network, and its log with mysqlbinlog --verify-binlog-checksum.",
    });
  }
  return end;
}

/** Events that carry no data for us, those that we refuse, and the unknown. */
function otherEvent(header: EventHeader, reader: EventReader): BinlogEvent {
  switch (header.type) {
    case EVENT.STOP:
    case EVENT.ROWS_QUERY:
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
      throw new SwitchyardError("BINLOG_SOURCE_INCIDENT", {
        what: "the source wrote an incident into its binary log: some of its changes may be missing there",
        details: [`its words: ${reader.buffer.toString("latin1", reader.offset + 3, reader.end).slice(0, 200)}`],
        changed: "The stream stopped before it.",
        fix: "Copy the tables again with a new migration; what is missing cannot be known.",
      });
    case EVENT.PARTIAL_UPDATE_ROWS:
      throw refused("partial JSON updates (binlog_row_value_options=PARTIAL_JSON)", "Set binlog_row_value_options=''.");
    case EVENT.ANONYMOUS_GTID:
      throw refused("a transaction without GTID", "Set gtid_mode=ON.");
    default:
      if ((header.flags & EVENT_FLAG.IGNORABLE) !== 0) return { kind: "skipped", type: header.type };
      throw new SwitchyardError("BINLOG_EVENT_UNKNOWN", {
        what: `the source sent an event of type ${header.type}, which Switchyard does not know`,
        changed: "The stream stopped before it; nothing of its transaction was kept.",
      });
  }
}

function refused(what: string, fix: string): SwitchyardError {
  return new SwitchyardError("BINLOG_EVENT_REFUSED", {
    what: `the source's binary log has ${what}, which Switchyard cannot apply`,
    changed: "The stream stopped before it; nothing of its transaction was kept.",
    fix,
  });
}
