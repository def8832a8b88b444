import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** First bytes of the packets that a server sends while a login is going on. */
export const AUTH = { SWITCH: 0xfe, MORE_DATA: 0x01, NEXT_FACTOR: 0x02 } as const;

/** What the server says within `caching_sha2_password`. */
export const CACHING_SHA2 = {
  /** From the client: send me your public key. (`sha256_password` uses 1.) */
  REQUEST_PUBLIC_KEY: 0x02,
  FAST_AUTH_OK: 0x03,
  FULL_AUTH: 0x04,
} as const;

/** From a client of `sha256_password`: send me your public key. */
export const SHA256_REQUEST_PUBLIC_KEY = 0x01;

/** The server wants another method than the one offered. */
export interface AuthSwitch {
  readonly plugin: string;
  /** The nonce, without the NUL that follows it. */
  readonly nonce: Buffer;
}

/** @throws {SwitchyardError} `WIRE_MALFORMED`, also for the switch to the method of before MySQL 4.1. */
export function parseAuthSwitch(payload: Buffer): AuthSwitch {
  const reader = new PacketReader(payload, "authentication switch");
  const first = reader.u8();
  if (first !== AUTH.SWITCH) throw reader.malformed(`first byte ${first}, expected ${AUTH.SWITCH}`);
  if (reader.left === 0) throw reader.malformed("the server asks for the password method of before MySQL 4.1");
  const plugin = reader.nulBytesOrRest().toString("latin1");
  return { plugin, nonce: withoutNul(reader.rest()) };
}

export function buildAuthSwitch(request: AuthSwitch): Buffer {
  return new PacketWriter()
    .u8(AUTH.SWITCH)
    .nulBytes(Buffer.from(request.plugin, "latin1"))
    .bytes(request.nonce)
    .u8(0)
    .payload();
}

/** The data of an AuthMoreData packet. */
export function parseAuthMoreData(payload: Buffer): Buffer {
  const reader = new PacketReader(payload, "authentication data");
  const first = reader.u8();
  if (first !== AUTH.MORE_DATA) throw reader.malformed(`first byte ${first}, expected ${AUTH.MORE_DATA}`);
  return reader.rest();
}

export function buildAuthMoreData(data: Buffer): Buffer {
  return new PacketWriter(data.length + 1).u8(AUTH.MORE_DATA).bytes(data).payload();
}

/** The server is content with what came and wants a further factor of authentication, by another method. */
export function parseAuthNextFactor(payload: Buffer): AuthSwitch {
  const reader = new PacketReader(payload, "authentication factor");
  const first = reader.u8();
  if (first !== AUTH.NEXT_FACTOR) throw reader.malformed(`first byte ${first}, expected ${AUTH.NEXT_FACTOR}`);
  const plugin = reader.nulBytesOrRest().toString("latin1");
  return { plugin, nonce: withoutNul(reader.rest()) };
}

export function buildAuthNextFactor(request: AuthSwitch): Buffer {
  return new PacketWriter()
    .u8(AUTH.NEXT_FACTOR)
    .nulBytes(Buffer.from(request.plugin, "latin1"))
    .bytes(request.nonce)
    .u8(0)
    .payload();
}

function withoutNul(data: Buffer): Buffer {
  return data.at(-1) === 0 ? data.subarray(0, -1) : data;
}
