import { formatUuid } from "../gtid/gtid-codec.ts";
import type { AnonymousGtidEvent, GtidEvent, TransactionFacts } from "./binlog-event.ts";
import { type EventReader, malformed } from "./event-reader.ts";

/** The top bit of a 7 byte time or a 4 byte version: the value of the server of origin follows, for it is another. */
const TIME_FOLLOWS = 1n << 55n;
const VERSION_FOLLOWS = 0x8000_0000;
const LOGICAL_CLOCK = 2;
const MAY_HAVE_STATEMENTS = 1;

interface Identity {
  readonly uuid: string;
  readonly gno: number;
  readonly facts: TransactionFacts;
}

/** GTID_LOG_EVENT: the identity of the transaction that follows. */
export function decodeGtidEvent(reader: EventReader): GtidEvent {
  const { uuid, gno, facts } = readIdentity(reader);
  return { kind: "gtid", gtid: checked(uuid, "", gno), ...facts };
}

/** ANONYMOUS_GTID_LOG_EVENT: the same without an identity. */
export function decodeAnonymousGtidEvent(reader: EventReader): AnonymousGtidEvent {
  return { kind: "anonymous-gtid", ...readIdentity(reader).facts };
}

/** What older servers did not write yet is missing at the end, field by field. */
function readIdentity(reader: EventReader): Identity {
  const mayHaveStatements = (reader.u8() & MAY_HAVE_STATEMENTS) !== 0;
  const uuid = formatUuid(reader.buffer, reader.skip(16));
  const gno = reader.u64();
  let lastCommitted = 0;
  let sequenceNumber = 0;
  if (reader.left >= 17 && reader.u8() === LOGICAL_CLOCK) {
    lastCommitted = reader.u64();
    sequenceNumber = reader.u64();
  }
  const [commitMicros, originalCommitMicros] = reader.left >= 7 ? readTimes(reader) : [0, 0];
  const transactionBytes = reader.left > 0 ? reader.lenenc() : 0;
  const [serverVersion, originalServerVersion] = reader.left >= 4 ? readVersions(reader) : [0, 0];
  return {
    uuid,
    gno,
    facts: {
      commitMicros,
      originalCommitMicros,
      transactionBytes,
      lastCommitted,
      sequenceNumber,
      mayHaveStatements,
      serverVersion,
      originalServerVersion,
    },
  };
}

function readTimes(reader: EventReader): [commit: number, original: number] {
  const stamp = reader.u56();
  const commit = Number(stamp & ~TIME_FOLLOWS);
  if ((stamp & TIME_FOLLOWS) === 0n) return [commit, commit];
  return [commit, Number(reader.u56())];
}

function readVersions(reader: EventReader): [immediate: number, original: number] {
  const version = reader.u32();
  if (version < VERSION_FOLLOWS) return [version, version];
  return [version - VERSION_FOLLOWS, reader.u32()];
}

/** Numbers of the fields of GTID_TAGGED_LOG_EVENT. */
const FIELD = {
  FLAGS: 0,
  UUID: 1,
  GNO: 2,
  TAG: 3,
  LAST_COMMITTED: 4,
  SEQUENCE_NUMBER: 5,
  COMMIT_TIME: 6,
  ORIGINAL_COMMIT_TIME: 7,
  TRANSACTION_BYTES: 8,
  SERVER_VERSION: 9,
  ORIGINAL_SERVER_VERSION: 10,
} as const;

/** The version of the encoding that we read. */
const ENCODING = 1;
/** A commit group ticket: of group replication, without meaning here. Fields come in the order of their numbers. */
const LAST_FIELD_KNOWN = 11;

/**
 * GTID_TAGGED_LOG_EVENT: the same in the self-describing form of newer servers, a list of numbered fields in rising
 * order, of which those that have nothing to say are left out.
 *
 * A field with an unknown number cannot be skipped (its length is not written), but those come last; the message says
 * up to which field a reader must understand it.
 */
export function decodeTaggedGtidEvent(reader: EventReader): GtidEvent {
  const encoding = varint(reader);
  varint(reader); // size of the message
  const mustKnow = varint(reader);
  if (encoding !== BigInt(ENCODING) || mustKnow > BigInt(LAST_FIELD_KNOWN + 1)) {
    throw malformed(`a tagged transaction in encoding ${encoding} with ${mustKnow} fields that must be known`);
  }
  const numbers = new Map<number, bigint>();
  let uuid = "";
  let tag = "";
  let before = -1;
  while (reader.left > 0) {
    const field = Number(varint(reader));
    if (field > LAST_FIELD_KNOWN) break;
    if (field <= before) throw malformed(`field ${field} of a tagged transaction comes after field ${before}`);
    before = field;
    if (field === FIELD.UUID) uuid = readUuid(reader);
    else if (field === FIELD.TAG) tag = readTag(reader);
    else numbers.set(field, varint(reader));
  }
  const unsigned = (field: number): number => safe(numbers.get(field) ?? 0n);
  const signed = (field: number): number => safe(unzigzag(numbers.get(field) ?? 0n));
  const commitMicros = unsigned(FIELD.COMMIT_TIME);
  const serverVersion = unsigned(FIELD.SERVER_VERSION);
  return {
    kind: "gtid",
    gtid: checked(uuid, tag, signed(FIELD.GNO)),
    commitMicros,
    originalCommitMicros: unsigned(FIELD.ORIGINAL_COMMIT_TIME) || commitMicros,
    transactionBytes: unsigned(FIELD.TRANSACTION_BYTES),
    lastCommitted: signed(FIELD.LAST_COMMITTED),
    sequenceNumber: signed(FIELD.SEQUENCE_NUMBER),
    mayHaveStatements: (unsigned(FIELD.FLAGS) & MAY_HAVE_STATEMENTS) !== 0,
    serverVersion,
    originalServerVersion: unsigned(FIELD.ORIGINAL_SERVER_VERSION) || serverVersion,
  };
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
  const tag = reader.text(length);
  if (!/^([a-z_][a-z0-9_]*)?$/.test(tag)) throw malformed("a tag with characters that no tag has");
  return tag;
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformed(`the number ${value} is out of range`);
  return Number(value);
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
