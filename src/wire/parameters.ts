import { type BinaryValue, readBinaryValue, writeBinaryValue } from "./binary-value.ts";
import { FIELD } from "./field-type.ts";
import { bitIsSet, bitmapBytes, nullBitmap } from "./null-bitmap.ts";
import type { PacketReader } from "./packet-reader.ts";
import type { PacketWriter } from "./packet-writer.ts";

/** The type of a parameter or query attribute, and its name, which only attributes and named parameters have. */
export interface ParameterType {
  readonly type: number;
  readonly unsigned: boolean;
  readonly name: Buffer;
}

/** A parameter whose value the server has from `COM_STMT_SEND_LONG_DATA`: none is in the packet. */
export const LONG_DATA = Symbol("long data");

export type ParameterValue = BinaryValue | typeof LONG_DATA;

export interface Parameters {
  /** The types are in this packet. Where they are not, those of the last execution hold. */
  readonly newTypes: boolean;
  readonly types: readonly ParameterType[];
  readonly values: readonly ParameterValue[];
}

export interface ParameterShape {
  readonly count: number;
  /** The connection has agreed on query attributes: each type has a name. */
  readonly named: boolean;
  /** Types of the last execution, for a packet without its own. */
  readonly knownTypes?: readonly ParameterType[];
  /** Indexes of parameters that came as long data. */
  readonly longData?: ReadonlySet<number>;
}

const UNSIGNED_BIT = 0x8000;

/** Reads a block of parameters: bitmap of NULLs, types if they are new, values. @throws `WIRE_MALFORMED` */
export function readParameters(reader: PacketReader, shape: ParameterShape): Parameters {
  const { count, named, knownTypes, longData } = shape;
  const nulls = reader.bytes(bitmapBytes(count, 0));
  const newTypes = reader.u8() === 1;
  const types = newTypes ? readTypes(reader, count, named) : (knownTypes ?? []);
  if (types.length !== count) throw reader.malformed("parameters came without their types");
  const values = types.map(({ type, unsigned }, index): ParameterValue => {
    if (longData?.has(index) === true) return LONG_DATA;
    return bitIsSet(nulls, index) || type === FIELD.NULL ? null : readBinaryValue(reader, type, unsigned);
  });
  return { newTypes, types, values };
}

function readTypes(reader: PacketReader, count: number, named: boolean): ParameterType[] {
  const types: ParameterType[] = [];
  for (let index = 0; index < count; index++) {
    const code = reader.u16();
    const name = named ? reader.bytes(reader.lenencNumber()) : EMPTY;
    types.push({ type: code & 0xff, unsigned: (code & UNSIGNED_BIT) !== 0, name });
  }
  return types;
}

const EMPTY: Buffer = Buffer.alloc(0);

/** Writes what {@link readParameters} reads. */
export function writeParameters(writer: PacketWriter, { newTypes, types, values }: Parameters, named: boolean): void {
  writer.bytes(nullBitmap(values, 0)).u8(newTypes ? 1 : 0);
  if (newTypes) {
    for (const { type, unsigned, name } of types) {
      writer.u16(type | (unsigned ? UNSIGNED_BIT : 0));
      if (named) writer.lenencBytes(name);
    }
  }
  for (const [index, { type }] of types.entries()) {
    const value = values[index] ?? null;
    if (value !== null && value !== LONG_DATA) writeBinaryValue(writer, type, value);
  }
}
