import { SwitchyardError } from "../base/errors.ts";
import { quoteId, quoteTable, type TableName, tableKey } from "../base/table-name.ts";
import type { CarriedColumn, CarriedTable } from "../table/carried-columns.ts";
import { pairColumns } from "../table/column-pairs.ts";
import { jsonTypesExpression } from "../table/json-types.ts";
import { compareKeys, type KeyKind, keyKinds, parseKeyPart } from "../table/key-order.ts";
import { rowKey, rowKeyColumns, rowKeyNames } from "../table/row-key.ts";
import { isSpatial } from "../table/spatial.ts";
import { mappingOf, type TableMappings } from "../table/table-mapping.ts";
import type { ColumnShape, TableShape } from "../table/table-shape.ts";
import { contentCondition, contentDigest } from "./content-order.ts";
import { keyBeyond, keyCondition, keyUpTo } from "./key-condition.ts";
import { digestParts, rowsSum } from "./row-digest.ts";

/** A column of both sides, and where its value is in the rows that are read. */
export interface ComparedColumn {
  readonly name: string;
  /** Index of its first field; some columns are read as two. */
  readonly field: number;
  /** For showing it to people. */
  readonly charset: string | undefined;
}

/**
 * The order in which rows are asked for: that of the key, or that of the bytes of its fields. In a table without a key the
 * first is that in which the server has them, and tells no more than whether both sides are equal.
 */
export type RowOrder = "key" | "bytes";

/** A key, given as {@link ComparisonPlan.keyFields}. */
export type PlanKey = readonly Buffer[];

/** How one side is read. A range of keys begins behind `after`, and ends with `upTo`; with the table where that is left out. */
export interface SidePlan {
  /** What is selected of a row, in any order of rows. */
  readonly fields: string;
  /** All rows, or those of a range of keys as the server orders them; without a key, all. */
  select(order: RowOrder, after?: PlanKey, upTo?: PlanKey): string;
  /** Asks for the key that is `rows` rows behind `after`, if there are as many. Without a key, nothing. */
  selectEnd(rows: number, after?: PlanKey, upTo?: PlanKey): string;
  /** Asks for the number of rows of a range and for a sum of them, see {@link rowsSum}. Without a key, of all. */
  selectSum(after?: PlanKey, upTo?: PlanKey): string;
  /** The rows that one of these conditions finds, in the order of bytes; for tables with a key. */
  selectWhere(conditions: readonly string[]): string;
  /** The condition that finds the rows of a key, given as its {@link ComparisonPlan.keyFields}. */
  condition(key: readonly Buffer[]): string;
}

/** How two tables are read so that equal rows have equal bytes. */
export interface ComparisonPlan {
  readonly table: TableName;
  /** Which column of the home is which of the other side. */
  readonly carried: CarriedTable;
  /** As the home names them. */
  readonly columns: readonly ComparedColumn[];
  /** Rows have no key: those of the same content are counted. */
  readonly byContent: boolean;
  /** Positions of the key's columns in {@link columns}, and the fields that it is compared by: without a key, a digest. */
  readonly keyColumns: readonly number[];
  readonly keyFields: readonly number[];
  readonly fieldCount: number;
  /** The order to begin with. */
  readonly order: RowOrder;
  readonly home: SidePlan;
  readonly other: SidePlan;
  /** Compares two keys as the server orders them; `undefined` where that is not ours to compute. */
  compare(order: RowOrder): KeyComparison | undefined;
}

/** Compares two keys, each given as its fields: negative, 0, positive. */
export type KeyComparison = (left: readonly Buffer[], right: readonly Buffer[]) => number;

const INTEGERS: ReadonlySet<string> = new Set(["tinyint", "smallint", "mediumint", "int", "bigint"]);
const TEXTS: ReadonlySet<string> = new Set(["char", "varchar", "tinytext", "text", "mediumtext", "longtext"]);

/**
 * Plans how a table of two servers is compared. `carried` says of a table with a mapping which column is which; else both
 * sides have the same ones.
 *
 * @throws {SwitchyardError} `DIFF_TABLES_UNLIKE` naming the columns.
 */
