import { type TableName, tableKey } from "../base/table-name.ts";
import type { QueryEvent } from "../binlog/binlog-event.ts";
import { analyzeSql } from "../sql/classifier.ts";
import type { SqlModes, StatementFacts } from "../sql/statement.ts";
import { readTableChange, type TableAction } from "../sql/table-change.ts";
import { renameTool, type SeenDdl, triggerTool } from "./seen-ddl.ts";
import { isOurDdl } from "./sidecar.ts";

/** What a statement in a binary log means for the tables of a migration. */
export type StatementVerdict =
  | { readonly skip: string }
  /** It changes, or may change, a table of the migration; `ddl` where it is a definition and not rows as text. */
  | { readonly stop: string; readonly ddl?: SeenDdl };

type Query = Pick<QueryEvent, "schema" | "sql" | "sqlMode">;

const ANSI_QUOTES = 4n;
const NO_BACKSLASH_ESCAPES = 1n << 20n;

/** Objects whose definition holds no rows and changes none. */
const ROWLESS =
  /^\s*(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:DEFINER\s*=\s*\S+\s+)?(?:AGGREGATE\s+)?(?:PROCEDURE|FUNCTION|EVENT|SERVER|(?:UNDO\s+)?TABLESPACE|INSTANCE|RESOURCE\s+GROUP|SPATIAL\s+REFERENCE)\b/i;
const DROP_TRIGGER = /^\s*DROP\s+TRIGGER\b/i;
const CREATE_TRIGGER = /^\s*CREATE\b.*\bTRIGGER\b/is;
const RENAME = /^\s*(?:\/\*.*?\*\/\s*)*RENAME\b/is;
/** Tables in which a check tries definitions; these may have versioned comments, which cannot be read otherwise. */
const SCRATCH = /^\s*CREATE\s+TABLE\s+`_switchyard`\.`preflight_\d+`\s*\(/;
const UPKEEP = /^\s*(?:ANALYZE|OPTIMIZE|REPAIR|CHECK)\b/i;
const DATABASE =
  /^\s*(CREATE|ALTER|DROP)\s+(?:DATABASE|SCHEMA)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(`(?:[^`]|``)+`|[^\s;`]+)/i;

const CARRIED: ReadonlySet<TableAction> = new Set(["columns", "keys", "checks", "options"]);

/** Judges the statements that come as text: definitions, and rows in statement format. */
export class DdlJudge {
  readonly #tables: ReadonlyMap<string, TableName>;
  readonly #schemas: ReadonlySet<string>;

  constructor(tables: readonly TableName[]) {
    this.#tables = new Map(tables.map((table) => [tableKey(table).toLowerCase(), table]));
    this.#schemas = new Set(tables.map(({ schema }) => schema.toLowerCase()));
  }

  judge(query: Query): StatementVerdict {
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
      const verdict = this.#statement(facts, query, modes);
      if (verdict !== undefined) return verdict;
    }
    return { skip: "it concerns other tables" };
  }

  #statement(facts: StatementFacts, query: Query, modes: SqlModes): StatementVerdict | undefined {
    const refers = /\bREFERENCES\b/i.test(query.sql);
    const nameOf = (ref: { readonly schema?: string; readonly table: string }): TableName | undefined =>
      this.#tables.get(`${ref.schema ?? query.schema}.${ref.table}`.toLowerCase());
    const touched = namesOf(facts.tables.filter(({ write }) => write || refers).map(nameOf));
    // What a definition is about stands first; a table that it refers to keeps its own.
    const isAbout = !refers || facts.tables[0] === undefined || nameOf(facts.tables[0]) !== undefined;
    const isDefinition = facts.kind === "ddl" || facts.kind === "other";
    const [first] = touched;
    if (first !== undefined) {
      const stop = `it concerns ${tableKey(first)}`;
      if (!isDefinition) return { stop };
      return {
        stop,
        ddl: { ...(isAbout ? kindOf(facts, query, modes, touched) : { kind: "reference" as const }), tables: touched },
      };
    }
    const trigger = facts.kind === "ddl" && facts.tables.length > 0 && CREATE_TRIGGER.test(query.sql);
    if (!facts.touchesEverything || trigger) return undefined;
    const stop = `it may concern any table (${facts.everythingBecause ?? "it cannot be read"})`;
    return isDefinition ? { stop, ddl: { kind: "other", tables: [...this.#tables.values()] } } : { stop };
  }

  #database(verb: string, name: string): StatementVerdict {
    const schema = name.replace(/^`|`$/g, "").replaceAll("``", "`").toLowerCase();
    if (verb.toUpperCase() !== "DROP" || !this.#schemas.has(schema)) return { skip: "it changes no table" };
    const tables = [...this.#tables.values()].filter((table) => table.schema.toLowerCase() === schema);
    return { stop: `it drops the schema ${schema}`, ddl: { kind: "other", tables } };
  }
}

function kindOf(
  facts: StatementFacts,
  { sql }: Query,
  modes: SqlModes,
  touched: readonly TableName[],
): Omit<SeenDdl, "tables"> {
  if (CREATE_TRIGGER.test(sql)) {
    const tool = triggerTool(sql);
    return tool === undefined ? { kind: "trigger" } : { kind: "tool-trigger", tool };
  }
  if (RENAME.test(sql)) {
    const names = facts.tables.map((ref) => ref.table);
    const tool = touched.map((one) => renameTool(one.table, names)).find((one) => one !== undefined);
    return { kind: "other", ...(tool === undefined ? {} : { tool }) };
  }
  const change = readTableChange(sql, modes);
  if (change === undefined || change.actions.has("else") || facts.touchesEverything) return { kind: "other" };
  if (change.kind === "truncate") return { kind: "truncate", change };
  const carried = change.unrepeatable === undefined && [...change.actions].every((action) => CARRIED.has(action));
  return { kind: carried ? "change" : "unrepeatable", change };
}

/** Each once. */
function namesOf(found: readonly (TableName | undefined)[]): readonly TableName[] {
  return [...new Set(found.filter((one) => one !== undefined))];
}
