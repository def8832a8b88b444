import { CAP, hasFlag } from "./capabilities.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** A client's answer to the greeting. */
export interface HandshakeResponse {
  readonly capabilities: number;
  readonly maxPacketBytes: number;
  /** Number of the collation; the packet has a byte for it, and 0 is the server's own default. */
  readonly collation: number;
  /** As bytes: the name is in the client's own character set. */
  readonly user: Buffer;
  readonly authResponse: Buffer;
  readonly database?: Buffer;
  readonly authPlugin?: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly zstdLevel?: number;
}

const FILLER_BYTES = 23;
const HEAD_BYTES = 32;

/** A client that asks for TLS sends the head of the response alone; the whole response follows inside TLS. */
export function isTlsRequest(payload: Buffer): boolean {
  return payload.length === HEAD_BYTES && hasFlag(payload.readUInt32LE(0), CAP.SSL);
}

/** The packet by which a client asks for TLS. */
export function buildTlsRequest(capabilities: number, maxPacketBytes: number, collation: number): Buffer {
  return head(capabilities | CAP.SSL, maxPacketBytes, collation).payload();
}

/** @throws {SwitchyardError} `WIRE_MALFORMED`, also for clients older than MySQL 4.1. */
export function parseHandshakeResponse(payload: Buffer): HandshakeResponse {
  const reader = new PacketReader(payload, "handshake response");
  const low = reader.u16();
  if (!hasFlag(low, CAP.PROTOCOL_41)) throw reader.malformed("the client speaks the protocol of before MySQL 4.1");
  const capabilities = (low | (reader.u16() << 16)) >>> 0;
  const maxPacketBytes = reader.u32();
  const collation = reader.u8();
  reader.skip(FILLER_BYTES);
  const user = reader.nulBytes();
  const authResponse = readAuthResponse(reader, capabilities);
  const response: { -readonly [K in keyof HandshakeResponse]: HandshakeResponse[K] } = {
    capabilities,
    maxPacketBytes,
    collation,
    user,
    authResponse,
    attributes: new Map(),
  };
  if (hasFlag(capabilities, CAP.CONNECT_WITH_DB) && reader.left > 0) response.database = reader.nulBytesOrRest();
  if (hasFlag(capabilities, CAP.PLUGIN_AUTH) && reader.left > 0) {
    response.authPlugin = reader.nulBytesOrRest().toString("latin1");
  }
  if (hasFlag(capabilities, CAP.CONNECT_ATTRS) && reader.left > 0) response.attributes = parseAttributes(reader);
  if (hasFlag(capabilities, CAP.ZSTD) && reader.left > 0) response.zstdLevel = reader.u8();
  return response;
}

function readAuthResponse(reader: PacketReader, capabilities: number): Buffer {
  if (hasFlag(capabilities, CAP.PLUGIN_AUTH_LENENC)) return reader.bytes(reader.lenencNumber());
  if (hasFlag(capabilities, CAP.SECURE_CONNECTION)) return reader.bytes(reader.u8());
  return reader.nulBytesOrRest();
}

/** Which fields are written follows from `response.capabilities`, as in the packet itself. */
export function buildHandshakeResponse(response: HandshakeResponse): Buffer {
  const capabilities = response.capabilities;
  const writer = head(capabilities, response.maxPacketBytes, response.collation).nulBytes(response.user);
  if (hasFlag(capabilities, CAP.PLUGIN_AUTH_LENENC)) writer.lenencBytes(response.authResponse);
  else if (hasFlag(capabilities, CAP.SECURE_CONNECTION)) {
    writer.u8(response.authResponse.length).bytes(response.authResponse);
  } else writer.nulBytes(response.authResponse);
  if (hasFlag(capabilities, CAP.CONNECT_WITH_DB)) writer.nulBytes(response.database ?? "");
  if (hasFlag(capabilities, CAP.PLUGIN_AUTH)) writer.nulBytes(Buffer.from(response.authPlugin ?? "", "latin1"));
  if (hasFlag(capabilities, CAP.CONNECT_ATTRS)) writeAttributes(writer, response.attributes);
  if (hasFlag(capabilities, CAP.ZSTD)) writer.u8(response.zstdLevel ?? 3);
  return writer.payload();
}

function head(capabilities: number, maxPacketBytes: number, collation: number): PacketWriter {
  return new PacketWriter(256).u32(capabilities).u32(maxPacketBytes).u8(collation).zeros(FILLER_BYTES);
}

/** Reads connection attributes: a length of all of them, then name and value in turn. */
export function parseAttributes(reader: PacketReader): Map<string, string> {
  const block = new PacketReader(reader.bytes(reader.lenencNumber()), "connection attributes");
  const attributes = new Map<string, string>();
  while (block.left > 0) {
    const name = block.lenencText();
    attributes.set(name, block.lenencText());
  }
  return attributes;
}

/** Writes what {@link parseAttributes} reads. */
export function writeAttributes(writer: PacketWriter, attributes: ReadonlyMap<string, string>): void {
  const block = new PacketWriter();
  for (const [name, value] of attributes) block.lenencBytes(name).lenencBytes(value);
  writer.lenencBytes(block.payload());
}