export function planComparison(
  home: TableShape,
  other: TableShape,
  carried: CarriedTable = pairByName(home, other),
): ComparisonPlan {
  const columns: ComparedColumn[] = [];
  const expressions: Expressions = { home: [], other: [] };
  const digested: Expressions = { home: [], other: [] };
  for (const pair of carried.columns) {
    const [mine, theirs] = [home.columns[pair.from] as ColumnShape, other.columns[pair.to] as ColumnShape];
    const charset = fieldCharset(mine, theirs);
    columns.push({ name: mine.name, field: expressions.home.length, charset });
    const fields = { home: fieldExpressions(mine, theirs), other: fieldExpressions(theirs, mine) };
    expressions.home.push(...fields.home);
    expressions.other.push(...fields.other);
    digested.home.push(...digestParts(mine, theirs, fields.home));
    digested.other.push(...digestParts(theirs, mine, fields.other));
  }
  const whole = { table: home.name, carried, columns };
  const key = rowKey(home);
  if (key === undefined) return { ...whole, ...contentPlan(home, expressions) };
  const keyColumns = key.columns.map((position) => carried.columns.findIndex(({ from }) => from === position));
  const keyFields = keyColumns.map((index, i) => keyField(home.columns[key.columns[i] ?? -1], columns[index]));
  const kinds = commonKinds(home, other);
  const charsets = keyColumns.map((index) => columns[index]?.charset);
  return {
    ...whole,
    byContent: false,
    keyColumns,
    keyFields,
    fieldCount: expressions.home.length,
    order: kinds !== undefined || sameKeyOrder(home, other) ? "key" : "bytes",
    home: keyedSide(home, expressions.home, digested.home, keyFields, charsets),
    other: keyedSide(other, expressions.other, digested.other, keyFields, charsets),
    compare: (order) => (order === "bytes" ? compareBytes : kinds && compareByKinds(kinds)),
  };
}

/**
 * Like {@link planComparison}, by the mapping that the table has, if any.
 *
 * @throws {SwitchyardError} `DIFF_TABLES_UNLIKE`
 */
export function planMapped(
  { direction, mappings }: { readonly direction: "forward" | "reverse"; readonly mappings?: TableMappings },
  home: TableShape,
  other: TableShape,
): ComparisonPlan {
  const mapping = mappingOf(mappings, home.name);
  if (mapping === undefined) return planComparison(home, other);
  const [source, target] = direction === "forward" ? [home, other] : [other, home];
  const { forward, backward, problems } = pairColumns(source, target, mapping);
  if (problems.length > 0) throw tablesUnlike(home.name, problems);
  return planComparison(home, other, direction === "forward" ? forward : backward);
}

/** The fields of a row, as each side computes them. */
interface Expressions {
  readonly home: string[];
  readonly other: string[];
}

function keyedSide(
  shape: TableShape,
  expressions: readonly string[],
  digested: readonly string[],
  keyFields: readonly number[],
  charsets: readonly (string | undefined)[],
): SidePlan {
  const fields = expressions.join(", ");
  const from = `FROM ${quoteTable(shape.name)} FORCE INDEX (${quoteId(rowKey(shape)?.name ?? "")})`;
  const names = rowKeyNames(shape).map(quoteId);
  const keys = keyFields.map((field) => expressions[field] ?? "");
  const bytes = keys.map((field) => `CAST(${field} AS BINARY)`);
  const range = (after?: PlanKey, upTo?: PlanKey): string => {
    const conditions = [
      ...(after === undefined ? [] : [keyBeyond(shape, charsets, after)]),
      ...(upTo === undefined ? [] : [keyUpTo(shape, charsets, upTo)]),
    ];
    return conditions.length === 0 ? from : `${from} WHERE ${conditions.join(" AND ")}`;
  };
  return {
    fields,
    select: (order, after, upTo) =>
      `SELECT ${fields} ${range(after, upTo)} ORDER BY ${(order === "key" ? names : bytes).join(", ")}`,
    selectEnd: (rows, after, upTo) =>
      `SELECT ${keys.join(", ")} ${range(after, upTo)} ORDER BY ${names.join(", ")} LIMIT 1 OFFSET ${rows - 1}`,
    selectSum: (after, upTo) => `SELECT COUNT(*), ${rowsSum(digested)} ${range(after, upTo)}`,
    selectWhere: (conditions) =>
      `SELECT ${fields} ${from} WHERE (${conditions.join(") OR (")}) ORDER BY ${bytes.join(", ")}`,
    condition: (key) => keyCondition(shape, charsets, key),
  };
}

