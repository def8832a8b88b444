import { EntityContextType, MySQL } from "dt-sql-parser";
import { describe, expect, test, vi } from "vitest";
import { SQL_CORPUS } from "../../support/sql-corpus.ts";
import { factsOf } from "./sql-facts.ts";

const PARSED_MIN = 540;
/** Statements in which the parser finds tables and ours does not give up: those in which one could be missing. */
const COMPARED_MIN = 400;
const TEST_TIMEOUT_MS = 240_000;

interface Compared {
  readonly sql: string;
  readonly missed: readonly string[];
  /** How many tables were looked for. */
  readonly tables: number;
}

/** What a full parser of MySQL's grammar finds in a statement; nothing where it does not understand it. */
function tablesOfParser(parser: MySQL, sql: string): readonly string[] | undefined {
  const text = `${sql};`;
  if (parser.validate(text).length > 0) return undefined;
  const entities = parser.getAllEntities(text) ?? [];
  const kinds: readonly EntityContextType[] = [EntityContextType.TABLE, EntityContextType.TABLE_CREATE];
  return entities.filter(({ entityContextType }) => kinds.includes(entityContextType)).map((entity) => entity.text);
}

const unquoted = (name: string): string =>
  name.replaceAll(/`((?:[^`]|``)*)`/g, (_, inner) => inner.replaceAll("``", "`"));

/** Names that a statement gives to results and tables of its own: the parser takes them for tables. */
function ownNames(sql: string): ReadonlySet<string> {
  const results = sql.matchAll(/(?:\bWITH(?:\s+RECURSIVE)?|,)\s+(\w+)\s*(?:\([\w\s,]*\))?\s+AS\s*\(/gi);
  const aliases = sql.matchAll(/(?:\bFROM|\bJOIN|\bUSING|,)\s+[\w.]+\s+(?:AS\s+)?(?!FROM\b|USING\b)(\w+)\b/gi);
  return new Set([...results, ...aliases].map((match) => match[1] ?? ""));
}

function compare(parser: MySQL, sql: string): Compared | undefined {
  const found = tablesOfParser(parser, sql)?.filter((text) => !text.startsWith("("));
  if (found === undefined) return undefined;
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

/** Statements of every kind, read by two grammars that know nothing of each other. */
describe("the tables that are found in real statements", () => {
  test(
    "are never fewer than those that a full parser finds",
    () => {
      // The parser tells of what it does not like on the console.
      const silent = vi.spyOn(console, "error").mockImplementation(() => undefined);
      const parser = new MySQL();
      const compared = SQL_CORPUS.flatMap((sql) => compare(parser, sql) ?? []);
      silent.mockRestore();
      expect(compared.filter(({ missed }) => missed.length > 0)).toEqual([]);
      expect(compared.length).toBeGreaterThanOrEqual(PARSED_MIN);
      expect(compared.filter(({ tables }) => tables > 0).length).toBeGreaterThanOrEqual(COMPARED_MIN);
    },
    TEST_TIMEOUT_MS,
  );

  test("are found in statements that are all different", () => {
    expect(new Set(SQL_CORPUS).size).toBe(SQL_CORPUS.length);
    expect(SQL_CORPUS.length).toBeGreaterThanOrEqual(560);
  });
});
