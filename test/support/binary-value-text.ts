import type { BinaryValue, DateTimeParts, TimeParts } from "../../src/wire/binary-value.ts";
import type { ColumnDefinition } from "../../src/wire/column-definition.ts";
import { FIELD } from "../../src/wire/field-type.ts";

/** How the text protocol shows the values of a binary row, as latin1. Floats are shown as JavaScript does. */
export function textOfBinaryRow(row: readonly BinaryValue[], columns: readonly ColumnDefinition[]): (string | null)[] {
  return row.map((value, index) => {
    const column = columns[index];
    if (value === null || column === undefined) return null;
    if (Buffer.isBuffer(value)) return value.toString("latin1");
    if (typeof value === "object") return "negative" in value ? timeText(value, column) : dateText(value, column);
    if (column.type === FIELD.YEAR) return String(value).padStart(4, "0");
    if (typeof value === "number" && Math.abs(value) > 1e15) return value.toExponential().replace("e+", "e");
    return String(value);
  });
}

function dateText(value: DateTimeParts, { type, decimals }: ColumnDefinition): string {
  const day = `${pad(value.year, 4)}-${pad(value.month, 2)}-${pad(value.day, 2)}`;
  if (type === FIELD.DATE) return day;
  return `${day} ${pad(value.hours, 2)}:${pad(value.minutes, 2)}:${pad(value.seconds, 2)}${fraction(value, decimals)}`;
}

function timeText(value: TimeParts, { decimals }: ColumnDefinition): string {
  const hours = pad(value.days * 24 + value.hours, 2);
  const sign = value.negative ? "-" : "";
  return `${sign}${hours}:${pad(value.minutes, 2)}:${pad(value.seconds, 2)}${fraction(value, decimals)}`;
}

function fraction({ microseconds }: { readonly microseconds: number }, decimals: number): string {
  return decimals === 0 ? "" : `.${pad(microseconds, 6).slice(0, decimals)}`;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, "0");
}
