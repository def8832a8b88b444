import { analyzeSql } from "../../../src/sql/classifier.ts";
import type { SqlModes, StatementFacts } from "../../../src/sql/statement.ts";

export const PLAIN: SqlModes = { ansiQuotes: false, noBackslashEscapes: false };

/** The facts of a text that holds one statement. */
export function factsOf(sql: string, modes: SqlModes = PLAIN): StatementFacts {
  const all = analyzeSql(Buffer.from(sql), modes);
  const [first] = all;
  if (first === undefined || all.length !== 1) throw new Error(`expected one statement, got ${all.length}: ${sql}`);
  return first;
}

/** Tables as `schema.table`, `!` behind those that may be written, `*` last where everything may be touched. */
export function tablesOf(sql: string, modes: SqlModes = PLAIN): string {
  const facts = factsOf(sql, modes);
  const names = facts.tables.map(
    ({ schema, table, write }) => `${schema === undefined ? "" : `${schema}.`}${table}${write ? "!" : ""}`,
  );
  return [...names, ...(facts.touchesEverything ? ["*"] : [])].join(" ");
}
