import { EventReader } from "./event-reader.ts";

/** The settings of the session that ran a statement, as a QUERY event carries them. What it does not carry is absent. */
export interface QueryStatus {
  /** Bits of session options: foreign_key_checks, unique_checks, autocommit and such. */
  flags2?: number;
  sqlMode?: bigint;
  catalog?: string;
  autoIncrement?: { readonly increment: number; readonly offset: number };
  /** Numbers of the client's character set, the connection's and the server's collation. */
  charset?: { readonly client: number; readonly connection: number; readonly server: number };
  timeZone?: string;
  localeNumber?: number;
  databaseCollation?: number;
  tableMapForUpdate?: bigint;
  invoker?: { readonly user: string; readonly host: string };
  /** Schemas that the statement changes; `many` when they were too many to be listed. */
  updatedSchemas?: readonly string[] | "many";
  microseconds?: number;
  explicitTimestampDefaults?: boolean;
  /** The transaction that a DDL statement is. */
  ddlXid?: bigint;
  utf8mb4Collation?: number;
  requirePrimaryKey?: boolean;
  defaultTableEncryption?: boolean;
  /** The first code that is not known; what follows it cannot be read, as its length is not written. */
  unknownCode?: number;
}

/** Instead of a count of schemas: there are more than can be listed. */
const TOO_MANY_SCHEMAS = 254;

/** One reader per code. A code is written at most once, and its length is known only to who knows the code. */
const READERS: Readonly<Record<number, (status: QueryStatus, reader: EventReader) => void>> = {
  0: (status, reader) => {
    status.flags2 = reader.u32();
  },
  1: (status, reader) => {
    status.sqlMode = reader.buffer.readBigUInt64LE(reader.skip(8));
  },
  // Of servers before 5.0.4, with a zero byte at its end.
  2: (status, reader) => {
    status.catalog = reader.text(reader.u8());
    reader.skip(1);
  },
  3: (status, reader) => {
    status.autoIncrement = { increment: reader.u16(), offset: reader.u16() };
  },
  4: (status, reader) => {
    status.charset = { client: reader.u16(), connection: reader.u16(), server: reader.u16() };
  },
  5: (status, reader) => {
    status.timeZone = reader.text(reader.u8());
  },
  6: (status, reader) => {
    status.catalog = reader.text(reader.u8());
  },
  7: (status, reader) => {
    status.localeNumber = reader.u16();
  },
  8: (status, reader) => {
    status.databaseCollation = reader.u16();
  },
  9: (status, reader) => {
    status.tableMapForUpdate = reader.buffer.readBigUInt64LE(reader.skip(8));
  },
  // The size of the statement, of servers before 5.5.
  10: (_status, reader) => {
    reader.skip(4);
  },
  11: (status, reader) => {
    status.invoker = { user: reader.text(reader.u8()), host: reader.text(reader.u8()) };
  },
  12: (status, reader) => {
    const count = reader.u8();
    status.updatedSchemas = count === TOO_MANY_SCHEMAS ? "many" : Array.from({ length: count }, () => cString(reader));
  },
  13: (status, reader) => {
    status.microseconds = reader.buffer.readUIntLE(reader.skip(3), 3);
  },
  // Commit times, which only development versions wrote here.
  14: (_status, reader) => {
    reader.skip(8);
  },
  15: (_status, reader) => {
    reader.skip(8);
  },
  16: (status, reader) => {
    status.explicitTimestampDefaults = reader.u8() !== 0;
  },
  17: (status, reader) => {
    status.ddlXid = reader.buffer.readBigUInt64LE(reader.skip(8));
  },
  18: (status, reader) => {
    status.utf8mb4Collation = reader.u16();
  },
  19: (status, reader) => {
    status.requirePrimaryKey = reader.u8() !== 0;
  },
  20: (status, reader) => {
    status.defaultTableEncryption = reader.u8() !== 0;
  },
};

/** Reads the settings of a QUERY event. @throws {SwitchyardError} `BINLOG_MALFORMED` when one of them is cut */
export function decodeQueryStatus(bytes: Buffer): QueryStatus {
  const status: QueryStatus = {};
  const reader = new EventReader(bytes);
  while (reader.left > 0) {
    const code = reader.u8();
    const read = READERS[code];
    if (read === undefined) {
      status.unknownCode = code;
      break;
    }
    read(status, reader);
  }
  return status;
}

function cString(reader: EventReader): string {
  const end = reader.buffer.indexOf(0, reader.offset);
  const text = reader.text((end < 0 ? reader.end : end) - reader.offset);
  reader.skip(1);
  return text;
}
