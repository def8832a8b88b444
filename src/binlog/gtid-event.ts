import { formatUuid } from "../gtid/gtid-codec.ts";
import type { GtidEvent } from "./binlog-event.ts";
import { type EventReader, malformed } from "./event-reader.ts";

const ORIGINAL_FOLLOWS = 1n << 55n;

/** GTID_LOG_EVENT: the identity of the transaction that follows. */
export function decodeGtidEvent(reader: EventReader): GtidEvent {
  reader.u8();
  const uuid = formatUuid(reader.buffer, reader.skip(16));
  const gno = reader.u64();
  let commitMicros = 0;
  let transactionBytes = 0;
  if (reader.left >= 17 && reader.u8() === 2) {
    reader.skip(16);
    if (reader.left >= 7) {
      const stamp = reader.u56();
      commitMicros = Number(stamp & ~ORIGINAL_FOLLOWS);
      if ((stamp & ORIGINAL_FOLLOWS) !== 0n) reader.u56();
      if (reader.left > 0) transactionBytes = reader.lenenc();
    }
  }
  return { kind: "gtid", gtid: checked(uuid, "", gno), commitMicros, transactionBytes };
}

/**
 * GTID_TAGGED_LOG_EVENT: the same in the self-describing form of newer servers, a list of numbered fields.
 * A field with an unknown number cannot be skipped (its length is not written), but those come last.
 */
export function decodeTaggedGtidEvent(reader: EventReader): GtidEvent {
  varint(reader); // version of the encoding
  varint(reader); // size of the message
  varint(reader); // last field that a reader must understand
  let uuid = "";
  let tag = "";
  let gno = 0;
  let commitMicros = 0;
  let transactionBytes = 0;
  while (reader.left > 0) {
    const field = Number(varint(reader));
    if (field === 1) uuid = readUuid(reader);
    else if (field === 3) tag = readTag(reader);
    else if (field > 8) break;
    else {
      const value = varint(reader);
      if (field === 2) gno = Number(unzigzag(value));
      else if (field === 6) commitMicros = Number(value);
      else if (field === 8) transactionBytes = Number(value);
    }
  }
  return { kind: "gtid", gtid: checked(uuid, tag, gno), commitMicros, transactionBytes };
}

function checked(uuid: string, tag: string, gno: number): { uuid: string; tag: string; gno: number } {
  if (uuid === "" || !Number.isSafeInteger(gno) || gno < 1)
    throw malformed(`transaction ${uuid}:${gno} has no identity`);
  return { uuid, tag, gno };
}

function readUuid(reader: EventReader): string {
  const bytes = Buffer.alloc(16);
  for (let i = 0; i < 16; i++) bytes[i] = Number(varint(reader) & 0xffn);
  return formatUuid(bytes, 0);
}

function readTag(reader: EventReader): string {
  const length = Number(varint(reader));
  if (length > 32) throw malformed(`a tag of ${length} characters`);
  return reader.text(length);
}

/** The ones at the low end of the first byte count the further bytes; the value is what is above the first zero. */
function varint(reader: EventReader): bigint {
  const first = reader.u8();
  let extra = 0;
  while (extra < 8 && (first & (1 << extra)) !== 0) extra++;
  let value = extra < 8 ? BigInt(first >> (extra + 1)) : 0n;
  let shift = BigInt(extra < 8 ? 7 - extra : 0);
  for (let i = 0; i < extra; i++) {
    value |= BigInt(reader.u8()) << shift;
    shift += 8n;
  }
  return value;
}

/** Signed numbers carry their sign in the lowest bit. */
function unzigzag(value: bigint): bigint {
  return (value & 1n) === 0n ? value >> 1n : -(value >> 1n) - 1n;
}