/** The last field is a digest of the others, where rows come in its order. */
function contentPlan(
  home: TableShape,
  expressions: Expressions,
): Omit<ComparisonPlan, "table" | "carried" | "columns"> {
  const fieldCount = expressions.home.length + 1;
  return {
    byContent: true,
    keyColumns: [],
    keyFields: [fieldCount - 1],
    fieldCount,
    order: "key",
    home: contentSide(home, expressions.home),
    other: contentSide(home, expressions.other),
    compare: (order) => (order === "key" ? undefined : compareBytes),
  };
}

function contentSide(shape: TableShape, expressions: readonly string[]): SidePlan {
  // Not by an index that has all columns: both sides have most of their rows in the order in which they were copied.
  const from = `FROM ${quoteTable(shape.name)} USE INDEX ()`;
  const digest = contentDigest(expressions);
  return {
    fields: expressions.join(", "),
    select: (order) => {
      const [last, sorted] = order === "key" ? ["''", ""] : [digest, ` ORDER BY ${expressions.length + 1}`];
      return `SELECT ${expressions.join(", ")}, ${last} ${from}${sorted}`;
    },
    selectEnd: () => `SELECT '' ${from} LIMIT 0`,
    // Rows of one content would take each other out of a sum.
    selectSum: () => `SELECT COUNT(*), NULL ${from}`,
    selectWhere: (conditions) =>
      `SELECT ${expressions.join(", ")}, ${digest} ${from} WHERE (${conditions.join(") OR (")}) ORDER BY ${expressions.length + 1}`,
    condition: ([content]) => contentCondition(expressions, content),
  };
}

function pairByName(home: TableShape, other: TableShape): CarriedTable {
  const byName = new Map(other.columns.map((column, position) => [column.name.toLowerCase(), { column, position }]));
  const unlike: string[] = [];
  const columns: CarriedColumn[] = [];
  for (const [from, mine] of home.columns.entries()) {
    const theirs = byName.get(mine.name.toLowerCase());
    byName.delete(mine.name.toLowerCase());
    if (theirs === undefined) unlike.push(`${mine.name} is missing on the other side`);
    else if (!comparable(mine, theirs.column)) {
      unlike.push(`${mine.name} is ${mine.columnType} and ${theirs.column.columnType}`);
    } else columns.push({ from, to: theirs.position, narrows: false });
  }
  for (const name of byName.keys()) unlike.push(`${name} is missing on the home`);
  const keys = [home, other].map((shape) => {
    const key = rowKey(shape);
    return key === undefined ? "none" : `${key.name} (${rowKeyNames(shape).join(", ")})`.toLowerCase();
  });
  if (keys[0] !== keys[1]) unlike.push(`the keys by which rows are told apart are ${keys[0]} and ${keys[1]}`);
  if (unlike.length === 0) return { from: home, to: other, columns };
  throw tablesUnlike(home.name, unlike);
}

function tablesUnlike(table: TableName, unlike: readonly string[]): SwitchyardError {
  return new SwitchyardError("DIFF_TABLES_UNLIKE", {
    what: `${tableKey(table)} is defined differently on the two servers, so its rows cannot be compared`,
    details: unlike,
    changed: "Nothing was changed.",
    fix: "Make the definitions alike, or what the migration's mapping says, then start the diff again.",
  });
}

