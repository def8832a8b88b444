import { SwitchyardError } from "../base/errors.ts";
import { mergedBehind } from "./behind-limits.ts";
import type { ArmedRule, HoldRule, NamesBehind, RulesDocument, TableRule } from "./rules-document.ts";

/** What a process begins with where the store has no rules yet: every table at `home`. */
export function initialRules(home: string): RulesDocument {
  return { format: 2, generation: 1, default: home, tables: {}, armed: {}, holds: {}, switchId: "" };
}

/** Where a table's statements go by these rules. */
export function homeOf(rules: RulesDocument, table: string): string {
  return rules.tables[table]?.to ?? rules.default;
}

/**
 * The migration is armed: proxies prepare its sessions and serve its tables by their lease. Replaces an earlier
 * arming of the same migration.
 *
 * @throws {SwitchyardError} `RULES_TABLE_TAKEN` if another migration has armed or holds one of the tables
 */
export function withArmed(rules: RulesDocument, migration: string, armed: ArmedRule): RulesDocument {
  refuseTaken(rules, migration, armed.tables);
  return changed(rules, { armed: { ...rules.armed, [migration]: armed } });
}

/** The migration is no longer armed. Undefined where it is not, or under another token. */
export function withoutArmed(rules: RulesDocument, migration: string, token: string): RulesDocument | undefined {
  if (rules.armed[migration]?.token !== token) return undefined;
  return changed(rules, { armed: without(rules.armed, migration) });
}

/**
 * Statements on the tables wait. Undefined where the migration is not armed under the same token, or already holds:
 * an attempt that was given up must not begin to hold.
 *
 * @throws {SwitchyardError} `RULES_TABLE_TAKEN` if another migration has armed or holds one of the tables
 */
export function withHold(rules: RulesDocument, migration: string, hold: HoldRule): RulesDocument | undefined {
  if (rules.armed[migration]?.token !== hold.token || rules.holds[migration] !== undefined) return undefined;
  refuseTaken(rules, migration, hold.tables);
  return changed(rules, { holds: { ...rules.holds, [migration]: hold } });
}

/** The hold with this token is gone and nothing else has changed. Undefined where it is not in force. */
export function withoutHold(rules: RulesDocument, migration: string, token: string): RulesDocument | undefined {
  if (rules.holds[migration]?.token !== token) return undefined;
  return changed(rules, { holds: without(rules.holds, migration) });
}

/** Hold and arming of the attempt with this token are gone, as far as they are there. Undefined where neither is. */
export function withoutAttempt(rules: RulesDocument, migration: string, token: string): RulesDocument | undefined {
  const held = rules.holds[migration]?.token === token;
  const armed = rules.armed[migration]?.token === token;
  if (!held && !armed) return undefined;
  return changed(rules, {
    holds: held ? without(rules.holds, migration) : rules.holds,
    armed: armed ? without(rules.armed, migration) : rules.armed,
  });
}

/**
 * The switch itself: the tables of the hold go to its new home, and the hold is gone. The migration stays armed until
 * every proxy has acknowledged. Undefined where the hold with this token is not in force: then this attempt has ended
 * and must not switch.
 *
 * @param switchId fresh: tells this switch from any other to the same place
 */
export function switched(
  rules: RulesDocument,
  migration: string,
  token: string,
  switchId: string,
): RulesDocument | undefined {
  const hold = rules.holds[migration];
  if (hold?.token !== token) return undefined;
  const moved: Record<string, TableRule> = {};
  for (const table of hold.tables) moved[table] = { to: hold.newHome, migration };
  return changed(rules, { tables: { ...rules.tables, ...moved }, holds: without(rules.holds, migration), switchId });
}

/** A table is routed by hand. Refused while a migration has armed or holds it. */
export function withTable(rules: RulesDocument, table: string, rule: TableRule): RulesDocument {
  refuseTaken(rules, "", [table]);
  return changed(rules, { tables: { ...rules.tables, [table]: rule } });
}

/** A table goes to the default home again. Undefined where it has no entry. */
export function withoutTable(rules: RulesDocument, table: string): RulesDocument | undefined {
  if (rules.tables[table] === undefined) return undefined;
  refuseTaken(rules, "", [table]);
  return changed(rules, { tables: without(rules.tables, table) });
}

/**
 * Another backend has taken the place of one, as a replica does that takes over: whatever is at home on the former is at
 * home on it, tables without a rule too. Only the tables of the migrations in `except` stay: each has a stream that must
 * be proven first. What stands behind names there is what stood behind them on the former, until somebody asks it.
 */
export function withRepointed(
  rules: RulesDocument,
  { from, to }: { readonly from: string; readonly to: string },
  except: ReadonlySet<string>,
): RulesDocument {
  if (from === to) return changed(rules, {});
  const tables = Object.fromEntries(
    Object.entries(rules.tables).map(([table, rule]) => {
      return [table, rule.to === from && !except.has(rule.migration) ? { ...rule, to } : rule] as const;
    }),
  );
  const behind = rules.behind?.[to] === undefined ? rules.behind?.[from] : undefined;
  return changed(rules, {
    tables,
    default: rules.default === from ? to : rules.default,
    repointed: { ...without(rules.repointed ?? {}, to), [from]: { to } },
    ...(behind === undefined ? {} : { behind: { ...rules.behind, [to]: behind } }),
  });
}

/** The backend that has the place of this one now; itself where no other has. */
export function presentName(rules: RulesDocument, backend: string): string {
  const passed = new Set([backend]);
  for (let name = backend; ; ) {
    const next = rules.repointed?.[name]?.to;
    if (next === undefined || passed.has(next)) return name;
    passed.add(next);
    name = next;
  }
}

/** What these servers were found to have behind their names, see {@link mergedBehind}. Undefined where nothing changes. */
export function withBehind(
  rules: RulesDocument,
  found: Readonly<Record<string, NamesBehind>>,
): RulesDocument | undefined {
  const behind = mergedBehind(rules, found);
  if (JSON.stringify(behind) === JSON.stringify(rules.behind ?? {})) return undefined;
  return changed(rules, { behind });
}

function changed(rules: RulesDocument, change: Partial<RulesDocument>): RulesDocument {
  return { ...rules, ...change, generation: rules.generation + 1 };
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([other]) => other !== key));
}

function refuseTaken(rules: RulesDocument, migration: string, tables: readonly string[]): void {
  for (const [other, rule] of [...Object.entries(rules.armed), ...Object.entries(rules.holds)]) {
    if (other === migration) continue;
    const taken = rule.tables.filter((table) => tables.includes(table));
    if (taken.length === 0) continue;
    throw new SwitchyardError("RULES_TABLE_TAKEN", {
      what: `migration "${other}" is about to switch ${taken.join(", ")}`,
      changed: "The routing rules were not changed.",
      fix: "Wait until it has switched or given up.",
    });
  }
}
