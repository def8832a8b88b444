import { type TableName, tableKey } from "../base/table-name.ts";
import type { QueryEvent, RowOperation } from "../binlog/binlog-event.ts";
import type { TransactionPart } from "../binlog/transaction-reader.ts";
import { formatGtid, type Gtid } from "../gtid/gtid-set.ts";
import { analyzeSql } from "../sql/classifier.ts";
import type { StatementFacts } from "../sql/statement.ts";
import { triggerPrefix } from "./fence-triggers.ts";
import type { Stray } from "./ports.ts";

/** A transaction that has been read to its end. */
export interface JudgedTransaction {
  readonly gtid: Gtid;
  readonly strays: readonly Stray[];
}

/** The table whose change makes a transaction one of our streams'. */
const LEDGER = "_switchyard.ledger";
const WORDS: Readonly<Record<RowOperation, string>> = { write: "insert", update: "update", delete: "delete" };
const ANSI_QUOTES = 4n;
const NO_BACKSLASH_ESCAPES = 0x100000n;
const DDL_SHOWN_MAX = 60;

/**
 * Tells, transaction by transaction, which writes to the migration's tables are not ours.
 *
 * A transaction is ours if and only if it changes our ledger; a DDL statement is ours if it carries our comment.
 * Everything else that touches the tables is a stray, whoever made it.
 */
export class StrayJudge {
  readonly #migration: string;
  readonly #tables: ReadonlySet<string>;
  readonly #schemas: ReadonlySet<string>;
  #gtid: Gtid | undefined;
  #ours = false;
  #found = new Map<string, Stray>();

  constructor(migration: string, tables: readonly TableName[]) {
    this.#migration = migration;
    this.#tables = new Set(tables.map((table) => tableKey(table).toLowerCase()));
    this.#schemas = new Set(tables.map((table) => table.schema.toLowerCase()));
  }

  /** Takes the next part of the log; at a transaction's end, what came out of it. */
  part(part: TransactionPart): JudgedTransaction | undefined {
    switch (part.kind) {
      case "begin":
        this.#gtid = part.event.gtid;
        this.#ours = false;
        this.#found = new Map();
        return undefined;
      case "rows":
        this.#rows(tableKey(part.event.table), WORDS[part.event.operation]);
        return undefined;
      case "statement":
        this.#statement(part.event);
        return undefined;
      case "end":
        return this.#end();
    }
  }

  #end(): JudgedTransaction | undefined {
    if (this.#gtid === undefined) return undefined;
    return { gtid: this.#gtid, strays: this.#ours ? [] : [...this.#found.values()] };
  }

  #rows(table: string, what: string): void {
    if (table === LEDGER) this.#ours = true;
    else if (this.#tables.has(table.toLowerCase())) this.#add(table, what);
  }

  #add(table: string, what: string): void {
    if (this.#gtid === undefined) return;
    this.#found.set(`${table} ${what}`, { gtid: formatGtid(this.#gtid), table, what });
  }

  #statement(event: QueryEvent): void {
    if (event.sql.includes(`/* switchyard migration=${this.#migration} `)) return;
    const modes = {
      ansiQuotes: (event.sqlMode & ANSI_QUOTES) !== 0n,
      noBackslashEscapes: (event.sqlMode & NO_BACKSLASH_ESCAPES) !== 0n,
    };
    for (const facts of analyzeSql(Buffer.from(event.sql, "utf8"), modes)) this.#judge(facts, event);
  }

  #judge(facts: StatementFacts, event: QueryEvent): void {
    // Of a statement that carries rows only the kind is shown.
    const what = facts.kind === "ddl" ? event.sql.trim().slice(0, DDL_SHOWN_MAX) : facts.kind;
    for (const ref of facts.tables) {
      const table = `${ref.schema ?? event.schema}.${ref.table}`;
      if (ref.write && this.#tables.has(table.toLowerCase())) this.#add(table, what);
    }
    if (facts.touchesEverything && this.#mayTouch(facts, event.sql)) this.#add("(perhaps all)", what);
  }

  /** Of statements that name no table, these can change ours: on a whole schema, on our triggers, or rows as text. */
  #mayTouch(facts: StatementFacts, sql: string): boolean {
    if (facts.kind === "account" || facts.kind === "flush" || facts.kind === "set") return false;
    if (facts.kind !== "ddl" && facts.kind !== "other") return true;
    if (sql.includes(triggerPrefix(this.#migration))) return true;
    const schema = /^\s*(?:drop|alter)\s+(?:database|schema)\s+(?:if\s+exists\s+)?`?([^`\s]+)/i.exec(sql)?.[1];
    return schema !== undefined && this.#schemas.has(schema.toLowerCase());
  }
}
