import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** Ends column definitions, and rows, on connections without DEPRECATE_EOF. */
export interface EofPacket {
  readonly warnings: number;
  readonly status: number;
}

/** An EOF packet is shorter than this; a row that starts with 0xfe is longer. */
export const EOF_BYTES_BELOW = 9;

/** @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseEof(payload: Buffer): EofPacket {
  const reader = new PacketReader(payload, "EOF");
  const first = reader.u8();
  if (first !== 0xfe) throw reader.malformed(`first byte ${first}, expected 254`);
  const warnings = reader.u16();
  return { warnings, status: reader.u16() };
}

export function buildEof(eof: EofPacket): Buffer {
  return new PacketWriter(16).u8(0xfe).u16(eof.warnings).u16(eof.status).payload();
}
