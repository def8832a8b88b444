import { type TableName, tableKey } from "../base/table-name.ts";
import type { QueryEvent } from "../binlog/binlog-event.ts";
import { analyzeSql } from "../sql/classifier.ts";
import type { SqlModes, StatementFacts } from "../sql/statement.ts";
import { NO_HEAD, readHead, type StatementHead } from "../sql/statement-head.ts";
import { readTableChange, type TableAction } from "../sql/table-change.ts";
import { charsetOfText, isAscii } from "./client-charset.ts";
import { renameTool, type SeenDdl, triggerTool } from "./seen-ddl.ts";
import { isOurDdl } from "./sidecar.ts";

/** What a statement in a binary log means for the tables of a migration. */
export type StatementVerdict = { readonly skip: string } | Stop;

/** It changes, or may change, a table of the migration; `ddl` where it is a definition and not rows as text. */
interface Stop {
  readonly stop: string;
  readonly ddl?: SeenDdl;
}

type Query = Pick<QueryEvent, "schema" | "sql" | "sqlMode" | "status" | "ofThread">;

/** A statement, and how it is read. */
interface Text {
  readonly query: Query;
  readonly modes: SqlModes;
  readonly head: StatementHead;
}

const ANSI_QUOTES = 4n;
const NO_BACKSLASH_ESCAPES = 1n << 20n;

/** Objects whose definition holds no rows and changes none. */
const ROWLESS =
  /^\s*(?:CREATE|ALTER|DROP)\s+(?:OR\s+REPLACE\s+)?(?:DEFINER\s*=\s*\S+\s+)?(?:AGGREGATE\s+)?(?:PROCEDURE|FUNCTION|EVENT|SERVER|(?:UNDO\s+)?TABLESPACE|INSTANCE|RESOURCE\s+GROUP|SPATIAL\s+REFERENCE)\b/i;
const DROP_TRIGGER = /^\s*DROP\s+TRIGGER\b/i;
/** Tables in which a check tries definitions; these may have versioned comments, which cannot be read otherwise. */
const SCRATCH = /^\s*CREATE\s+TABLE\s+`_switchyard`\.`preflight_\d+`\s*\(/;
const UPKEEP = /^\s*(?:ANALYZE|OPTIMIZE|REPAIR|CHECK)\b/i;

const CARRIED: ReadonlySet<TableAction> = new Set(["columns", "keys", "checks", "options"]);

/** Judges the statements that come as text: definitions, and rows in statement format. */
export class DdlJudge {
  readonly #all: readonly TableName[];
  /** By their exact names, and without regard to case where that is no exact name of another. */
  readonly #tables: ReadonlyMap<string, TableName>;
  /** Some name can be spelled in other bytes than those of UTF-8. */
  readonly #beyondAscii: boolean;

  constructor(tables: readonly TableName[]) {
    this.#all = tables;
    const under = (spell: (key: string) => string) => tables.map((table) => [spell(tableKey(table)), table] as const);
    this.#tables = new Map([...under((key) => key.toLowerCase()), ...under((key) => key)]);
    this.#beyondAscii = tables.some((table) => !isAscii(tableKey(table)));
  }

  judge(query: Query): StatementVerdict {
    const { sql } = query;
    if (isOurDdl(sql)) return { skip: "our own" };
    if (SCRATCH.test(sql) || UPKEEP.test(sql) || ROWLESS.test(sql) || DROP_TRIGGER.test(sql))
      return { skip: "it changes no row" };
    const charset = charsetOfText(query);
    const modes = {
      ansiQuotes: (query.sqlMode & ANSI_QUOTES) !== 0n,
      noBackslashEscapes: (query.sqlMode & NO_BACKSLASH_ESCAPES) !== 0n,
      // In all others quotes are where they are in UTF-8; of names beyond ASCII the end of this function says more.
      charset: charset === "unsafe" ? charset : ("utf8" as const),
    };
    const text = Buffer.from(sql, "utf8");
    for (const facts of analyzeSql(text, modes)) {
      if (facts.kind === "account" || facts.kind === "flush") continue;
      const isDefinition = facts.kind === "ddl" || facts.kind === "other";
      const head = isDefinition ? readHead(text, facts, modes) : NO_HEAD;
      const verdict =
        head.object === "DATABASE"
          ? this.#database(head)
          : this.#statement(facts, { query, modes, head }, isDefinition);
      if (verdict !== undefined) return verdict;
      if (charset !== "utf8" && this.#beyondAscii) {
        return this.#mayBeAny("its text is not in UTF-8, as names of tables are", isDefinition);
      }
    }
    return { skip: "it concerns other tables" };
  }

  #statement(facts: StatementFacts, text: Text, isDefinition: boolean): Stop | undefined {
    const { query, head } = text;
    const refers = /\bREFERENCES\b/i.test(query.sql);
    const named = facts.tables.map(({ schema, table, write }) => {
      const spelled = `${schema ?? query.schema}.${table}`;
      return { spelled, write, followed: this.#tables.get(spelled) ?? this.#tables.get(spelled.toLowerCase()) };
    });
    const hits = named.filter(({ write, followed }) => (write || refers) && followed !== undefined);
    // Each once.
    const touched = [...new Set(hits.flatMap(({ followed }) => followed ?? []))];
    // What a definition is about stands first; a table that it refers to keeps its own.
    const isAbout = !refers || named[0] === undefined || named[0].followed !== undefined;
    const [first] = touched;
    if (first !== undefined) {
      const stop = `it concerns ${tableKey(first)}`;
      if (!isDefinition) return { stop };
      // Rows are followed by the exact name; another spelling, or a temporary table, may be another table beside it.
      const isExact = hits.every(({ spelled, followed }) => followed !== undefined && spelled === tableKey(followed));
      if (!isExact || query.ofThread) return { stop, ddl: { kind: "other", tables: touched } };
      return {
        stop,
        ddl: { ...(isAbout ? kindOf(facts, text, touched) : { kind: "reference" as const }), tables: touched },
      };
    }
    const isTrigger = head.verb === "CREATE" && head.object === "TRIGGER" && facts.tables.length > 0;
    if (!facts.touchesEverything || isTrigger) return undefined;
    return this.#mayBeAny(facts.everythingBecause ?? "it cannot be read", isDefinition);
  }

  #mayBeAny(because: string, isDefinition: boolean): Stop {
    const stop = `it may concern any table (${because})`;
    return isDefinition ? { stop, ddl: { kind: "other", tables: this.#all } } : { stop };
  }

  #database({ verb, name }: StatementHead): Stop | undefined {
    if (verb !== "DROP") return undefined;
    if (name === undefined) return this.#mayBeAny("it drops a schema whose name cannot be read", true);
    const schema = name.toLowerCase();
    const tables = this.#all.filter((table) => table.schema.toLowerCase() === schema);
    if (tables.length === 0) return undefined;
    return { stop: `it drops the schema ${schema}`, ddl: { kind: "other", tables } };
  }
}

function kindOf(
  facts: StatementFacts,
  { query: { sql }, modes, head }: Text,
  touched: readonly TableName[],
): Omit<SeenDdl, "tables"> {
  if (head.verb === "CREATE" && head.object === "TRIGGER") {
    const tool = head.name === undefined ? undefined : triggerTool(head.name);
    return tool === undefined ? { kind: "trigger" } : { kind: "tool-trigger", tool };
  }
  if (head.verb === "RENAME") {
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
