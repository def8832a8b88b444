import { CAP, hasFlag } from "./capabilities.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** The first packet of a connection, from the server (protocol version 10). */
export interface Greeting {
  readonly serverVersion: string;
  readonly threadId: number;
  /** The 20 bytes that scrambles are made with. */
  readonly nonce: Buffer;
  readonly capabilities: number;
  /** Number of the default collation; its low byte only. */
  readonly collation: number;
  readonly status: number;
  readonly authPlugin: string;
}

const NONCE_FIRST_BYTES = 8;
const NONCE_SECOND_BYTES = 12;

/** @throws {SwitchyardError} `WIRE_MALFORMED`, also for protocol versions other than 10. */
export function parseGreeting(payload: Buffer): Greeting {
  const reader = new PacketReader(payload, "greeting");
  const version = reader.u8();
  if (version !== 10) throw reader.malformed(`protocol version ${version}; only 10 is known`);
  const serverVersion = reader.nulBytes().toString("utf8");
  const threadId = reader.u32();
  const first = reader.bytes(NONCE_FIRST_BYTES);
  reader.skip(1);
  let capabilities = reader.u16();
  const collation = reader.left > 0 ? reader.u8() : 0;
  const status = reader.left > 0 ? reader.u16() : 0;
  if (reader.left > 0) capabilities = (capabilities | (reader.u16() << 16)) >>> 0;
  if (!hasFlag(capabilities, CAP.PROTOCOL_41) || !hasFlag(capabilities, CAP.SECURE_CONNECTION)) {
    throw reader.malformed("the server does not speak the protocol of MySQL 4.1 and later");
  }
  const nonceBytes = reader.u8();
  reader.skip(10);
  // The server sends at least 13 bytes here: 12 of the nonce and a NUL.
  const second = reader.bytes(Math.max(NONCE_SECOND_BYTES + 1, nonceBytes - NONCE_FIRST_BYTES));
  const authPlugin = hasFlag(capabilities, CAP.PLUGIN_AUTH) ? reader.nulBytesOrRest().toString("latin1") : "";
  const nonce = Buffer.concat([first, second.subarray(0, NONCE_SECOND_BYTES)]);
  return { serverVersion, threadId, nonce, capabilities, collation, status, authPlugin };
}

/** The payload that {@link parseGreeting} reads. The nonce must be 20 bytes without a NUL among them. */
export function buildGreeting(greeting: Greeting): Buffer {
  return new PacketWriter()
    .u8(10)
    .nulBytes(greeting.serverVersion)
    .u32(greeting.threadId)
    .bytes(greeting.nonce.subarray(0, NONCE_FIRST_BYTES))
    .u8(0)
    .u16(greeting.capabilities)
    .u8(greeting.collation)
    .u16(greeting.status)
    .u16(greeting.capabilities >>> 16)
    .u8(NONCE_FIRST_BYTES + NONCE_SECOND_BYTES + 1)
    .zeros(10)
    .bytes(greeting.nonce.subarray(NONCE_FIRST_BYTES, NONCE_FIRST_BYTES + NONCE_SECOND_BYTES))
    .u8(0)
    .nulBytes(Buffer.from(greeting.authPlugin, "latin1"))
    .payload();
}
