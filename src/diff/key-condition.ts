import { assert } from "../base/assert.ts";
import { quoteId } from "../base/table-name.ts";
import { rowKeyColumns } from "../table/row-key.ts";
import type { ColumnShape, TableShape } from "../table/table-shape.ts";

/** Not YEAR: as a number 0 would be the year 2000 in a comparison. */
const NUMBERS: ReadonlySet<string> = new Set([
  "tinyint",
  "smallint",
  "mediumint",
  "int",
  "bigint",
  "decimal",
  "enum",
  "set",
]);

/** Character sets that no literal may be written in, and those that have all of their characters. */
const WRITTEN_AS: Readonly<Record<string, string>> = { utf8mb3: "utf8mb4", ucs2: "utf16" };

/**
 * The condition that finds the row of a key, given as the fields of its comparison. Texts compare by the column's own
 * collation: what finds a row on one side finds every row on the other that could not lie beside it.
 *
 * `charsets` are those of the fields, by column of the key.
 */
export function keyCondition(
  shape: TableShape,
  charsets: readonly (string | undefined)[],
  key: readonly Buffer[],
): string {
  return comparisons(shape, charsets, key)
    .map(({ value, literal }) => `${value} = ${literal}`)
    .join(" AND ");
}

/**
 * The condition that finds the rows behind a key, in the server's own order of the key's index. Spelled out instead of
 * compared as rows, because the server finds no range in `(a, b) > (1, 2)`.
 */
export function keyBeyond(
  shape: TableShape,
  charsets: readonly (string | undefined)[],
  key: readonly Buffer[],
): string {
  return beside(comparisons(shape, charsets, key), ">", ">");
}

/** Like {@link keyBeyond}, all other rows: those up to the key, with its own. */
export function keyUpTo(shape: TableShape, charsets: readonly (string | undefined)[], key: readonly Buffer[]): string {
  return beside(comparisons(shape, charsets, key), "<", "<=");
}

function beside(terms: Comparison[], apart: ">" | "<", last: ">" | "<="): string {
  const [first] = terms;
  const end = terms.pop();
  if (first === undefined || end === undefined) return "TRUE";
  let condition = `${end.value} ${last} ${end.literal}`;
  for (const { value, literal } of terms.toReversed()) {
    condition = `(${value} ${apart} ${literal} OR (${value} = ${literal} AND ${condition}))`;
  }
  // The first part alone is what an index is entered by.
  return first === end ? condition : `${first.value} ${apart}= ${first.literal} AND ${condition}`;
}

interface Comparison {
  readonly value: string;
  readonly literal: string;
}

function comparisons(
  shape: TableShape,
  charsets: readonly (string | undefined)[],
  key: readonly Buffer[],
): Comparison[] {
  return rowKeyColumns(shape).map((position, index) => {
    const column = shape.columns[position] as ColumnShape;
    return comparison(column, charsets[index], key[index] ?? Buffer.alloc(0));
  });
}

function comparison(column: ColumnShape, charset: string | undefined, field: Buffer): Comparison {
  const name = quoteId(column.name);
  const hex = `0x${field.toString("hex")}`;
  if (NUMBERS.has(column.dataType)) {
    const numbered = column.dataType === "enum" || column.dataType === "set";
    return { value: `${name}${numbered ? " + 0" : ""}`, literal: numberText(field) };
  }
  if (column.dataType === "float" || column.dataType === "double") {
    return { value: `CAST(${name} AS DOUBLE)`, literal: `CAST('${numberText(field)}' AS DOUBLE)` };
  }
  if (column.dataType === "bit") return { value: `${name} + 0`, literal: `CAST(${hex} AS UNSIGNED)` };
  if (field.length === 0) return { value: name, literal: "''" };
  // Of dates and times the server understands the text in any character set.
  if (column.charset === undefined) return { value: name, literal: `_latin1 ${hex}` };
  if (column.charset === "binary") return { value: name, literal: hex };
  const set = charset ?? column.charset;
  return { value: name, literal: `_${WRITTEN_AS[set] ?? set} ${hex}` };
}

function numberText(field: Buffer): string {
  const text = field.toString("latin1");
  assert(/^-?[\d.]+(?:e[+-]?\d+)?$/i.test(text), "the number of a key is one");
  return text;
}
