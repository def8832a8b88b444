import { CAP, hasFlag, STATUS } from "./capabilities.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** What changed in a session, as told by one block of an OK packet. */
export interface SessionTrack {
  readonly type: number;
  readonly data: Buffer;
}

/** Types of {@link SessionTrack}. */
export const TRACK = {
  SYSTEM_VARIABLES: 0,
  SCHEMA: 1,
  STATE_CHANGE: 2,
  GTIDS: 3,
  TRANSACTION_CHARACTERISTICS: 4,
  TRANSACTION_STATE: 5,
} as const;

/** A command succeeded; or, with first byte 0xfe, a result set ended on a connection with DEPRECATE_EOF. */
export interface OkPacket {
  readonly affectedRows: number;
  readonly lastInsertId: bigint;
  readonly status: number;
  readonly warnings: number;
  /** Text for people, for example `Rows matched: 1  Changed: 1  Warnings: 0`. */
  readonly info: Buffer;
  readonly tracks: readonly SessionTrack[];
}

const EMPTY: Buffer = Buffer.alloc(0);

/** `capabilities` are those in force on the connection. @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseOk(payload: Buffer, capabilities: number): OkPacket {
  const reader = new PacketReader(payload, "OK");
  const first = reader.u8();
  if (first !== 0x00 && first !== 0xfe) throw reader.malformed(`first byte ${first}, expected 0 or 254`);
  const affectedRows = reader.lenencNumber();
  const lastInsertId = reader.lenencBig();
  const status = reader.u16();
  const warnings = reader.u16();
  if (!hasFlag(capabilities, CAP.SESSION_TRACK)) {
    return { affectedRows, lastInsertId, status, warnings, info: reader.rest(), tracks: [] };
  }
  const info = reader.left > 0 ? (reader.lenencBytes() ?? EMPTY) : EMPTY;
  const changed = hasFlag(status, STATUS.SESSION_STATE_CHANGED) && reader.left > 0;
  const tracks = changed ? parseTracks(reader.lenencBytes() ?? EMPTY) : [];
  return { affectedRows, lastInsertId, status, warnings, info, tracks };
}

/** The status flags of an OK packet alone: nothing else of it is looked at or copied. */
export function okStatus(payload: Buffer): number {
  const reader = new PacketReader(payload, "OK", 1);
  reader.lenencBig();
  reader.lenencBig();
  return reader.u16();
}

/** Cuts the session block of an OK packet into its parts. */
export function parseTracks(block: Buffer): SessionTrack[] {
  const reader = new PacketReader(block, "session state");
  const tracks: SessionTrack[] = [];
  while (reader.left > 0) {
    const type = reader.u8();
    tracks.push({ type, data: reader.bytes(reader.lenencNumber()) });
  }
  return tracks;
}

/** The variables that a `SYSTEM_VARIABLES` block names: name and new value in turn. */
export function parseVariableTrack(data: Buffer): [name: string, value: Buffer][] {
  const reader = new PacketReader(data, "session variables");
  const variables: [string, Buffer][] = [];
  while (reader.left > 0) {
    const name = reader.lenencText();
    variables.push([name, reader.bytes(reader.lenencNumber())]);
  }
  return variables;
}

/**
 * Builds an OK packet; `firstByte` 0xfe for the end of a result set. A status that says that the session's state has
 * changed, without tracks, is what servers send where something was set to what it had been.
 */
export function buildOk(ok: OkPacket, capabilities: number, firstByte: 0x00 | 0xfe = 0x00): Buffer {
  const writer = new PacketWriter().u8(firstByte).lenenc(ok.affectedRows).lenenc(ok.lastInsertId);
  const tracked =
    hasFlag(capabilities, CAP.SESSION_TRACK) &&
    (ok.tracks.length > 0 || hasFlag(ok.status, STATUS.SESSION_STATE_CHANGED));
  const status = tracked ? ok.status | STATUS.SESSION_STATE_CHANGED : ok.status & ~STATUS.SESSION_STATE_CHANGED;
  writer.u16(status).u16(ok.warnings);
  if (!hasFlag(capabilities, CAP.SESSION_TRACK)) return writer.bytes(ok.info).payload();
  if (ok.info.length > 0 || tracked) writer.lenencBytes(ok.info);
  if (tracked) {
    const block = new PacketWriter();
    for (const track of ok.tracks) block.u8(track.type).lenencBytes(track.data);
    writer.lenencBytes(block.payload());
  }
  return writer.payload();
}
