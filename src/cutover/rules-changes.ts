import type { HoldRule, RulesDocument, TableRule } from "../rules/rules-document.ts";
import type { SwitchEnds } from "./ports.ts";

/** The backend that takes a table's statements. */
export function homeOf(rules: RulesDocument, table: string): string {
  return rules.tables[table]?.to ?? rules.default;
}

/** The rules with the migration armed under `token`. */
export function armedRules(rules: RulesDocument, ends: SwitchEnds, token: string): RulesDocument {
  const armed = { ...rules.armed, [ends.migration]: { token, tables: ends.tables, newHome: ends.newHome } };
  return { ...rules, generation: rules.generation + 1, armed };
}

/** The rules with a hold under `token` on the migration's tables. */
export function heldRules(rules: RulesDocument, ends: SwitchEnds, token: string, ttlMs: number): RulesDocument {
  const hold: HoldRule = { token, tables: ends.tables, ttlMs, oldHome: ends.oldHome, newHome: ends.newHome };
  return { ...rules, generation: rules.generation + 1, holds: { ...rules.holds, [ends.migration]: hold } };
}

/** The rules with the tables at their new home, and neither armed nor held any more. */
export function swappedRules(rules: RulesDocument, ends: SwitchEnds, switchId: string): RulesDocument {
  const tables: Record<string, TableRule> = { ...rules.tables };
  for (const table of ends.tables) tables[table] = { to: ends.newHome, migration: ends.migration };
  return { ...withoutAttempt(rules, ends.migration), tables, switchId };
}

/** The rules without hold and arming of a migration; the generation grows in any case. */
export function withoutAttempt(rules: RulesDocument, migration: string): RulesDocument {
  return {
    ...rules,
    generation: rules.generation + 1,
    armed: without(rules.armed, migration),
    holds: without(rules.holds, migration),
  };
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}
