import type { RoutineRef, StatementFacts, TableRef } from "../sql/statement.ts";
import { Behind } from "./behind.ts";
import { ANY_TABLE, type HoldRule, type RulesDocument } from "./rules-document.ts";
import { isServerSchema } from "./server-schemas.ts";

const NONE: readonly string[] = [];

/**
 * Where one statement goes.
 *
 * `any`: it names no table, every backend gives the same answer. `one`: {@link backend}. `split`: its tables are at
 * different homes, so no server can execute it. `everything`: it may touch any table; {@link backend} is the default
 * home while every table is there, and absent where tables live elsewhere, so that no server is right; for what sees
 * or locks one server as a whole it is that server, as far as it can be told.
 */
export interface Decision {
  readonly kind: "any" | "one" | "split" | "everything";
  readonly backend?: string | undefined;
  /** Keys `schema.table`, sorted, each once; tables of the server's own schemas left out. */
  readonly tables: readonly string[];
  /** By key, where `split`: the home of each table. */
  readonly homes?: Readonly<Record<string, string>> | undefined;
  /** Migrations whose hold the statement must wait for. */
  readonly heldBy: readonly string[];
  /** Armed migrations that cover one of the tables: the statement needs a good lease. */
  readonly armedBy: readonly string[];
}

/** What of a session decides what its names mean. */
export interface NameScope {
  /** The session's schema; absent where none was chosen. */
  readonly schema?: string | undefined;
  /** Keys of the session's temporary tables, which hide others of the same name. */
  readonly temporaryTables?: ReadonlySet<string> | undefined;
}

/** The server's `lower_case_table_names`: 0 compares names as they are, 1 and 2 without regard to case. */
export type LowerCaseTableNames = 0 | 1 | 2;

/**
 * The rules of one generation, prepared for deciding. Immutable: a new generation is a new object, so that whoever
 * keeps a decision can tell by the object whether it is still in force.
 */
export class Routing {
  readonly rules: RulesDocument;
  readonly #lowerCase: boolean;
  readonly #homes = new Map<string, string>();
  readonly #heldBy = new Map<string, string>();
  readonly #armedBy = new Map<string, string>();
  readonly #behind: Behind;
  readonly #allHolds: readonly string[];
  readonly #allArmed: readonly string[];
  readonly #elsewhere: boolean;

  constructor(rules: RulesDocument, lowerCaseTableNames: LowerCaseTableNames) {
    this.rules = rules;
    this.#lowerCase = lowerCaseTableNames !== 0;
    for (const [table, rule] of Object.entries(rules.tables)) this.#homes.set(this.#fold(table), rule.to);
    for (const [migration, hold] of Object.entries(rules.holds)) {
      for (const table of hold.tables) this.#heldBy.set(this.#fold(table), migration);
    }
    for (const [migration, armed] of Object.entries(rules.armed)) {
      for (const table of armed.tables) this.#armedBy.set(this.#fold(table), migration);
    }
    this.#behind = new Behind(rules, (key) => this.#fold(key));
    this.#allHolds = Object.keys(rules.holds).sort();
    this.#allArmed = Object.keys(rules.armed).sort();
    this.#elsewhere = Object.values(rules.tables).some(({ to }) => to !== rules.default);
  }

  /** The key of a table by which these rules know it; undefined where the session has no schema to complete it. */
  keyOf(ref: TableRef, schema: string | undefined): string | undefined {
    const owner = ref.schema ?? schema;
    return owner === undefined ? undefined : this.#fold(`${owner}.${ref.table}`);
  }

