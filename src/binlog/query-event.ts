import type { QueryEvent } from "./binlog-event.ts";
import { EventReader } from "./event-reader.ts";
import { EVENT_FLAG } from "./event-types.ts";

/** QUERY_EVENT. Of the session's settings only `sql_mode` is decoded; `decodeQueryStatus` reads the rest for who asks. */
export function decodeQueryEvent(
  reader: EventReader,
  { timestamp, flags }: { readonly timestamp: number; readonly flags: number },
): QueryEvent {
  const threadId = reader.u32();
  const executionSeconds = reader.u32();
  const schemaLength = reader.u8();
  const errorCode = reader.u16();
  const status = reader.bytes(reader.u16());
  const schema = reader.text(schemaLength);
  reader.skip(1);
  const sql = reader.text(reader.left);
  const sqlMode = sqlModeOf(status);
  const ofThread = (flags & EVENT_FLAG.THREAD_SPECIFIC) !== 0;
  return { kind: "query", timestamp, schema, sql, sqlMode, threadId, executionSeconds, errorCode, status, ofThread };
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