function comparable(mine: ColumnShape, theirs: ColumnShape): boolean {
  if (INTEGERS.has(mine.dataType) && INTEGERS.has(theirs.dataType)) return true;
  if (TEXTS.has(mine.dataType) && TEXTS.has(theirs.dataType)) return true;
  if (mine.dataType !== theirs.dataType) return false;
  return mine.dataType === "varbinary" || mine.columnType.toLowerCase() === theirs.columnType.toLowerCase();
}

/** What is selected for a column of one side, so that equal values have equal bytes whatever column the other side has. */
function fieldExpressions(mine: ColumnShape, theirs: ColumnShape): string[] {
  const name = quoteId(mine.name);
  switch (mine.dataType) {
    // As text a FLOAT has six digits, and neighbours look alike; as a DOUBLE it has all it needs.
    case "float":
    case "double":
      return [`CAST(${name} AS DOUBLE)`];
    // The empty text can be a member, or the number 0 that stands for a value that was none.
    case "enum":
    case "set":
      return [name, `${name} + 0`];
    // A date and the string of the same characters have the same text, wherever they are in the document.
    case "json":
      return [name, jsonTypesExpression(name)];
    // As many digits behind the point as the wider one has.
    case "decimal":
    case "time":
    case "datetime":
    case "timestamp":
      return [theirs.scale > mine.scale ? filledUp(name, mine.scale, theirs.scale) : name];
  }
  const carriesText = mine.charset !== undefined && theirs.charset !== undefined;
  return [carriesText && mine.charset !== theirs.charset ? `CONVERT(${name} USING utf8mb4)` : name];
}

/** A text that the server shows, with zeros behind it; a zero date is one, which a cast would refuse. */
function filledUp(name: string, scale: number, wanted: number): string {
  return `CONCAT(${name}, '${scale === 0 ? "." : ""}${"0".repeat(wanted - scale)}')`;
}

/** In what character set the bytes of a field are text. */
function fieldCharset(mine: ColumnShape, theirs: ColumnShape): string | undefined {
  if (mine.dataType === "json") return "utf8mb4";
  if (mine.dataType === "bit" || mine.dataType === "vector" || isSpatial(mine.dataType)) return "binary";
  if (mine.dataType === "enum" || mine.dataType === "set") return mine.charset;
  if (mine.charset === undefined) return "ascii";
  return mine.charset === theirs.charset ? mine.charset : "utf8mb4";
}

/** An ENUM or SET is known by its number: two of them can have the same text. */
function keyField(shape: ColumnShape | undefined, column: ComparedColumn | undefined): number {
  const numbered = shape?.dataType === "enum" || shape?.dataType === "set";
  return (column?.field ?? -1) + (numbered ? 1 : 0);
}

function commonKinds(home: TableShape, other: TableShape): readonly KeyKind[] | undefined {
  const kinds = keyKinds(home);
  return kinds !== undefined && JSON.stringify(kinds) === JSON.stringify(keyKinds(other)) ? kinds : undefined;
}

/** Whether both servers order the keys alike, though we do not know how. */
function sameKeyOrder(home: TableShape, other: TableShape): boolean {
  const others = rowKeyColumns(other);
  return rowKeyColumns(home).every((position, index) => {
    const mine = home.columns[position];
    const theirs = other.columns[others[index] ?? -1];
    return mine?.columnType === theirs?.columnType && mine?.collation === theirs?.collation;
  });
}

function compareByKinds(kinds: readonly KeyKind[]): KeyComparison {
  const parse = (fields: readonly Buffer[]) =>
    kinds.map((kind, index) => parseKeyPart(kind, fields[index]?.toString("latin1") ?? ""));
  return (left, right) => compareKeys(kinds, parse(left), parse(right));
}

function compareBytes(left: readonly Buffer[], right: readonly Buffer[]): number {
  for (const [index, field] of left.entries()) {
    const order = Buffer.compare(field, right[index] ?? Buffer.alloc(0));
    if (order !== 0) return order;
  }
  return 0;
}
