import type { BinlogEvent, XaPrepareEvent } from "./binlog-event.ts";
import { type EventReader, malformed } from "./event-reader.ts";

/** The server's own limit for each half of the name of an XA branch. */
const XA_NAME_BYTES_MAX = 64;
/** Fields of HEARTBEAT_V2. */
const FIELD = { END: 0, FILE: 1, POSITION: 2 } as const;

/** XA_PREPARE_LOG_EVENT: the end of an XA branch in the log, prepared or committed in one phase. */
export function decodeXaPrepare(reader: EventReader): XaPrepareEvent {
  const onePhase = reader.u8() !== 0;
  const formatId = reader.buffer.readInt32LE(reader.skip(4));
  const gtridBytes = reader.u32();
  const bqualBytes = reader.u32();
  if (gtridBytes > XA_NAME_BYTES_MAX || bqualBytes > XA_NAME_BYTES_MAX) {
    throw malformed(`the name of an XA branch has ${gtridBytes} and ${bqualBytes} bytes`);
  }
  const gtrid = reader.bytes(gtridBytes);
  return { kind: "xa-prepare", onePhase, branch: { formatId, gtrid, bqual: reader.bytes(bqualBytes) } };
}

/** HEARTBEAT_LOG_EVENT_V2: fields of type, length and value; it tells positions beyond 4 GiB. */
export function decodeHeartbeatV2(reader: EventReader): BinlogEvent {
  let file = "";
  let position = 0;
  while (reader.left > 0) {
    const field = reader.lenenc();
    if (field === FIELD.END) break;
    const length = reader.lenenc();
    const end = reader.skip(length) + length;
    reader.offset = end - length;
    if (field === FIELD.FILE) file = reader.text(length);
    else if (field === FIELD.POSITION) position = reader.lenenc();
    if (reader.offset > end) throw malformed("a field of a heartbeat is longer than it says");
    reader.offset = end;
  }
  return { kind: "heartbeat", file, position };
}
