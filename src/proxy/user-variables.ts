import { quoteId } from "../base/table-name.ts";
import { FIELD, UNSIGNED_FLAG } from "../wire/field-type.ts";
import type { OwnAnswer } from "./backend-connection.ts";

/** Values of more bytes in all are not carried from one server to another. */
export const VARIABLES_BYTES_MAX = 128 * 1024;
/** A value of each kind is asked for in this many columns. */
const COLUMNS_EACH = 4;

/**
 * The statement that reads user variables so that {@link assignmentsOf} can tell what sets them exactly. It gives one row,
 * or none where the values are too long. Whatever `sql_select_limit` and `sql_mode` are.
 */
export function readingOf(names: readonly string[]): string {
  const variables = names.map((name) => `@${quoteId(name)}`);
  const columns = variables.map((it) => `${it}, HEX(${it}), CHARSET(${it}), COLLATION(${it})`);
  const bytes = variables.map((it) => `IFNULL(LENGTH(${it}), 0)`);
  return `SELECT ${columns.join(", ")} FROM DUAL WHERE ${bytes.join(" + ")} <= ${VARIABLES_BYTES_MAX} LIMIT 1`;
}

/** The statements that give variables the values and types that the answer to {@link readingOf} shows, or why there are none. */
export function assignmentsOf(
  names: readonly string[],
  answer: OwnAnswer,
): readonly string[] | { readonly no: string } {
  if (answer.error !== undefined) return { no: `its user variables cannot be read: ${answer.error.message}` };
  const [row] = answer.rows;
  if (row === undefined) return { no: `its user variables hold more than ${VARIABLES_BYTES_MAX / 1024} KiB` };
  if (answer.columns.length !== names.length * COLUMNS_EACH) {
    return { no: "the client asked for results without metadata, which hides the types of its user variables" };
  }
  return names.map((name, index) => {
    const at = index * COLUMNS_EACH;
    const [value, hex, charset, collation] = row.slice(at, at + COLUMNS_EACH).map(ascii);
    const { type = 0, flags = 0 } = answer.columns[at] ?? {};
    const unsigned = (flags & UNSIGNED_FLAG) !== 0;
    const shown = {
      value: value ?? null,
      hex: hex ?? null,
      charset: charset ?? "binary",
      collation: collation ?? "binary",
    };
    return `SET @${quoteId(name)} = ${expressionOf(type, unsigned, shown)}`;
  });
}

interface Shown {
  readonly value: string | null;
  readonly hex: string | null;
  readonly charset: string;
  readonly collation: string;
}

function expressionOf(type: number, unsigned: boolean, shown: Shown): string {
  const { value } = shown;
  switch (type) {
    case FIELD.LONGLONG:
      return `CAST(${value ?? "NULL"} AS ${unsigned ? "UNSIGNED" : "SIGNED"})`;
    case FIELD.NEWDECIMAL:
      return `CAST(${value ?? "NULL"} AS DECIMAL(65, ${value?.split(".")[1]?.length ?? 0}))`;
    case FIELD.DOUBLE:
      if (value === null) return "NULL + 0e0";
      return /e/i.test(value) ? value : `${value}e0`;
    default:
      return textOf(shown);
  }
}

function textOf({ hex, charset, collation }: Shown): string {
  if (charset === "binary") return hex === null ? "NULL" : `_binary X'${hex}'`;
  const text = hex === null ? `CONVERT(NULL USING ${charset})` : `_${charset} X'${hex}'`;
  return `${text} COLLATE ${collation}`;
}

/** Numbers, names and hexadecimal digits, also where the client wants results in UTF-16 or UTF-32. */
function ascii(text: string | null): string | null {
  return text?.replaceAll("\0", "") ?? null;
}
