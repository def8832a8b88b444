import { PacketReader } from "./packet-reader.ts";
import { PacketWriter } from "./packet-writer.ts";

/** A column of a result set, as the server describes it. */
export interface ColumnDefinition {
  readonly schema: string;
  /** The alias of the table in the statement; {@link orgTable} is its real name. */
  readonly table: string;
  readonly orgTable: string;
  /** The column's name in the result; {@link orgName} is its name in the table. */
  readonly name: string;
  readonly orgName: string;
  /** Number of the collation; 63 is binary. */
  readonly charset: number;
  readonly length: number;
  /** Type code, as in the binary log: 3 LONG, 253 VAR_STRING, … */
  readonly type: number;
  readonly flags: number;
  readonly decimals: number;
}

/** @throws {SwitchyardError} `WIRE_MALFORMED` */
export function parseColumnDefinition(payload: Buffer): ColumnDefinition {
  const reader = new PacketReader(payload, "column definition");
  reader.lenencBytes();
  const schema = reader.lenencText();
  const table = reader.lenencText();
  const orgTable = reader.lenencText();
  const name = reader.lenencText();
  const orgName = reader.lenencText();
  const fixed = new PacketReader(reader.bytes(reader.lenencNumber()), "column definition");
  const charset = fixed.u16();
  const length = fixed.u32();
  const type = fixed.u8();
  const flags = fixed.u16();
  return { schema, table, orgTable, name, orgName, charset, length, type, flags, decimals: fixed.u8() };
}

/** Bytes of the fields of fixed length, as they announce themselves. */
const FIXED_BYTES = 12;

/** Writes what {@link parseColumnDefinition} reads, as a server writes it in a result set. */
export function buildColumnDefinition(column: ColumnDefinition): Buffer {
  return new PacketWriter()
    .lenencBytes("def")
    .lenencBytes(column.schema)
    .lenencBytes(column.table)
    .lenencBytes(column.orgTable)
    .lenencBytes(column.name)
    .lenencBytes(column.orgName)
    .lenenc(FIXED_BYTES)
    .u16(column.charset)
    .u32(column.length)
    .u8(column.type)
    .u16(column.flags)
    .u8(column.decimals)
    .zeros(2)
    .payload();
}
