import { quoteId } from "../base/table-name.ts";
import { digitsAreNumbers, fiveDigitsAreNumbers } from "../table/enum-labels.ts";
import { jsonTypesExpression } from "../table/json-types.ts";
import { WIDE_CHARSETS } from "./value-writer.ts";

/** A stored column as far as copying it needs to know it. */
export interface CopiedColumn {
  readonly name: string;
  /** `DATA_TYPE` of information_schema, lower case. */
  readonly dataType: string;
  /** `COLUMN_TYPE`: an ENUM's labels. */
  readonly columnType?: string;
  readonly charset?: string | undefined;
}

/** A column as it is read, and as it is written. */
export interface WrittenColumn {
  readonly from: CopiedColumn;
  readonly to: CopiedColumn;
}

/** How the rows of one table leave the source and enter the target without a bit changing. */
export interface LoadColumns {
  /** Expressions for the SELECT, one for each stored column, and behind them those of {@link types}. */
  readonly select: readonly string[];
  /** Positions, among the stored columns, of those whose types the last fields of a row tell where they are not NULL. */
  readonly types: readonly number[];
  /** Column list of `LOAD DATA`: a column, or a variable that {@link assignments} turns into it. */
  readonly targets: readonly string[];
  /** `SET` clauses of `LOAD DATA`. */
  readonly assignments: readonly string[];
  /** The columns that are written, in order, and what stands before and behind the bytes of a value in an INSERT. */
  readonly names: readonly string[];
  readonly around: readonly Around[];
}

/** An SQL expression around an operand. */
export type Around = readonly [before: string, behind: string];

/**
 * Columns whose plain text is not their value, or cannot be loaded as bytes:
 *
 * - FLOAT prints six digits; through DOUBLE it prints all that it has.
 * - BIT is bytes, which LOAD DATA would take for a string of digits or truncate.
 * - ENUM and SET travel by number: labels may hold separators or look like numbers. Where no label of an ENUM can be
 *   taken for digits, these are stored as text, which alone stores the number 0 without a warning; else five digits are.
 * - JSON refuses bytes that claim no character set. What its text does not say of its types comes as a field of its own:
 *   a row that has any cannot be loaded, and is to be inserted.
 *
 * Everything else is sent as the bytes that the column holds, under `CHARACTER SET binary`.
 */
export function loadColumns(columns: readonly WrittenColumn[]): LoadColumns {
  const names = columns.map(({ to }) => quoteId(to.name));
  const read = columns.map(({ from }) => quoteId(from.name));
  const around = columns.map(({ to }) => aroundValue(to));
  const types = columns.flatMap(({ from }, i) => (from.dataType === "json" ? [i] : []));
  const selected = columns.map(({ from: { dataType } }, i) => {
    if (dataType === "float") return `CAST(${read[i]} AS DOUBLE)`;
    return NUMBERED.has(dataType) ? `CAST(${read[i]} AS UNSIGNED)` : (read[i] as string);
  });
  const targets: string[] = [];
  const assignments: string[] = [];
  for (const [i, [before, behind]] of around.entries()) {
    const name = names[i] as string;
    targets.push(before === "" ? name : `@v${i}`);
    if (before !== "") assignments.push(`${name} = ${before}@v${i}${behind}`);
  }
  const select = [...selected, ...types.map((i) => jsonTypesExpression(read[i] as string))];
  return { select, types, targets, assignments, names, around };
}

const NUMBERED: ReadonlySet<string> = new Set(["enum", "bit", "set"]);
const AS_IS: Around = ["", ""];
const AS_NUMBER: Around = ["CAST(", " AS UNSIGNED)"];

function aroundValue(column: CopiedColumn): Around {
  switch (column.dataType) {
    case "enum":
      return takesDigits(column) ? AS_IS : aroundEnum(column);
    case "bit":
    case "set":
      return AS_NUMBER;
    case "json":
      return ["CONVERT(", " USING utf8mb4)"];
    default:
      return AS_IS;
  }
}

/** The `LOAD DATA LOCAL` statement for a quoted table; reads what {@link LoadEncoder} writes. */
export function loadStatement(quotedTable: string, columns: LoadColumns): string {
  const set = columns.assignments.length === 0 ? "" : ` SET ${columns.assignments.join(", ")}`;
  return (
    `LOAD DATA LOCAL INFILE 'switchyard' INTO TABLE ${quotedTable} CHARACTER SET binary` +
    ` FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' (${columns.targets.join(", ")})${set}`
  );
}

function aroundEnum({ columnType, charset = "" }: CopiedColumn): Around {
  // The server reads no number from more than five bytes.
  const asText = columnType !== undefined && !WIDE_CHARSETS.has(charset) && fiveDigitsAreNumbers(columnType);
  return asText ? ["CONVERT(LPAD(", ", 5, '0') USING utf8mb4)"] : AS_NUMBER;
}

function takesDigits(column: CopiedColumn): boolean {
  if (column.columnType === undefined || WIDE_CHARSETS.has(column.charset ?? "")) return false;
  return digitsAreNumbers(column.columnType);
}
