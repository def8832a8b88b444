import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** A command failed. It carries no status: what the session's state is now must be asked. */
export interface ErrPacket {
  readonly errno: number;
  /** Five characters; `HY000` where the server sent none, as it does before a login. */
  readonly sqlState: string;
  readonly message: string;
}

const MARKER = 0x23;

/** @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseErr(payload: Buffer): ErrPacket {
  const reader = new PacketReader(payload, "ERR");
  const first = reader.u8();
  if (first !== 0xff) throw reader.malformed(`first byte ${first}, expected 255`);
  const errno = reader.u16();
  let sqlState = "HY000";
  if (reader.peek() === MARKER && reader.left >= 6) {
    reader.skip(1);
    sqlState = reader.bytes(5).toString("latin1");
  }
  return { errno, sqlState, message: reader.rest().toString("utf8") };
}

/** Builds an ERR packet as clients of MySQL 4.1 and later read it. */
export function buildErr(error: ErrPacket): Buffer {
  return new PacketWriter()
    .u8(0xff)
    .u16(error.errno)
    .u8(MARKER)
    .bytes(Buffer.from(error.sqlState.padEnd(5, "0").slice(0, 5), "latin1"))
    .bytes(error.message)
    .payload();
}
