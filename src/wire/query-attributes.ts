import { CAP, COM, hasFlag } from "./capabilities.ts";
import { readCount } from "./null-bitmap.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";
import { type Parameters, readParameters, writeParameters } from "./parameters.ts";

/** A `COM_QUERY`: the text of the statement, and the attributes that came with it. */
export interface QueryCommand {
  readonly attributes: Parameters;
  readonly text: Buffer;
}

const NONE: Parameters = { newTypes: false, types: [], values: [] };

/** Each attribute takes a bit of the bitmap, a type and a name that may be empty. */
const ATTRIBUTE_BITS = 25;
/** Parameter sets: the protocol has room for several, servers accept one. */
const SETS = 1;

/**
 * Where the text of the statement begins in a `COM_QUERY` payload: behind the command byte, and behind the
 * query attributes where the connection has agreed on them.
 *
 * @throws {SwitchyardError} `WIRE_MALFORMED`
 */
export function statementOffset(payload: Buffer, capabilities: number): number {
  if (!hasFlag(capabilities, CAP.QUERY_ATTRIBUTES)) return 1;
  // Two single bytes are what a query without attributes has: no need to set up a reader.
  if (payload[1] === 0 && (payload[2] ?? 0xff) < 0xfb) return 3;
  const reader = new PacketReader(payload, "query", 1);
  readAttributes(reader);
  return reader.offset;
}

/** Reads a `COM_QUERY` payload, its command byte included. @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseQuery(payload: Buffer, capabilities: number): QueryCommand {
  const reader = new PacketReader(payload, "query", 1);
  const attributes = hasFlag(capabilities, CAP.QUERY_ATTRIBUTES) ? readAttributes(reader) : NONE;
  return { attributes, text: reader.rest() };
}

/** Writes what {@link parseQuery} reads. */
export function buildQuery({ attributes, text }: QueryCommand, capabilities: number): Buffer {
  const writer = new PacketWriter(text.length + 16).u8(COM.QUERY);
  if (hasFlag(capabilities, CAP.QUERY_ATTRIBUTES)) {
    writer.lenenc(attributes.types.length).lenenc(SETS);
    if (attributes.types.length > 0) writeParameters(writer, attributes, true);
  }
  return writer.bytes(text).payload();
}

function readAttributes(reader: PacketReader): Parameters {
  const count = readCount(reader, ATTRIBUTE_BITS);
  reader.lenencNumber();
  if (count === 0) return NONE;
  return readParameters(reader, { count, named: true });
}
