import { bytesOf, NAMES_BYTES_MAX, NOTHING_TOLD } from "../rules/behind-limits.ts";
import { ANY_TABLE, type NamesBehind, TRIGGERS_OF } from "../rules/rules-document.ts";

/** What a view, trigger or routine touches at last. */
export interface Touched {
  /** Of a trigger the table that it is on. */
  readonly spelled: string;
  /** Keys as the server spells them, sorted; of a table that cannot be seen as rules spell it, else in lower case. */
  readonly tables: readonly string[];
  /** Why it may touch more. */
  readonly unknown?: string | undefined;
  /** What it leaves in a session, see {@link leftInSession}. */
  readonly leaves: readonly string[];
}

/** All definitions of a server, as far as they can be seen. */
export interface TouchedByAll {
  readonly views: readonly Touched[];
  readonly triggers: readonly Touched[];
  readonly routines: readonly Touched[];
  /** Whether the account sees every routine and every schema's name: else a text may call what is not known. */
  readonly seesRoutines: boolean;
}

type Lists = Readonly<Record<string, readonly string[]>>;

/**
 * What rules need of a server's definitions: all that concerns the tables in `ruled`, all of which it is not known what they
 * touch, and every routine. Where that is too much, parts are left out and named in `tooLarge`.
 */
export function namesBehind(all: TouchedByAll, ruled: readonly string[]): NamesBehind {
  const keys = new Set(ruled.map((key) => key.toLowerCase()));
  const isRuled = (key: string): boolean => keys.has(key.toLowerCase());
  const concerns = (one: Touched): boolean => one.unknown !== undefined || one.tables.some(isRuled);
  const views = gathered(all.views.filter(concerns));
  const triggers = gathered(all.triggers.filter((one) => concerns(one) || isRuled(one.spelled)));
  const byTriggers = leftByTriggers(all.triggers);
  if (!all.seesRoutines) {
    return firstThatFits([{ views, triggers, routines: {}, leaves: byTriggers, unseen: ["routines"] }]);
  }
  const { ruledOnes, leaving, others } = sorted(all.routines, isRuled);
  const fewer = { views, triggers, routines: tablesOf(ruledOnes), leaves: { ...byTriggers, ...leavesOf(ruledOnes) } };
  const listed = { ...ruledOnes, ...leaving };
  const leaves = { ...byTriggers, ...leavesOf(listed) };
  return firstThatFits([
    { views, triggers, routines: tablesOf(listed), leaves, ...(Object.keys(others).length > 0 ? { others } : {}) },
    { ...fewer, tooLarge: ["routines"] },
  ]);
}

function firstThatFits(candidates: readonly NamesBehind[]): NamesBehind {
  return candidates.find((names) => bytesOf(names) <= NAMES_BYTES_MAX) ?? NOTHING_TOLD;
}

/** By name the tables of all definitions of that name. */
function gathered(all: readonly Touched[]): Lists {
  const found: Record<string, readonly string[]> = {};
  for (const { spelled, tables, unknown } of all) {
    const both = new Set([...(found[spelled] ?? []), ...(unknown === undefined ? tables : [ANY_TABLE])]);
    found[spelled] = both.has(ANY_TABLE) ? [ANY_TABLE] : [...both].sort();
  }
  return found;
}

/** By table what its triggers leave in a session, of those that leave something. */
function leftByTriggers(triggers: readonly Touched[]): Lists {
  const found: Record<string, readonly string[]> = {};
  for (const { spelled, leaves, unknown } of triggers) {
    const left = unknown === undefined ? leaves : [...leaves, "something that is not known"];
    if (left.length === 0) continue;
    const key = TRIGGERS_OF + spelled;
    found[key] = [...new Set([...(found[key] ?? []), ...left])].sort();
  }
  return found;
}

interface Routine {
  readonly tables: readonly string[];
  readonly leaves: readonly string[];
}

type Routines = Readonly<Record<string, Routine>>;

/** Routines by what the rules need of them; a procedure and a function may share a name, and then are one. */
function sorted(
  routines: readonly Touched[],
  isRuled: (key: string) => boolean,
): { readonly ruledOnes: Routines; readonly leaving: Routines; readonly others: Lists } {
  const byName = new Map<string, Touched[]>();
  for (const one of routines) {
    const name = one.spelled.toLowerCase();
    byName.set(name, [...(byName.get(name) ?? []), one]);
  }
  const ruledOnes: Record<string, Routine> = {};
  const leaving: Record<string, Routine> = {};
  const others: Record<string, string[]> = {};
  for (const [name, same] of byName) {
    const tables = [...new Set(same.flatMap((one) => one.tables))].sort();
    const leaves = [...new Set(same.flatMap((one) => one.leaves))].sort();
    const unknown = same.some((one) => one.unknown !== undefined);
    if (!unknown && tables.some(isRuled)) ruledOnes[name] = { tables, leaves };
    else if (!unknown && leaves.length > 0) leaving[name] = { tables: tables.slice(0, 1), leaves };
    else {
      const table = unknown ? ANY_TABLE : (tables[0] ?? "");
      const names = others[table] ?? [];
      names.push(name);
      others[table] = names;
    }
  }
  return { ruledOnes, leaving, others };
}

function tablesOf(routines: Routines): Lists {
  return Object.fromEntries(Object.entries(routines).map(([name, { tables }]) => [name, tables]));
}

function leavesOf(routines: Routines): Lists {
  return Object.fromEntries(Object.entries(routines).map(([name, { leaves }]) => [name, leaves]));
}
