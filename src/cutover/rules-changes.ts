import { mergedBehind } from "../rules/behind-limits.ts";
import type { ArmedRule, HoldRule, NamesBehind, RulesDocument } from "../rules/rules-document.ts";
import { withArmed, withHold } from "../rules/rules-edits.ts";
import type { SwitchEnds } from "./ports.ts";

/**
 * The rules with the migration armed under `token`, and with what stands behind names on its servers.
 *
 * @throws {SwitchyardError} `RULES_TABLE_TAKEN`
 */
export function armedRules(
  rules: RulesDocument,
  ends: SwitchEnds,
  {
    behind,
    ...more
  }: Pick<ArmedRule, "token" | "endPinnedAfterMs"> & {
    readonly behind: Readonly<Record<string, NamesBehind>>;
  },
): RulesDocument {
  const armed = withArmed(rules, ends.migration, { tables: ends.tables, newHome: ends.newHome, ...more });
  return Object.keys(behind).length === 0 ? armed : { ...armed, behind: mergedBehind(armed, behind) };
}

/** The rules with a hold under `token` on the tables; undefined where the migration is not armed under it any more. */
export function heldRules(
  rules: RulesDocument,
  ends: SwitchEnds,
  token: string,
  more: Pick<HoldRule, "ttlMs" | "endOpenAfterMs">,
): RulesDocument | undefined {
  const hold: HoldRule = { token, tables: ends.tables, oldHome: ends.oldHome, newHome: ends.newHome, ...more };
  return withHold(rules, ends.migration, hold);
}

/** The rules with the tables at their new home, and neither armed nor held any more. */
export function swappedRules(rules: RulesDocument, ends: SwitchEnds, switchId: string): RulesDocument {
  const moved = Object.fromEntries(
    ends.tables.map((table) => [table, { to: ends.newHome, migration: ends.migration }] as const),
  );
  return { ...withoutAttempt(rules, ends.migration), tables: { ...rules.tables, ...moved }, switchId };
}

/**
 * The rules without hold and arming of a migration. The generation grows even if there was neither: the new revision
 * is what keeps a swap that is still on its way from applying.
 */
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
