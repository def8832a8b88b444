import { quoteId } from "../base/table-name.ts";
import { digitsAreNumbers, fiveDigitsAreNumbers } from "../table/enum-labels.ts";

/** A stored column as far as copying it needs to know it. */
export interface CopiedColumn {
  readonly name: string;
  /** `DATA_TYPE` of information_schema, lower case. */
  readonly dataType: string;
  /** `COLUMN_TYPE`: an ENUM's labels. */
  readonly columnType?: string;
  readonly charset?: string | undefined;
}

/** Character sets in which digits are not their ASCII bytes. */
const WIDE_CHARSETS: ReadonlySet<string> = new Set(["ucs2", "utf16", "utf16le", "utf32"]);

/** How the rows of one table leave the source and enter the target without a bit changing. */
export interface LoadColumns {
  /** Expressions for the SELECT, one for each stored column. */
  readonly select: readonly string[];
  /** Column list of `LOAD DATA`: a column, or a variable that {@link assignments} turns into it. */
  readonly targets: readonly string[];
  /** `SET` clauses of `LOAD DATA`. */
  readonly assignments: readonly string[];
}

/**
 * Columns whose plain text is not their value, or cannot be loaded as bytes:
 *
 * - FLOAT prints six digits; through DOUBLE it prints all that it has.
 * - BIT is bytes, which LOAD DATA would take for a string of digits or truncate.
 * - ENUM and SET travel by number: labels may hold separators or look like numbers. Where no label of an ENUM can be
 *   taken for digits, these are stored as text, which alone stores the number 0 without a warning; else five digits are.
 * - JSON refuses bytes that claim no character set.
 *
 * Everything else is sent as the bytes that the column holds, under `CHARACTER SET binary`.
 */
export function loadColumns(columns: readonly CopiedColumn[]): LoadColumns {
  const select: string[] = [];
  const targets: string[] = [];
  const assignments: string[] = [];
  for (const [index, column] of columns.entries()) {
    const name = quoteId(column.name);
    const variable = `@v${index}`;
    switch (column.dataType) {
      case "float":
        select.push(`CAST(${name} AS DOUBLE)`);
        targets.push(name);
        break;
      case "enum":
        select.push(`CAST(${name} AS UNSIGNED)`);
        if (takesDigits(column)) targets.push(name);
        else {
          targets.push(variable);
          assignments.push(`${name} = ${enumValue(column, variable)}`);
        }
        break;
      case "bit":
      case "set":
        select.push(`CAST(${name} AS UNSIGNED)`);
        targets.push(variable);
        assignments.push(`${name} = CAST(${variable} AS UNSIGNED)`);
        break;
      case "json":
        select.push(name);
        targets.push(variable);
        assignments.push(`${name} = CONVERT(${variable} USING utf8mb4)`);
        break;
      default:
        select.push(name);
        targets.push(name);
    }
  }
  return { select, targets, assignments };
}

/** The `LOAD DATA LOCAL` statement for a quoted table; reads what {@link LoadEncoder} writes. */
export function loadStatement(quotedTable: string, columns: LoadColumns): string {
  const set = columns.assignments.length === 0 ? "" : ` SET ${columns.assignments.join(", ")}`;
  return (
    `LOAD DATA LOCAL INFILE 'switchyard' INTO TABLE ${quotedTable} CHARACTER SET binary` +
    ` FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (${columns.targets.join(", ")})${set}`
  );
}

function enumValue(column: CopiedColumn, variable: string): string {
  const { columnType, charset = "" } = column;
  // The server reads no number from more than five bytes.
  const asText = columnType !== undefined && !WIDE_CHARSETS.has(charset) && fiveDigitsAreNumbers(columnType);
  return asText ? `CONVERT(LPAD(${variable}, 5, '0') USING utf8mb4)` : `CAST(${variable} AS UNSIGNED)`;
}

function takesDigits(column: CopiedColumn): boolean {
  if (column.columnType === undefined || WIDE_CHARSETS.has(column.charset ?? "")) return false;
  return digitsAreNumbers(column.columnType);
}
