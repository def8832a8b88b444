import type { RowOperation } from "./binlog-event.ts";
import { EVENT, EVENT_HEADER_BYTES, ROWS_FLAG } from "./event-types.ts";
import type { TableMap } from "./table-map.ts";

const BINLOG_VERSION = 4;
const VERSION_TEXT_BYTES = 50;
/** The newest layout of the events below: servers from 5.6 on write and read it. */
const VERSION_TEXT = "8.0.11";

/**
 * Length of the fixed part of each event type, from type 1 on, as MySQL 8.0 writes them; a reader needs those of
 * TABLE_MAP and of the rows events.
 */
const POST_HEADER_BYTES: readonly number[] = [
  56, 13, 0, 8, 0, 0, 0, 0, 4, 0, 4, 0, 0, 0, 95, 0, 4, 26, 8, 0, 0, 0, 8, 8, 8, 2, 0, 0, 0, 10, 10, 10, 42, 42, 0, 18,
  52, 0, 10, 40, 0,
];

const NO_CHECKSUMS = 0;
const CHECKSUM_BYTES = 4;

const EVENT_OF: Readonly<Record<RowOperation, number>> = {
  write: EVENT.WRITE_ROWS,
  update: EVENT.UPDATE_ROWS,
  delete: EVENT.DELETE_ROWS,
};

/**
 * Foreign keys were minded where the rows were first changed. Unique keys are always checked: a session there that
 * did not check them says nothing about the rows here.
 */
const FLAGS = ROWS_FLAG.STATEMENT_END | ROWS_FLAG.NO_FOREIGN_KEY_CHECKS;

/** The event that must come before all others: events without checksums follow. */
export function formatDescriptionEvent(): Buffer {
  const body = Buffer.alloc(2 + VERSION_TEXT_BYTES + 4 + 1 + POST_HEADER_BYTES.length + 1 + CHECKSUM_BYTES);
  body.writeUInt16LE(BINLOG_VERSION, 0);
  body.write(VERSION_TEXT, 2, "latin1");
  let at = 2 + VERSION_TEXT_BYTES + 4;
  at = body.writeUInt8(EVENT_HEADER_BYTES, at);
  for (const bytes of POST_HEADER_BYTES) at = body.writeUInt8(bytes, at);
  body.writeUInt8(NO_CHECKSUMS, at);
  return Buffer.concat([header(EVENT.FORMAT_DESCRIPTION, body.length, 0), body]);
}

/** Says of what table the rows are that follow. */
export function tableMapEvent(map: TableMap, seconds: number): Buffer {
  return Buffer.concat([header(EVENT.TABLE_MAP, map.body.length, seconds), map.body]);
}

/**
 * Everything of a rows event but the rows: a statement of its own, of images that have every column.
 *
 * @param rowBytes how many bytes of rows follow.
 * @param seconds since 1970, when the rows were changed.
 */
export function rowsEventHead(map: TableMap, operation: RowOperation, rowBytes: number, seconds: number): Buffer {
  const width = map.columns.length;
  const bitmapBytes = (width + 7) >> 3;
  const bitmaps = operation === "update" ? 2 : 1;
  const widthBytes = width < 251 ? 1 : 3;
  const head = Buffer.alloc(6 + 2 + 2 + widthBytes + bitmaps * bitmapBytes, 0xff);
  head.writeUIntLE(map.tableId, 0, 6);
  head.writeUInt16LE(FLAGS, 6);
  // The length of the extra data, which counts itself: there is none.
  head.writeUInt16LE(2, 8);
  if (widthBytes === 1) head.writeUInt8(width, 10);
  else {
    head.writeUInt8(0xfc, 10);
    head.writeUInt16LE(width, 11);
  }
  return Buffer.concat([header(EVENT_OF[operation], head.length + rowBytes, seconds), head]);
}

function header(type: number, bodyBytes: number, seconds: number): Buffer {
  const bytes = Buffer.alloc(EVENT_HEADER_BYTES);
  bytes.writeUInt32LE(seconds, 0);
  bytes.writeUInt8(type, 4);
  bytes.writeUInt32LE(EVENT_HEADER_BYTES + bodyBytes, 9);
  return bytes;
}
