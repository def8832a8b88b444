import { enumLabels } from "./enum-labels.ts";
import type { ColumnShape } from "./table-shape.ts";

/** What becomes of the values of one column in another. */
export type Widening =
  /** Every value arrives as it was. `narrows` says what the other column may hold that does not fit on the way back. */
  { readonly narrows: string | undefined } | { readonly refuse: string };

/** Bits of each integer type. */
const INTEGER_BITS: Readonly<Record<string, bigint>> = {
  tinyint: 8n,
  smallint: 16n,
  mediumint: 24n,
  int: 32n,
  bigint: 64n,
};
const TIMES: ReadonlySet<string> = new Set(["time", "datetime", "timestamp"]);
/** Types that each take all that those before them take. */
const TEXTS = ["varchar", "tinytext", "text", "mediumtext", "longtext"] as const;
const BLOBS = ["varbinary", "tinyblob", "blob", "mediumblob", "longblob"] as const;

/** The least and the largest value of an integer column; `undefined` for other types. */
export function integerRange(column: ColumnShape): { readonly least: bigint; readonly most: bigint } | undefined {
  const bits = INTEGER_BITS[column.dataType];
  if (bits === undefined) return undefined;
  return column.unsigned
    ? { least: 0n, most: (1n << bits) - 1n }
    : { least: -(1n << (bits - 1n)), most: (1n << (bits - 1n)) - 1n };
}

/** Digits before and after the point of a DECIMAL. */
export function decimalDigits({
  columnType,
}: ColumnShape): { readonly before: number; readonly after: number } | undefined {
  const found = /^decimal\((\d+),(\d+)\)/i.exec(columnType);
  return found === null ? undefined : { before: Number(found[1]) - Number(found[2]), after: Number(found[2]) };
}

/** Characters, or bytes of binary ones, that a CHAR, VARCHAR or VARBINARY takes. */
export function lengthOf({ columnType }: ColumnShape): number | undefined {
  const found = /^(?:var)?(?:char|binary)\((\d+)\)/i.exec(columnType);
  return found === null ? undefined : Number(found[1]);
}

/** Whether two columns are of the same type in everything that decides what a value is, the case of labels too. */
export function sameType(from: ColumnShape, to: ColumnShape): boolean {
  return typeText(from) === typeText(to) && from.collation === to.collation;
}

function typeText({ dataType, columnType }: ColumnShape): string {
  return dataType === "enum" || dataType === "set" ? columnType : columnType.toLowerCase();
}

/**
 * Whether `to` takes every value of `from` bit by bit, and whether `from` takes those of `to`. What is not listed here is
 * refused: it might be rounded, cut, filled up or converted.
 */
export function widening(from: ColumnShape, to: ColumnShape): Widening {
  if (from.nullable && !to.nullable) return { refuse: "it may be NULL on the source and not on the target" };
  const types = sameType(from, to) ? { narrows: undefined } : typeWidening(from, to);
  if ("refuse" in types || from.nullable === to.nullable) return types;
  return { narrows: types.narrows === undefined ? "NULL" : `${types.narrows}, or NULL` };
}

function typeWidening(from: ColumnShape, to: ColumnShape): Widening {
  if (/zerofill/i.test(from.columnType + to.columnType))
    return { refuse: "ZEROFILL shows numbers by the width of their column" };
  return (
    integers(from, to) ??
    decimals(from, to) ??
    floats(from, to) ??
    times(from, to) ??
    strings(from, to) ??
    labels(from, to) ?? {
      refuse: `${from.columnType} to ${to.columnType} is not among the widenings that carry every value`,
    }
  );
}

function integers(from: ColumnShape, to: ColumnShape): Widening | undefined {
  const [mine, theirs] = [integerRange(from), integerRange(to)];
  if (mine === undefined || theirs === undefined) return undefined;
  if (theirs.least > mine.least || theirs.most < mine.most) return refuse(from, to, "does not take every number");
  const same = theirs.least === mine.least && theirs.most === mine.most;
  return { narrows: same ? undefined : `numbers outside of ${mine.least} to ${mine.most}` };
}

function decimals(from: ColumnShape, to: ColumnShape): Widening | undefined {
  const [mine, theirs] = [decimalDigits(from), decimalDigits(to)];
  if (mine === undefined || theirs === undefined) return undefined;
  if (theirs.before < mine.before || theirs.after < mine.after || (to.unsigned && !from.unsigned)) {
    return refuse(from, to, "does not take every number");
  }
  return { narrows: `numbers that take more than ${from.columnType}` };
}

function floats(from: ColumnShape, to: ColumnShape): Widening | undefined {
  if (from.columnType.toLowerCase() !== "float" || to.columnType.toLowerCase() !== "double") return undefined;
  return { narrows: "numbers that FLOAT would round" };
}

function times(from: ColumnShape, to: ColumnShape): Widening | undefined {
  if (from.dataType !== to.dataType || !TIMES.has(from.dataType)) return undefined;
  if (to.scale < from.scale) return refuse(from, to, "would round fractions of seconds");
  return { narrows: `fractions of seconds of more than ${from.scale} digits` };
}

function strings(from: ColumnShape, to: ColumnShape): Widening | undefined {
  const wider = from.dataType === "char" ? to.dataType === "char" : family(from, to, TEXTS) || family(from, to, BLOBS);
  if (!wider) return undefined;
  const threeToFour = from.charset === "utf8mb3" && to.charset === "utf8mb4";
  if (!threeToFour && (from.charset !== to.charset || from.collation !== to.collation)) {
    return refuse(from, to, `has another collation, ${to.collation} and not ${from.collation}`);
  }
  const [mine, theirs] = [lengthOf(from), lengthOf(to)];
  const shorter = theirs === undefined ? to.octets < from.octets : mine === undefined || theirs < mine;
  if (shorter) return refuse(from, to, "is shorter");
  const beyond = threeToFour ? ["characters beyond utf8mb3"] : [];
  const longer = mine === theirs && from.dataType === to.dataType ? [] : [`values longer than ${from.columnType}`];
  return { narrows: [...longer, ...beyond].join(", or ") || undefined };
}

function family(from: ColumnShape, to: ColumnShape, types: readonly string[]): boolean {
  const [mine, theirs] = [types.indexOf(from.dataType), types.indexOf(to.dataType)];
  return mine >= 0 && theirs >= mine;
}

function labels(from: ColumnShape, to: ColumnShape): Widening | undefined {
  if (from.dataType !== to.dataType || (from.dataType !== "enum" && from.dataType !== "set")) return undefined;
  if (from.collation !== to.collation) return refuse(from, to, "has another collation");
  const [mine, theirs] = [enumLabels(from.columnType), enumLabels(to.columnType)];
  if (mine.some((label, index) => theirs[index] !== label))
    return refuse(from, to, "has labels elsewhere than behind the source's");
  return { narrows: theirs.length === mine.length ? undefined : "labels that only the target has" };
}

function refuse(from: ColumnShape, to: ColumnShape, why: string): Widening {
  return { refuse: `${to.columnType} ${why} (${from.columnType})` };
}
