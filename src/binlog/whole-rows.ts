import type { RowsEvent } from "./binlog-event.ts";
import type { ColumnType } from "./column-type.ts";
import { malformed } from "./event-reader.ts";
import { applyJsonDiffs, decodeJsonDiffs } from "./json-diff.ts";
import { readJson } from "./json-value.ts";
import { writeJson } from "./json-writer.ts";
import { differencesStart, RowWalker, VALUE_ABSENT, VALUE_NULL } from "./row-walker.ts";

/**
 * The event that the server would have logged without partial updates of JSON: each value after is made from the value
 * before and the differences. `undefined` where an image before lacks the value that differences belong to.
 *
 * @throws {SwitchyardError} `BINLOG_MALFORMED`
 */
export function wholeRows(event: RowsEvent): RowsEvent | undefined {
  if (!event.partialJson) return event;
  const walker = new RowWalker(event);
  const parts: Buffer[] = [];
  while (walker.next()) {
    parts.push(event.rows.subarray(walker.begin, walker.afterBegin));
    if (!addAfter(parts, walker, event.table.columns)) return undefined;
  }
  return { ...event, partialJson: false, rows: Buffer.concat(parts) };
}

/** Adds the image after, whole; false where that cannot be known. */
function addAfter(parts: Buffer[], walker: RowWalker, columns: readonly ColumnType[]): boolean {
  const { buffer, starts, ends } = walker.after;
  const present = [...columns.keys()].filter((i) => starts[i] !== VALUE_ABSENT);
  const values: Buffer[] = [];
  const isNull: boolean[] = [];
  for (const i of present) {
    const start = starts[i] as number;
    isNull.push(start === VALUE_NULL);
    if (start === VALUE_NULL) continue;
    const prefixBytes = Math.max(0, (columns[i] as ColumnType).prefixBytes);
    if (differencesStart(walker.after, i) === undefined) {
      values.push(buffer.subarray(start - prefixBytes, ends[i]));
      continue;
    }
    const whole = valueAfter(walker, i);
    if (whole === undefined) return false;
    const length = Buffer.alloc(prefixBytes);
    length.writeUIntLE(whole.length, 0, prefixBytes);
    values.push(length, whole);
  }
  const nulls = Buffer.alloc((isNull.length + 7) >> 3);
  for (const [i, bit] of isNull.entries()) if (bit) nulls[i >> 3] = (nulls[i >> 3] as number) | (1 << (i & 7));
  parts.push(nulls, ...values);
  return true;
}

function valueAfter({ before, after }: RowWalker, column: number): Buffer | undefined {
  const start = before.starts[column] as number;
  if (start === VALUE_ABSENT) return undefined;
  if (start < 0) throw malformed("differences of a JSON value that was none");
  const from = differencesStart(after, column) as number;
  const end = before.ends[column] as number;
  const diffs = decodeJsonDiffs(after.buffer, from, after.ends[column] as number);
  // Without differences the value is as before, in every byte.
  if (diffs.length === 0) return before.buffer.subarray(start, end);
  return writeJson(applyJsonDiffs(readJson(before.buffer, start, end), diffs));
}