  /** Where tables live by these rules, the default home first. */
  get homes(): readonly string[] {
    return [...new Set([this.rules.default, ...this.#homes.values()])];
  }

  /** What routines may leave in a session that calls them; undefined where that is not known. */
  leftBy(calls: readonly RoutineRef[], schema: string | undefined): readonly string[] | undefined {
    return this.#behind.leftBy(calls, schema);
  }

  /** Whether a write may leave something in its session that its text does not tell. */
  get triggersLeave(): boolean {
    return this.#behind.triggersLeave;
  }

  /** What triggers of the tables that a statement writes may leave in its session. */
  leftByTriggers(facts: StatementFacts, schema: string | undefined): readonly string[] {
    if (!this.#behind.triggersLeave) return NONE;
    return facts.tables.flatMap((ref) => {
      const key = ref.write ? this.keyOf(ref, schema) : undefined;
      if (key === undefined) return NONE;
      return this.#behind.ofTable(key, false).flatMap((table) => this.#behind.leftByTriggers(table));
    });
  }

  homeOf(key: string): string {
    return this.#homes.get(key) ?? this.rules.default;
  }

  /** Decides by what is known of a statement and of its session. Never throws: a refusal is for the caller to word. */
  decide(facts: StatementFacts, scope: NameScope): Decision {
    const called = this.#called(facts, scope);
    const keys = this.#keysOf(facts.tables, scope, called);
    const opaque = keys.includes(ANY_TABLE);
    const tables = opaque ? keys.filter((key) => key !== ANY_TABLE) : keys;
    if (opaque || (facts.touchesEverything && called === undefined)) {
      return {
        kind: "everything",
        backend: facts.wholeServer === true ? this.#wholeServer(scope.schema) : this.#anyTable(),
        tables,
        heldBy: this.#allHolds,
        armedBy: this.#allArmed,
      };
    }
    const backend = facts.locksUserLevel ? this.rules.default : undefined;
    const homes = new Set(tables.map((key) => this.homeOf(key)));
    if (backend !== undefined) homes.add(backend);
    const [first, second] = homes;
    const heldBy = this.#covering(this.#heldBy, tables);
    const armedBy = this.#covering(this.#armedBy, tables);
    if (first === undefined) return { kind: "any", tables, heldBy, armedBy };
    if (second === undefined) return { kind: "one", backend: first, tables, heldBy, armedBy };
    return { kind: "split", tables, homes: this.#homesOf(tables), heldBy, armedBy };
  }

  /** Decides on each statement of one text: a USE among them says what the names after it mean. */
  decideAll(statements: readonly StatementFacts[], scope: NameScope): readonly Decision[] {
    let here = scope;
    return statements.map((facts) => {
      const decision = this.decide(facts, here);
      if (facts.useSchema !== undefined) here = { ...here, schema: facts.useSchema };
      return decision;
    });
  }

  /** The holds that a statement must wait for. */
  holdsFor(decision: Decision): readonly HoldRule[] {
    return decision.heldBy.flatMap((migration) => this.rules.holds[migration] ?? []);
  }

  /** Where a statement goes that may touch any table. */
  #anyTable(): string | undefined {
    return this.#elsewhere ? undefined : this.rules.default;
  }

  /**
   * Which server a statement means that sees or locks one as a whole: the home of the tables of the session's schema
   * that the rules name, or of all tables that they name. What follows in the session is kept to that server, so that
   * a table that lives elsewhere is refused and never read outside of the snapshot or lock.
   */
  #wholeServer(schema: string | undefined): string | undefined {
    if (!this.#elsewhere) return this.rules.default;
    const prefix = schema === undefined ? "" : this.#fold(`${schema}.`);
    const homes = new Set([...this.#homes].filter(([key]) => key.startsWith(prefix)).map(([, home]) => home));
    const [first, second] = homes;
    return second === undefined ? (first ?? this.rules.default) : undefined;
  }

  /** What the routines that it calls touch; undefined where that is not known. A routine sees the session's temporary tables. */
  #called(facts: StatementFacts, scope: NameScope): readonly string[] | undefined {
    if (facts.calls === undefined || (scope.temporaryTables?.size ?? 0) > 0) return undefined;
    return this.#behind.ofCalls(facts.calls, scope.schema);
  }

  #keysOf(refs: readonly TableRef[], scope: NameScope, called: readonly string[] = NONE): readonly string[] {
    if (refs.length === 0 && called.length === 0) return NONE;
    const keys = new Set<string>(called);
    for (const ref of refs) {
      const key = this.keyOf(ref, scope.schema);
      if (key === undefined || scope.temporaryTables?.has(key)) continue;
      if (isServerSchema(ref.schema ?? scope.schema ?? "")) continue;
      if (this.#behind.isEmpty) keys.add(key);
      else for (const one of this.#behind.ofTable(key, ref.write)) keys.add(one);
    }
    return keys.size > 1 ? [...keys].sort() : [...keys];
  }

  #homesOf(tables: readonly string[]): Record<string, string> {
    return Object.fromEntries(tables.map((key) => [key, this.homeOf(key)]));
  }

  #covering(index: ReadonlyMap<string, string>, tables: readonly string[]): readonly string[] {
    if (index.size === 0) return NONE;
    const found = new Set<string>();
    for (const key of tables) {
      const migration = index.get(key);
      if (migration !== undefined) found.add(migration);
    }
    return found.size === 0 ? NONE : [...found].sort();
  }

  #fold(key: string): string {
    return this.#lowerCase ? key.toLowerCase() : key;
  }
}

/**
 * Sets of tables that were used in one statement or one transaction and that would be at different homes once
 * `tables` have moved to `to`. A switch must be refused unless there are none.
 */
export function splitBySwitch(
  seenTogether: readonly (readonly string[])[],
  tables: readonly string[],
  rules: RulesDocument,
  to: string,
): readonly (readonly string[])[] {
  const moving = new Set(tables);
  // A view was noted by its own name while nobody had asked yet what it is.
  const behind = new Behind(rules, (key) => key);
  const meant = (set: readonly string[]): readonly string[] => set.flatMap((key) => behind.ofTable(key, false));
  const homeAfter = (table: string): string => (moving.has(table) ? to : (rules.tables[table]?.to ?? rules.default));
  return seenTogether.filter((set) => {
    const used = meant(set);
    return used.some((table) => moving.has(table)) && new Set(used.map(homeAfter)).size > 1;
  });
}
