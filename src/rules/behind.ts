import type { RoutineRef } from "../sql/statement.ts";
import { isPartial } from "./behind-limits.ts";
import { ANY_TABLE, type NamesBehind, type NamesPart, type RulesDocument, TRIGGERS_OF } from "./rules-document.ts";
import { isServerTable } from "./server-schemas.ts";

const NONE: readonly string[] = [];
const ANY: readonly string[] = [ANY_TABLE];
const UNTOLD: readonly string[] = ["something that is not known"];

/**
 * What stands behind the names in statements, over all servers that were asked: a name that two servers define otherwise
 * has the tables of both, so that a statement is never sent where one of them does not belong.
 */
export class Behind {
  /** Nothing is known of any name: each means a table. */
  readonly isEmpty: boolean;
  readonly #views: ReadonlyMap<string, readonly string[]>;
  readonly #triggers: ReadonlyMap<string, readonly string[]>;
  readonly #routines: Map<string, readonly string[]>;
  readonly #leaves: Map<string, readonly string[]>;
  readonly #leftByTriggers = new Map<string, readonly string[]>();
  /** Names that are not in {@link #views} may stand for any table, but for these. */
  readonly #tablesAlone: ReadonlySet<string> | undefined;
  /** Tables that are not in {@link #triggers} may have some. */
  readonly #anyTriggers: boolean;

  /** @param fold makes a key one by which tables are compared */
  constructor(rules: RulesDocument, fold: (key: string) => string) {
    const servers = Object.values(rules.behind ?? {});
    const isAnyPartial = (part: NamesPart): boolean => servers.some((server) => isPartial(server, part));
    this.#views = union(servers, "views", (names) => Object.entries(names.views), [fold, fold]);
    this.#triggers = union(servers, "triggers", (names) => Object.entries(names.triggers), [fold, fold]);
    this.#tablesAlone = isAnyPartial("views") ? new Set(Object.keys(rules.tables).map(fold)) : undefined;
    this.#anyTriggers = isAnyPartial("triggers");
    // The case of a routine's name never counts. Schemas that differ in nothing else are taken for one.
    this.#routines = union(servers, "routines", routinesOf, [lowerCase, fold]);
    this.#leaves = union(servers, "routines", leavesOf, [lowerCase, (what) => what]);
    for (const [name, tables] of this.#routines) {
      if (!tables.includes(ANY_TABLE)) continue;
      this.#routines.delete(name);
      this.#leaves.delete(name);
    }
    const written = servers.flatMap(({ leaves = {} }) => Object.entries(leaves));
    for (const [key, left] of written.filter(([name]) => name.startsWith(TRIGGERS_OF))) {
      const table = fold(key.slice(TRIGGERS_OF.length));
      this.#leftByTriggers.set(table, [...(this.#leftByTriggers.get(table) ?? NONE), ...left]);
    }
    const knowsNone = this.#views.size === 0 && this.#triggers.size === 0;
    this.isEmpty = knowsNone && this.#tablesAlone === undefined && !this.#anyTriggers;
  }

  /**
   * The tables that the name of a table or view stands for; of one that is written also those of its triggers.
   * {@link ANY_TABLE} among them where it cannot be told.
   */
  ofTable(key: string, write: boolean): readonly string[] {
    const tables = this.#views.get(key) ?? (this.#tablesAlone?.has(key) === false ? ANY : [key]);
    if (!write || (this.#triggers.size === 0 && !this.#anyTriggers)) return tables;
    return tables.flatMap((table) => [table, ...(this.#triggers.get(table) ?? (this.#anyTriggers ? ANY : NONE))]);
  }

  /** The tables of all routines that a statement calls; undefined where one of them is not known. */
  ofCalls(calls: readonly RoutineRef[], schema: string | undefined): readonly string[] | undefined {
    return ofAll(this.#routines, calls, schema);
  }

  /** What the triggers of a table may leave in the session that writes it. */
  leftByTriggers(key: string): readonly string[] {
    if (this.#anyTriggers) return UNTOLD;
    if (key === ANY_TABLE) return [...this.#leftByTriggers.values()].flat();
    return this.#leftByTriggers.get(key) ?? NONE;
  }

  /** Whether some table has triggers that leave something. */
  get triggersLeave(): boolean {
    return this.#anyTriggers || this.#leftByTriggers.size > 0;
  }

  /** What all of them may leave in the session, see {@link NamesBehind.leaves}; undefined where one of them is not known. */
  leftBy(calls: readonly RoutineRef[], schema: string | undefined): readonly string[] | undefined {
    return ofAll(this.#leaves, calls, schema);
  }
}

type Entries = (names: NamesBehind) => readonly (readonly [name: string, values: readonly string[]])[];

/** By name, what any of the servers has behind it. A server that does not list all may have anything behind the others' names. */
function union(
  servers: readonly NamesBehind[],
  part: NamesPart,
  entriesOf: Entries,
  [foldName, foldValue]: readonly [name: (key: string) => string, value: (key: string) => string],
): Map<string, readonly string[]> {
  const all = new Map<string, Set<string>>();
  const partial: ReadonlySet<string>[] = [];
  for (const server of servers) {
    const listed = new Set<string>();
    for (const [key, values] of entriesOf(server)) {
      const name = foldName(key);
      const known = all.get(name) ?? new Set();
      for (const value of values) if (!isServerTable(value)) known.add(foldValue(value));
      all.set(name, known);
      listed.add(name);
    }
    if (isPartial(server, part)) partial.push(listed);
  }
  for (const listed of partial) {
    for (const [name, values] of all) if (!listed.has(name)) values.add(ANY_TABLE);
  }
  return new Map([...all].map(([name, values]) => [name, [...values]]));
}

function routinesOf({ routines, others = {} }: NamesBehind): ReturnType<Entries> {
  return [...Object.entries(routines), ...othersOf(others, (table) => (table === "" ? NONE : [table]))];
}

function leavesOf({ leaves = {}, others = {} }: NamesBehind): ReturnType<Entries> {
  return [...Object.entries(leaves), ...othersOf(others, () => NONE)];
}

function othersOf(
  others: Readonly<Record<string, readonly string[]>>,
  valuesOf: (table: string) => readonly string[],
): ReturnType<Entries> {
  return Object.entries(others).flatMap(([table, names]) => names.map((name) => [name, valuesOf(table)] as const));
}

function lowerCase(key: string): string {
  return key.toLowerCase();
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
