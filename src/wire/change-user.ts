import { CAP, COM, hasFlag } from "./capabilities.ts";
import { parseAttributes, writeAttributes } from "./handshake-response.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** The command that logs an open connection in anew, under another name and with a fresh session. */
export interface ChangeUser {
  readonly user: Buffer;
  readonly authResponse: Buffer;
  readonly database: Buffer;
  /** Sixteen bits here, unlike at login. */
  readonly collation: number;
  readonly authPlugin: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** Reads a `COM_CHANGE_USER` payload; the fields at its end may be left out by the client. */
export function parseChangeUser(payload: Buffer, capabilities: number): ChangeUser {
  const reader = new PacketReader(payload, "change user", 1);
  const user = reader.nulBytes();
  const authResponse = hasFlag(capabilities, CAP.SECURE_CONNECTION) ? reader.bytes(reader.u8()) : reader.nulBytes();
  const database = reader.nulBytes();
  const collation = reader.left >= 2 ? reader.u16() : 0;
  const named = hasFlag(capabilities, CAP.PLUGIN_AUTH) && reader.left > 0;
  const authPlugin = named ? reader.nulBytesOrRest().toString("latin1") : "";
  const attributed = hasFlag(capabilities, CAP.CONNECT_ATTRS) && reader.left > 0;
  const attributes = attributed ? parseAttributes(reader) : new Map<string, string>();
  return { user, authResponse, database, collation, authPlugin, attributes };
}

/** Writes what {@link parseChangeUser} reads, command byte included. */
export function buildChangeUser(change: ChangeUser, capabilities: number): Buffer {
  const writer = new PacketWriter(256).u8(COM.CHANGE_USER).nulBytes(change.user);
  if (hasFlag(capabilities, CAP.SECURE_CONNECTION)) writer.u8(change.authResponse.length).bytes(change.authResponse);
  else writer.nulBytes(change.authResponse);
  writer.nulBytes(change.database).u16(change.collation);
  if (hasFlag(capabilities, CAP.PLUGIN_AUTH)) writer.nulBytes(Buffer.from(change.authPlugin, "latin1"));
  if (hasFlag(capabilities, CAP.CONNECT_ATTRS)) writeAttributes(writer, change.attributes);
  return writer.payload();
}
