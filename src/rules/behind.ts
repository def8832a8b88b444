import type { RoutineRef } from "../sql/statement.ts";
import { type NamesBehind, type RulesDocument, TRIGGERS_OF } from "./rules-document.ts";

const NONE: readonly string[] = [];

/**
 * What stands behind the names in statements, over all servers that were asked: a name that two servers define otherwise
 * has the tables of both, so that a statement is never sent where one of them does not belong.
 */
export class Behind {
  /** Nothing is known of any name: each means a table. */
  readonly isEmpty: boolean;
  readonly #views: ReadonlyMap<string, readonly string[]>;
  readonly #triggers: ReadonlyMap<string, readonly string[]>;
  readonly #routines: ReadonlyMap<string, readonly string[]>;
  readonly #leaves: ReadonlyMap<string, readonly string[]>;
  readonly #leftByTriggers = new Map<string, readonly string[]>();

  /** @param fold makes a key one by which tables are compared */
  constructor(rules: RulesDocument, fold: (key: string) => string) {
    const servers = Object.values(rules.behind ?? {});
    this.#views = union(servers, ({ views }) => views, fold, fold);
    this.#triggers = union(servers, ({ triggers }) => triggers, fold, fold);
    // The case of a routine's name never counts. Schemas that differ in nothing else are taken for one.
    this.#routines = union(
      servers,
      ({ routines }) => routines,
      (key) => key.toLowerCase(),
      fold,
    );
    this.#leaves = union(
      servers,
      ({ leaves = {} }) => leaves,
      (key) => key.toLowerCase(),
      (what) => what,
    );
    const written = servers.flatMap(({ leaves = {} }) => Object.entries(leaves));
    for (const [key, left] of written.filter(([name]) => name.startsWith(TRIGGERS_OF))) {
      const table = fold(key.slice(TRIGGERS_OF.length));
      this.#leftByTriggers.set(table, [...(this.#leftByTriggers.get(table) ?? NONE), ...left]);
    }
    this.isEmpty = this.#views.size === 0 && this.#triggers.size === 0;
  }

  /** The tables that the name of a table or view stands for; of one that is written also those of its triggers. */
  ofTable(key: string, write: boolean): readonly string[] {
    const tables = this.#views.get(key) ?? [key];
    if (!write || this.#triggers.size === 0) return tables;
    return tables.flatMap((table) => [table, ...(this.#triggers.get(table) ?? NONE)]);
  }

  /** The tables of all routines that a statement calls; undefined where one of them is not known. */
  ofCalls(calls: readonly RoutineRef[], schema: string | undefined): readonly string[] | undefined {
    return ofAll(this.#routines, calls, schema);
  }

  /** What the triggers of a table may leave in the session that writes it. */
  leftByTriggers(key: string): readonly string[] {
    return this.#leftByTriggers.get(key) ?? NONE;
  }

  /** Whether some table has triggers that leave something. */
  get triggersLeave(): boolean {
    return this.#leftByTriggers.size > 0;
  }

  /** What all of them may leave in the session, see {@link NamesBehind.leaves}; undefined where one of them is not known. */
  leftBy(calls: readonly RoutineRef[], schema: string | undefined): readonly string[] | undefined {
    return ofAll(this.#leaves, calls, schema);
  }
}

function union(
  servers: readonly NamesBehind[],
  part: (names: NamesBehind) => Readonly<Record<string, readonly string[]>>,
  foldName: (key: string) => string,
  foldTable: (key: string) => string,
): ReadonlyMap<string, readonly string[]> {
  const all = new Map<string, readonly string[]>();
  for (const server of servers) {
    for (const [key, tables] of Object.entries(part(server))) {
      const name = foldName(key);
      all.set(name, [...new Set([...(all.get(name) ?? NONE), ...tables.map(foldTable)])]);
    }
  }
  return all;
}

function ofAll(
  found: ReadonlyMap<string, readonly string[]>,
  calls: readonly RoutineRef[],
  schema: string | undefined,
): readonly string[] | undefined {
  const all: string[] = [];
  for (const { schema: named, name } of calls) {
    const owner = named ?? schema;
    const one = owner === undefined ? undefined : found.get(`${owner}.${name}`.toLowerCase());
    if (one === undefined) return undefined;
    all.push(...one);
  }
  return all;
}
