import { SwitchyardError } from "../base/errors.ts";
import { quoteId, quoteTable, type TableName, tableKey } from "../base/table-name.ts";
import { jsonTypesExpression } from "../table/json-types.ts";
import { compareKeys, type KeyKind, keyKinds, parseKeyPart } from "../table/key-order.ts";
import { rowKey, rowKeyColumns, rowKeyNames } from "../table/row-key.ts";
import { isSpatial } from "../table/spatial.ts";
import type { ColumnShape, TableShape } from "../table/table-shape.ts";
import { contentCondition, contentDigest } from "./content-order.ts";
import { keyCondition } from "./key-condition.ts";

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

/** How two tables are read so that equal rows have equal bytes. */
export interface ComparisonPlan {
  readonly table: TableName;
  readonly columns: readonly ComparedColumn[];
  /** Rows have no key: those of the same content are counted. */
  readonly byContent: boolean;
  /** Positions of the key's columns in {@link columns}, and the fields that it is compared by: without a key, a digest. */
  readonly keyColumns: readonly number[];
  readonly keyFields: readonly number[];
  readonly fieldCount: number;
  /** What is selected of a row, in any order of rows. */
  readonly fields: string;
  /** The order to begin with. */
  readonly order: RowOrder;
  select(order: RowOrder): string;
  /** Compares two keys as the server orders them; `undefined` where that is not ours to compute. */
  compare(order: RowOrder): KeyComparison | undefined;
  /** The condition that finds the rows of a key, given as its {@link keyFields}, on either side. */
  condition(key: readonly Buffer[]): string;
}

/** Compares two keys, each given as its fields: negative, 0, positive. */
export type KeyComparison = (left: readonly Buffer[], right: readonly Buffer[]) => number;

const INTEGERS: ReadonlySet<string> = new Set(["tinyint", "smallint", "mediumint", "int", "bigint"]);
const TEXTS: ReadonlySet<string> = new Set(["char", "varchar", "tinytext", "text", "mediumtext", "longtext"]);

/**
 * Plans how a table of two servers is compared.
 *
 * @throws {SwitchyardError} `DIFF_TABLES_UNLIKE` naming the columns.
 */
export function planComparison(home: TableShape, other: TableShape): ComparisonPlan {
  const pairs = pairColumns(home, other);
  const columns: ComparedColumn[] = [];
  const expressions: string[] = [];
  for (const [mine, theirs] of pairs) {
    const own = fieldExpressions(mine, theirs);
    columns.push({ name: mine.name, field: expressions.length, charset: own.charset });
    expressions.push(...own.expressions);
  }
  const fields = { columns, fields: expressions.join(", ") };
  const key = rowKey(home);
  if (key === undefined) return { ...fields, ...contentPlan(home, expressions) };
  const keyFields = key.columns.map((position) => keyField(home.columns[position], columns[position]));
  const keyNames = rowKeyNames(home).map(quoteId);
  const bytesOrder = keyFields.map((field) => `CAST(${expressions[field]} AS BINARY)`);
  const kinds = commonKinds(home, other);
  const from = `FROM ${quoteTable(home.name)} FORCE INDEX (${quoteId(key.name)})`;
  const charsets = key.columns.map((position) => columns[position]?.charset);
  return {
    ...fields,
    table: home.name,
    byContent: false,
    keyColumns: key.columns,
    keyFields,
    fieldCount: expressions.length,
    order: kinds !== undefined || sameKeyOrder(home, other) ? "key" : "bytes",
    select: (order) =>
      `SELECT ${expressions.join(", ")} ${from} ORDER BY ${(order === "key" ? keyNames : bytesOrder).join(", ")}`,
    compare: (order) => (order === "bytes" ? compareBytes : kinds && compareByKinds(kinds)),
    condition: (fieldsOfKey) => keyCondition(home, charsets, fieldsOfKey),
  };
}

