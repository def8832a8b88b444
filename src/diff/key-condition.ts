import { assert } from "../base/assert.ts";
import { quoteId } from "../base/table-name.ts";
import { rowKeyColumns } from "../table/row-key.ts";
import type { ColumnShape, TableShape } from "../table/table-shape.ts";

const NUMBERS: ReadonlySet<string> = new Set([
  "tinyint",
  "smallint",
  "mediumint",
  "int",
  "bigint",
  "decimal",
  "year",
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
  return rowKeyColumns(shape)
    .map((position, index) => {
      const column = shape.columns[position] as ColumnShape;
      return partCondition(column, charsets[index], key[index] ?? Buffer.alloc(0));
    })
    .join(" AND ");
}

function partCondition(column: ColumnShape, charset: string | undefined, field: Buffer): string {
  const name = quoteId(column.name);
  const hex = `0x${field.toString("hex")}`;
  if (NUMBERS.has(column.dataType)) {
    const numbered = column.dataType === "enum" || column.dataType === "set";
    return `${name}${numbered ? " + 0" : ""} = ${numberText(field)}`;
  }
  if (column.dataType === "float" || column.dataType === "double") {
    return `CAST(${name} AS DOUBLE) = CAST('${numberText(field)}' AS DOUBLE)`;
  }
  if (column.dataType === "bit") return `${name} + 0 = CAST(${hex} AS UNSIGNED)`;
  if (field.length === 0) return `${name} = ''`;
  // Of dates and times the server understands the text in any character set.
  if (column.charset === undefined) return `${name} = _latin1 ${hex}`;
  if (column.charset === "binary") return `${name} = ${hex}`;
  const set = charset ?? column.charset;
  return `${name} = _${WRITTEN_AS[set] ?? set} ${hex}`;
}

function numberText(field: Buffer): string {
  const text = field.toString("latin1");
  assert(/^-?[\d.]+(?:e[+-]?\d+)?$/i.test(text), "the number of a key is one");
  return text;
}
