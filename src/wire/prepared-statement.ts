import { CAP, COM, hasFlag } from "./capabilities.ts";
import { readCount } from "./null-bitmap.ts";
import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";
import { type Parameters, type ParameterType, readParameters, writeParameters } from "./parameters.ts";

/** The first packet of the answer to a `COM_STMT_PREPARE`. */
export interface PrepareOk {
  readonly statementId: number;
  readonly columns: number;
  readonly parameters: number;
  readonly warnings: number;
  /** Whether definitions of parameters and columns follow; only connections with OPTIONAL_RESULTSET_METADATA ask. */
  readonly metadataFollows?: boolean;
}

/** @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parsePrepareOk(payload: Buffer, capabilities: number): PrepareOk {
  const reader = new PacketReader(payload, "prepared statement");
  if (reader.u8() !== 0x00) throw reader.malformed("neither OK nor ERR answers a prepare");
  const statementId = reader.u32();
  const columns = reader.u16();
  const parameters = reader.u16();
  reader.skip(1);
  const warnings = reader.left >= 2 ? reader.u16() : 0;
  const facts = { statementId, columns, parameters, warnings };
  const optional = hasFlag(capabilities, CAP.OPTIONAL_RESULTSET_METADATA) && reader.left > 0;
  return optional ? { ...facts, metadataFollows: reader.u8() !== 0 } : facts;
}

export function buildPrepareOk(ok: PrepareOk, capabilities: number): Buffer {
  const writer = new PacketWriter(16).u8(0).u32(ok.statementId).u16(ok.columns).u16(ok.parameters).u8(0);
  writer.u16(ok.warnings);
  const { metadataFollows } = ok;
  if (metadataFollows !== undefined && hasFlag(capabilities, CAP.OPTIONAL_RESULTSET_METADATA)) {
    writer.u8(metadataFollows ? 1 : 0);
  }
  return writer.payload();
}

/** Flags of {@link Execute}. */
export const EXECUTE_FLAG = { CURSOR_READ_ONLY: 0x01, PARAMETER_COUNT_AVAILABLE: 0x08 } as const;

/** A `COM_STMT_EXECUTE`. */
export interface Execute {
  readonly statementId: number;
  readonly flags: number;
  /** Always 1. */
  readonly iterations: number;
  /** The statement's parameters, then attributes of the query if the client sent any. */
  readonly parameters: Parameters;
}

/** What the connection knows of a prepared statement, without which an execution cannot be read. */
export interface KnownStatement {
  /** As the server told at its preparation. */
  readonly parameters: number;
  /** Types of the last execution; those of its attributes do not count, which always bring theirs. */
  readonly types?: readonly ParameterType[];
  /** Parameters that came as long data since then. */
  readonly longData?: ReadonlySet<number>;
}

const NONE: Parameters = { newTypes: false, types: [], values: [] };

/** The id of the statement that a command about a prepared statement names. @throws `WIRE_MALFORMED` */
export function statementIdOf(payload: Buffer): number {
  return new PacketReader(payload, "statement command", 1).u32();
}

/** Reads a payload, its command byte included. @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseExecute(payload: Buffer, capabilities: number, known: KnownStatement): Execute {
  const reader = new PacketReader(payload, "execute", 1);
  const statementId = reader.u32();
  const flags = reader.u8();
  const iterations = reader.u32();
  const named = hasFlag(capabilities, CAP.QUERY_ATTRIBUTES);
  const counted = named && hasFlag(flags, EXECUTE_FLAG.PARAMETER_COUNT_AVAILABLE);
  const count = counted ? readCount(reader, 1) : known.parameters;
  if (count === 0) return { statementId, flags, iterations, parameters: NONE };
  const shape = { count, named, ...(known.types ? { knownTypes: known.types.slice(0, known.parameters) } : {}) };
  const parameters = readParameters(reader, known.longData ? { ...shape, longData: known.longData } : shape);
  if (reader.left > 0) throw reader.malformed(`${reader.left} bytes are left over behind the last parameter`);
  return { statementId, flags, iterations, parameters };
}

/** Writes what {@link parseExecute} reads. */
export function buildExecute(execute: Execute, capabilities: number): Buffer {
  const { statementId, flags, iterations, parameters } = execute;
  const writer = new PacketWriter(64).u8(COM.STMT_EXECUTE).u32(statementId).u8(flags).u32(iterations);
  const named = hasFlag(capabilities, CAP.QUERY_ATTRIBUTES);
  const count = parameters.types.length;
  if (named && hasFlag(flags, EXECUTE_FLAG.PARAMETER_COUNT_AVAILABLE)) writer.lenenc(count);
  if (count > 0) writeParameters(writer, parameters, named);
  return writer.payload();
}

/** A `COM_STMT_SEND_LONG_DATA`: a piece of a parameter's value. The server never answers it. */
export interface LongData {
  readonly statementId: number;
  readonly parameter: number;
  readonly data: Buffer;
}

/** @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseLongData(payload: Buffer): LongData {
  const reader = new PacketReader(payload, "long data", 1);
  const statementId = reader.u32();
  const parameter = reader.u16();
  return { statementId, parameter, data: reader.rest() };
}

export function buildLongData({ statementId, parameter, data }: LongData): Buffer {
  return new PacketWriter(data.length + 7)
    .u8(COM.STMT_SEND_LONG_DATA)
    .u32(statementId)
    .u16(parameter)
    .bytes(data)
    .payload();
}

/** A `COM_STMT_FETCH`: the next rows of a cursor. */
export interface Fetch {
  readonly statementId: number;
  readonly rows: number;
}

/** @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseFetch(payload: Buffer): Fetch {
  const reader = new PacketReader(payload, "fetch", 1);
  return { statementId: reader.u32(), rows: reader.u32() };
}

export function buildFetch({ statementId, rows }: Fetch): Buffer {
  return new PacketWriter(16).u8(COM.STMT_FETCH).u32(statementId).u32(rows).payload();
}
