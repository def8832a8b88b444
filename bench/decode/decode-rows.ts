import { BinlogDecoder } from "../../src/binlog/binlog-decoder.ts";
import type { RowsEvent } from "../../src/binlog/binlog-event.ts";
import { type RowImage, RowWalker } from "../../src/binlog/row-walker.ts";
import { TransactionReader } from "../../src/binlog/transaction-reader.ts";
import { valueText } from "../../src/binlog/value-text.ts";

/** What is done with each row. */
export type RowWork = "walk" | "values";

/** How many rows of the schema a log holds, decoded as the stream decodes it: checksums, transactions, rows. */
export function decodeRows(packets: readonly Buffer[], schema: string, work: RowWork): number {
  const decoder = new BinlogDecoder();
  const reader = new TransactionReader();
  let rows = 0;
  for (const packet of packets) {
    for (const part of reader.push(decoder.decode(packet))) {
      if (part.kind === "rows" && part.event.table.schema === schema) rows += readRows(part.event, work);
    }
  }
  return rows;
}

/** Kept, so that nothing that is read can be left out as unused. */
let seen = 0;

function readRows(event: RowsEvent, work: RowWork): number {
  const walker = new RowWalker(event);
  let rows = 0;
  while (walker.next()) {
    rows++;
    if (work === "values") {
      if (event.operation !== "write") readValues(event, walker.before);
      if (event.operation !== "delete") readValues(event, walker.after);
    }
  }
  return rows;
}

/** Numbers as their text and strings as their bytes: what a statement is made of. */
function readValues(event: RowsEvent, image: RowImage): void {
  const { buffer, starts, ends } = image;
  const { columns, unsigned } = event.table;
  for (let i = 0; i < columns.length; i++) {
    const start = starts[i] as number;
    if (start < 0) continue;
    const column = columns[i];
    if (column === undefined) continue;
    if (column.fixedBytes >= 0) seen += valueText(column, unsigned?.[i] ?? false, buffer, start).length;
    else seen += buffer.subarray(start, ends[i]).length;
  }
}

/** Bytes of values that have been read in this process. */
export function bytesSeen(): number {
  return seen;
}
