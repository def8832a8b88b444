import { EntityContextType, MySQL } from "dt-sql-parser";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { columnLiterals } from "../../../src/sql/column-literals.ts";
import { SQL_CORPUS } from "../../support/sql-corpus.ts";
import { literalsOfTree } from "./literals-of-parser.ts";
import { factsOf, PLAIN } from "./sql-facts.ts";

const PARSED_MIN = 550;
/** Statements in which the parser finds tables and ours does not give up: those in which one could be missing. */
const COMPARED_MIN = 400;
/** Literals that the parser finds against columns. */
const LITERALS_MIN = 170;
const TEST_TIMEOUT_MS = 240_000;

/** A statement that the full parser understands, and what it finds there. */
interface Parsed {
  readonly sql: string;
  readonly tables: readonly string[];
  readonly literals: readonly string[];
}

interface Compared {
  readonly sql: string;
  readonly missed: readonly string[];
  /** How many tables were looked for. */
  readonly tables: number;
}

let parsed: readonly Parsed[];
beforeAll(() => {
  // The parser tells of what it does not like on the console.
  const silent = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const parser = new MySQL();
  parsed = SQL_CORPUS.flatMap((sql) => parse(parser, sql) ?? []);
  silent.mockRestore();
}, TEST_TIMEOUT_MS);

/** What a full parser of MySQL's grammar finds in a statement; nothing where it does not understand it. */
function parse(parser: MySQL, sql: string): Parsed | undefined {
  // It knows no parameters: each question mark is read as a digit, which stands in the same place.
  const text = `${sql.replaceAll("?", "7")};`;
  if (parser.validate(text).length > 0) return undefined;
  const entities = parser.getAllEntities(text) ?? [];
  const kinds: readonly EntityContextType[] = [EntityContextType.TABLE, EntityContextType.TABLE_CREATE];
  const tables = entities.filter(({ entityContextType }) => kinds.includes(entityContextType)).map(({ text }) => text);
  // The tree of that check: making it again would take as long once more.
  const { _parseTree: tree } = parser as unknown as { readonly _parseTree: object };
  return { sql, tables, literals: literalsOfTree(tree, text) };
}

const unquoted = (name: string): string =>
  name.replaceAll(/`((?:[^`]|``)*)`/g, (_, inner) => inner.replaceAll("``", "`"));

/** Names that a statement gives to results and tables of its own: the parser takes them for tables. */
function ownNames(sql: string): ReadonlySet<string> {
  const results = sql.matchAll(/(?:\bWITH(?:\s+RECURSIVE)?|,)\s+(\w+)\s*(?:\([\w\s,]*\))?\s+AS\s*\(/gi);
  const aliases = sql.matchAll(/(?:\bFROM|\bJOIN|\bUSING|,)\s+[\w.]+\s+(?:AS\s+)?(?!FROM\b|USING\b)(\w+)\b/gi);
  return new Set([...results, ...aliases].map((match) => match[1] ?? ""));
}

function compareTables({ sql, tables }: Parsed): Compared {
  const found = tables.filter((text) => !text.startsWith("("));
  const facts = factsOf(sql);
  const ours = new Set(facts.tables.map(({ schema, table }) => (schema === undefined ? table : `${schema}.${table}`)));
  const temporary = facts.createsTemporaryTable?.table;
  for (const dropped of facts.dropsTables ?? []) ours.add(dropped.table);
  const own = ownNames(sql);
  const wanted = found
    .map(unquoted)
    .filter((name) => name !== temporary && !own.has(name) && name.toUpperCase() !== "DUAL");
  // `SHOW … FROM table FROM schema` names the schema apart, which the parser does not put together.
  for (const { table } of facts.kind === "show" ? facts.tables : []) ours.add(table);
  const missed = facts.touchesEverything ? [] : wanted.filter((name) => !ours.has(name));
  return { sql, missed, tables: facts.touchesEverything ? 0 : wanted.length };
}

/** Literals as {@link literalsOfTree} gives them. */
function literalsOf(sql: string): readonly string[] {
  const text = Buffer.from(sql);
  const at = (byte: number): number => text.toString("utf8", 0, byte).length;
  return columnLiterals(text, factsOf(sql), PLAIN).map(
    ({ how, column, start, end }) => `${how} ${column} ${at(start)}-${at(end)}`,
  );
}

/** Statements of every kind, read by two grammars that know nothing of each other. */
describe("the tables that are found in real statements", () => {
  test("are never fewer than those that a full parser finds", () => {
    const compared = parsed.map(compareTables);
    expect(compared.filter(({ missed }) => missed.length > 0)).toEqual([]);
    expect(compared.length).toBeGreaterThanOrEqual(PARSED_MIN);
    expect(compared.filter(({ tables }) => tables > 0).length).toBeGreaterThanOrEqual(COMPARED_MIN);
  });

  test("are found in statements that are all different", () => {
    expect(new Set(SQL_CORPUS).size).toBe(SQL_CORPUS.length);
    expect(SQL_CORPUS.length).toBeGreaterThanOrEqual(560);
  });
});

describe("the literals that are found against columns in real statements", () => {
  test("are those that a full parser finds, no more and no fewer", () => {
    // The parser takes INSERT … SET for two statements, and a backtick in a name for its end.
    const readable = parsed.filter(({ sql }) => !/^(INSERT|REPLACE)\b.*\bSET\b|``/i.test(sql));
    const different = readable.flatMap(({ sql, literals }) => {
      const theirs = [...literals].sort();
      const ours = [...literalsOf(sql)].sort();
      return JSON.stringify(ours) === JSON.stringify(theirs) ? [] : [{ sql, ours, theirs }];
    });
    expect(different).toEqual([]);
    expect(readable.flatMap(({ literals }) => literals).length).toBeGreaterThanOrEqual(LITERALS_MIN);
  });
});
