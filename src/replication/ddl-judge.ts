import type { TableName } from "../base/table-name.ts";
import type { QueryEvent } from "../binlog/binlog-event.ts";
import { analyzeSql } from "../sql/classifier.ts";
import { isOurDdl } from "./sidecar.ts";

/** What a statement in a binary log means for the tables of a migration. */
export type StatementVerdict =
  | { readonly skip: string }
  /** It changes, or may change, a table of the migration. */
  | { readonly stop: string };

const ANSI_QUOTES = 4n;
const NO_BACKSLASH_ESCAPES = 1n << 20n;

/** Objects whose definition holds no rows and changes none. */
const ROWLESS =
  /^\s*(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:DEFINER\s*=\s*\S+\s+)?(?:AGGREGATE\s+)?(?:PROCEDURE|FUNCTION|EVENT|SERVER|(?:UNDO\s+)?TABLESPACE|INSTANCE|RESOURCE\s+GROUP|SPATIAL\s+REFERENCE)\b/i;
const DROP_TRIGGER = /^\s*DROP\s+TRIGGER\b/i;
/** Tables in which a check tries definitions; these may have versioned comments, which cannot be read otherwise. */
const SCRATCH = /^\s*CREATE\s+TABLE\s+`_switchyard`\.`preflight_\d+`\s*\(/;
const UPKEEP = /^\s*(?:ANALYZE|OPTIMIZE|REPAIR|CHECK)\b/i;
const DATABASE =
  /^\s*(CREATE|ALTER|DROP)\s+(?:DATABASE|SCHEMA)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(`(?:[^`]|``)+`|[^\s;`]+)/i;

/** Judges the statements that come as text: definitions, and rows in statement format. */
export class DdlJudge {
  readonly #tables: ReadonlySet<string>;
  readonly #schemas: ReadonlySet<string>;

  constructor(tables: readonly TableName[]) {
    this.#tables = new Set(tables.map(({ schema, table }) => `${schema}.${table}`.toLowerCase()));
    this.#schemas = new Set(tables.map(({ schema }) => schema.toLowerCase()));
  }

  judge(query: Pick<QueryEvent, "schema" | "sql" | "sqlMode">): StatementVerdict {
    const { sql } = query;
    if (isOurDdl(sql)) return { skip: "our own" };
    if (SCRATCH.test(sql) || UPKEEP.test(sql) || ROWLESS.test(sql) || DROP_TRIGGER.test(sql))
      return { skip: "it changes no row" };
    const database = DATABASE.exec(sql);
    if (database !== null) return this.#database(database[1] ?? "", database[2] ?? "");
    const modes = {
      ansiQuotes: (query.sqlMode & ANSI_QUOTES) !== 0n,
      noBackslashEscapes: (query.sqlMode & NO_BACKSLASH_ESCAPES) !== 0n,
    };
    for (const facts of analyzeSql(Buffer.from(sql, "utf8"), modes)) {
      if (facts.kind === "account" || facts.kind === "flush") continue;
      const refers = /\bREFERENCES\b/i.test(sql);
      const touched = facts.tables.find(
        (ref) => (ref.write || refers) && this.#tables.has(`${ref.schema ?? query.schema}.${ref.table}`.toLowerCase()),
      );
      if (touched !== undefined) return { stop: `it concerns ${touched.schema ?? query.schema}.${touched.table}` };
      const trigger = facts.kind === "ddl" && facts.tables.length > 0 && /^\s*CREATE\b.*\bTRIGGER\b/is.test(sql);
      if (facts.touchesEverything && !trigger) {
        return { stop: `it may concern any table (${facts.everythingBecause ?? "it cannot be read"})` };
      }
    }
    return { skip: "it concerns other tables" };
  }

  #database(verb: string, name: string): StatementVerdict {
    const schema = name.replace(/^`|`$/g, "").replaceAll("``", "`").toLowerCase();
    if (verb.toUpperCase() === "DROP" && this.#schemas.has(schema)) return { stop: `it drops the schema ${schema}` };
    return { skip: "it changes no table" };
  }
}
