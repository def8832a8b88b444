import { isUtf8 } from "node:buffer";
import type { TextRow } from "../wire/text-row.ts";
import type { ComparisonPlan } from "./comparison-plan.ts";
import type { DifferingColumn, ReadableRow } from "./diff-report.ts";

/** Longer values are cut in reports. */
export const SHOWN_BYTES_MAX = 512;

const UNICODE: ReadonlySet<string> = new Set(["utf8mb4", "utf8mb3", "utf8", "ascii"]);

/** A row as people can read it, from a row that was scanned; values are cut behind `bytesMax`. */
export function readableRow(plan: ComparisonPlan, row: TextRow, bytesMax = SHOWN_BYTES_MAX): ReadableRow {
  const readable: Record<string, string | null> = {};
  for (const column of plan.columns) {
    readable[column.name] = readableValue(row.field(column.field), column.charset, bytesMax);
  }
  return readable;
}

/** The columns in which two scanned rows differ, byte by byte; NULL differs from every value at once. */
export function differingColumns(plan: ComparisonPlan, one: TextRow, other: TextRow): DifferingColumn[] {
  return plan.columns.flatMap(({ name, field }, index) => {
    const atByte = firstDifference(one.field(field), other.field(field));
    if (atByte !== undefined) return [{ column: name, atByte }];
    // Some columns are read as two fields: the text of a JSON value, and the types that it does not say.
    const next = plan.columns[index + 1]?.field ?? plan.fieldCount - (plan.byContent ? 1 : 0);
    for (let also = field + 1; also < next; also += 1) {
      if (firstDifference(one.field(also), other.field(also)) !== undefined) return [{ column: name, atByte: 0 }];
    }
    return [];
  });
}

function firstDifference(one: Buffer | null, other: Buffer | null): number | undefined {
  if (one === null || other === null) return one === other ? undefined : 0;
  if (one.equals(other)) return undefined;
  const shorter = Math.min(one.length, other.length);
  let at = 0;
  while (at < shorter && one[at] === other[at]) at += 1;
  return at;
}

/** The key of a scanned row: `region=eu, id=7`; the beginning of its digest where it has none. */
export function readableKey(plan: ComparisonPlan, row: TextRow, bytesMax = SHOWN_BYTES_MAX): string {
  if (plan.byContent) return `content ${row.field(plan.keyFields[0] ?? -1)?.toString("latin1", 0, 16) ?? ""}`;
  const names = plan.keyColumns.map((position) => plan.columns[position]);
  return names
    .map((column) =>
      column === undefined ? "" : `${column.name}=${readableValue(row.field(column.field), column.charset, bytesMax)}`,
    )
    .join(", ");
}

/** A value as text where its bytes are that in its character set, otherwise as hexadecimal. */
export function readableValue(
  bytes: Buffer | null,
  charset: string | undefined,
  bytesMax = SHOWN_BYTES_MAX,
): string | null {
  if (bytes === null) return null;
  const shown = bytes.subarray(0, bytesMax);
  const cut = bytes.length > bytesMax ? `… (${bytes.length} bytes)` : "";
  if (charset === "latin1") return shown.toString("latin1") + cut;
  // A cut in the middle of a character must not make a text look like no text.
  if (charset !== undefined && UNICODE.has(charset) && isUtf8(bytes)) return shown.toString("utf8") + cut;
  return `0x${shown.toString("hex").toUpperCase()}${cut}`;
}
