import type { QueryEvent } from "./binlog-event.ts";
import { EventReader } from "./event-reader.ts";

/** QUERY_EVENT. Of the status variables only those before and including `sql_mode` are needed. */
export function decodeQueryEvent(reader: EventReader): QueryEvent {
  reader.skip(8); // thread id, execution time
  const schemaLength = reader.u8();
  reader.skip(2); // error code
  const statusLength = reader.u16();
  const status = reader.bytes(statusLength);
  const schema = reader.text(schemaLength);
  reader.skip(1);
  return { kind: "query", schema, sql: reader.text(reader.left), sqlMode: sqlModeOf(status) };
}

/**
 * The server writes the variables in the order of its own code, `flags2` and `sql_mode` first; a list that begins
 * otherwise has no `sql_mode`.
 */
function sqlModeOf(status: Buffer): bigint {
  const reader = new EventReader(status);
  while (reader.left > 0) {
    const code = reader.u8();
    if (code === 0) reader.skip(4);
    else if (code === 1) return status.readBigUInt64LE(reader.skip(8));
    else return 0n;
  }
  return 0n;
}
