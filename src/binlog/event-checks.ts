import { crc32 } from "node:zlib";
import { SwitchyardError } from "../base/errors.ts";
import type { EventHeader } from "./binlog-event.ts";
import { type EventReader, malformed } from "./event-reader.ts";
import { EVENT_HEADER_BYTES, FOREIGN_EVENTS } from "./event-types.ts";

export const CHECKSUM_BYTES = 4;

/** Reads the header of an event. @throws {SwitchyardError} `BINLOG_MALFORMED` when it is not as long as it says */
export function readHeader(packet: Buffer): EventHeader {
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

/** Whether the last four bytes are the checksum of those before them. */
export function hasChecksum(packet: Buffer): boolean {
  const end = packet.length - CHECKSUM_BYTES;
  return end >= EVENT_HEADER_BYTES && crc32(packet.subarray(0, end)) === packet.readUInt32LE(end);
}

/** Where the event's body ends, its checksum left out. @throws {SwitchyardError} `BINLOG_CHECKSUM_WRONG` */
export function verifyChecksum(packet: Buffer): number {
  if (hasChecksum(packet)) return packet.length - CHECKSUM_BYTES;
  throw new SwitchyardError("BINLOG_CHECKSUM_WRONG", {
    what: `an event of ${packet.length} bytes does not match its checksum`,
    changed: "The stream stopped before this event; nothing of its transaction was kept.",
    fix: "Check the source's disk and network, and its log with mysqlbinlog --verify-binlog-checksum.",
  });
}

/** The source says itself that its log is not whole. */
export function incident(reader: EventReader): SwitchyardError {
  const number = reader.u16();
  const words = reader.text(Math.min(reader.u8(), reader.left));
  return new SwitchyardError("BINLOG_SOURCE_INCIDENT", {
    what: "the source wrote an incident into its binary log: some of its changes may be missing there",
    details: [`its words: ${words.slice(0, 200)} (incident ${number})`],
    changed: "The stream stopped before it.",
    fix: "Copy the tables again with a new migration; what is missing cannot be known.",
  });
}

/** An event that is not among those that a supported source writes, and that the source does not call ignorable. */
export function unknownEvent(type: number): SwitchyardError {
  const name = FOREIGN_EVENTS[type];
  if (name !== undefined) {
    return refusedEvent(`an event ${name}`, "Only MySQL 5.7 and newer can be a source.");
  }
  return new SwitchyardError("BINLOG_EVENT_UNKNOWN", {
    what: `the source sent an event of type ${type}, which Switchyard does not know`,
    changed: "The stream stopped before it; nothing of its transaction was kept.",
  });
}

export function refusedEvent(what: string, fix: string): SwitchyardError {
  return new SwitchyardError("BINLOG_EVENT_REFUSED", {
    what: `the source's binary log has ${what}, which Switchyard cannot apply`,
    changed: "The stream stopped before it; nothing of its transaction was kept.",
    fix,
  });
}

/** The same error, with the place in the log where it arose. */
export function withPlace(error: SwitchyardError, place: string): SwitchyardError {
  const details = [...(error.facts.details ?? []), `after ${place} in the source's log`];
  return new SwitchyardError(error.code, { ...error.facts, details, cause: error });
}