/** The last field is a digest of the others, where rows come in its order. */
function contentPlan(home: TableShape, expressions: readonly string[]): Omit<ComparisonPlan, "columns" | "fields"> {
  // Not by an index that has all columns: both sides have most of their rows in the order in which they were copied.
  const from = `FROM ${quoteTable(home.name)} USE INDEX ()`;
  const digest = contentDigest(expressions);
  const fieldCount = expressions.length + 1;
  return {
    table: home.name,
    byContent: true,
    keyColumns: [],
    keyFields: [expressions.length],
    fieldCount,
    order: "key",
    select: (order) => {
      const [last, sorted] = order === "key" ? ["''", ""] : [digest, ` ORDER BY ${fieldCount}`];
      return `SELECT ${expressions.join(", ")}, ${last} ${from}${sorted}`;
    },
    compare: (order) => (order === "key" ? undefined : compareBytes),
    condition: ([content]) => contentCondition(expressions, content),
  };
}

function pairColumns(home: TableShape, other: TableShape): [ColumnShape, ColumnShape][] {
  const byName = new Map(other.columns.map((column) => [column.name.toLowerCase(), column]));
  const unlike: string[] = [];
  const pairs: [ColumnShape, ColumnShape][] = [];
  for (const mine of home.columns) {
    const theirs = byName.get(mine.name.toLowerCase());
    byName.delete(mine.name.toLowerCase());
    if (theirs === undefined) unlike.push(`${mine.name} is missing on the other side`);
    else if (!comparable(mine, theirs)) unlike.push(`${mine.name} is ${mine.columnType} and ${theirs.columnType}`);
    else pairs.push([mine, theirs]);
  }
  for (const name of byName.keys()) unlike.push(`${name} is missing on the home`);
  const keys = [home, other].map((shape) => {
    const key = rowKey(shape);
    return key === undefined ? "none" : `${key.name} (${rowKeyNames(shape).join(", ")})`.toLowerCase();
  });
  if (keys[0] !== keys[1]) unlike.push(`the keys by which rows are told apart are ${keys[0]} and ${keys[1]}`);
  if (unlike.length === 0) return pairs;
  throw new SwitchyardError("DIFF_TABLES_UNLIKE", {
    what: `${tableKey(home.name)} is defined differently on the two servers, so its rows cannot be compared`,
    details: unlike,
    changed: "Nothing was changed.",
    fix: "Make the definitions alike, then start the diff again.",
  });
}

function comparable(mine: ColumnShape, theirs: ColumnShape): boolean {
  if (INTEGERS.has(mine.dataType) && INTEGERS.has(theirs.dataType)) return true;
  if (TEXTS.has(mine.dataType) && TEXTS.has(theirs.dataType)) return true;
  if (mine.dataType !== theirs.dataType) return false;
  return mine.dataType === "varbinary" || mine.columnType.toLowerCase() === theirs.columnType.toLowerCase();
}

/** What is selected for a column, the same on both sides. */
function fieldExpressions(
  mine: ColumnShape,
  theirs: ColumnShape,
): { expressions: string[]; charset: string | undefined } {
  const name = quoteId(mine.name);
  switch (mine.dataType) {
    // As text a FLOAT has six digits, and neighbours look alike; as a DOUBLE it has all it needs.
    case "float":
    case "double":
      return { expressions: [`CAST(${name} AS DOUBLE)`], charset: "ascii" };
    // The empty text can be a member, or the number 0 that stands for a value that was none.
    case "enum":
    case "set":
      return { expressions: [name, `${name} + 0`], charset: mine.charset };
    // A date and the string of the same characters have the same text, wherever they are in the document.
    case "json":
      return { expressions: [name, jsonTypesExpression(name)], charset: "utf8mb4" };
    case "bit":
    case "geometry":
    case "vector":
      return { expressions: [name], charset: "binary" };
  }
  if (mine.charset === undefined)
    return { expressions: [name], charset: isSpatial(mine.dataType) ? "binary" : "ascii" };
  if (mine.charset === theirs.charset) return { expressions: [name], charset: mine.charset };
  return { expressions: [`CONVERT(${name} USING utf8mb4)`], charset: "utf8mb4" };
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
