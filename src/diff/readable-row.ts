import { isUtf8 } from "node:buffer";
import type { TextRow } from "../wire/text-row.ts";
import type { ComparisonPlan } from "./comparison-plan.ts";
import type { ReadableRow } from "./diff-report.ts";

/** Longer values are cut in reports. */
const SHOWN_BYTES_MAX = 512;

const UNICODE: ReadonlySet<string> = new Set(["utf8mb4", "utf8mb3", "utf8", "ascii"]);

/** A row as people can read it, from a row that was scanned. */
export function readableRow(plan: ComparisonPlan, row: TextRow): ReadableRow {
  const readable: Record<string, string | null> = {};
  for (const column of plan.columns) readable[column.name] = readableValue(row.field(column.field), column.charset);
  return readable;
}

/** The primary key of a scanned row: `region=eu, id=7`. */
export function readableKey(plan: ComparisonPlan, row: TextRow): string {
  const names = plan.keyColumns.map((position) => plan.columns[position]);
  return names
    .map((column) =>
      column === undefined ? "" : `${column.name}=${readableValue(row.field(column.field), column.charset)}`,
    )
    .join(", ");
}

/** A value as text where its bytes are that in its character set, otherwise as hexadecimal. */
export function readableValue(bytes: Buffer | null, charset: string | undefined): string | null {
  if (bytes === null) return null;
  const shown = bytes.subarray(0, SHOWN_BYTES_MAX);
  const cut = bytes.length > SHOWN_BYTES_MAX ? `… (${bytes.length} bytes)` : "";
  if (charset === "latin1") return shown.toString("latin1") + cut;
  // A cut in the middle of a character must not make a text look like no text.
  if (charset !== undefined && UNICODE.has(charset) && isUtf8(bytes)) return shown.toString("utf8") + cut;
  return `0x${shown.toString("hex").toUpperCase()}${cut}`;
}
