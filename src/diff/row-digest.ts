import { quoteId } from "../base/table-name.ts";
import { isSpatial } from "../table/spatial.ts";
import type { ColumnShape } from "../table/table-shape.ts";

/** Types whose texts have no comma and are never a dash, so that they need no length in front of them. */
const PLAIN: ReadonlySet<string> = new Set([
  ...["tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"],
  ...["date", "time", "datetime", "timestamp", "year"],
]);
/** Types whose values may be too long to be put behind each other. */
const LONG = /(?:text|blob)$|^json$|^vector$/;

/**
 * What the text of a row has for a column; `expressions` are its fields, the same as in a comparison by bytes. Different fields have
 * different parts, wherever they begin and end, and NULL is apart from every value. Both sides have the same for the same.
 */
export function digestParts(column: ColumnShape, ofOtherSide: ColumnShape, expressions: readonly string[]): string[] {
  const isLong = mayBeLong(column) || mayBeLong(ofOtherSide);
  return expressions.map((expression, index) => partOf(column, isLong, expression, index));
}

function mayBeLong({ dataType }: ColumnShape): boolean {
  return LONG.test(dataType) || isSpatial(dataType);
}

function partOf(column: ColumnShape, isLong: boolean, expression: string, index: number): string {
  const bytes = `CAST(${expression} AS BINARY)`;
  // The second field is a number, or the types inside of JSON, NULL where its text says all.
  if (index > 0) return column.dataType === "json" ? `IFNULL(SHA2(${bytes}, 256), '-')` : `IFNULL(${expression}, '-')`;
  if (PLAIN.has(column.dataType)) return column.nullable ? `IFNULL(${expression}, '-')` : expression;
  const part = isLong ? `SHA2(${bytes}, 256)` : `CONCAT(LENGTH(${expression}), ':', ${bytes})`;
  // Of the column, not of the expression: a value that the server cannot convert must not look like NULL.
  return column.nullable ? `IF(ISNULL(${quoteId(column.name)}), '-', ${part})` : part;
}

/**
 * A sum of all rows of a range that have different keys: the exclusive or of a digest of each. It is that of SHA-256, because CRC32 and its
 * kind are linear: values exchanged between two rows would leave the sum as it was. A row whose text the server cannot
 * put together, because it is longer than `max_allowed_packet`, counts as one that is like no other.
 */
export function rowsSum(parts: readonly string[]): string {
  const text = `CONCAT(${parts.join(", ',', ")}, ',')`;
  return `HEX(BIT_XOR(UNHEX(SHA2(COALESCE(${text}, UUID()), 256))))`;
}
