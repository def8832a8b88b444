import { SwitchyardError } from "../base/errors.ts";
import type { Compare, Store, StoreWrite } from "../store/store.ts";
import { parseRules, serializeRules } from "./rules-codec.ts";
import type { RulesDocument } from "./rules-document.ts";
import { initialRules } from "./rules-edits.ts";
import { RULES_KEY } from "./store-keys.ts";

/** How often a change is tried anew because somebody else changed the rules in between. */
const ATTEMPTS_MAX = 32;

/** The rules with the store's revision of them, by which they can be replaced. */
export interface StoredRules {
  readonly rules: RulesDocument;
  readonly revision: number;
}

/** What else must hold, and what else is written, in the very transaction that changes the rules. */
export interface TogetherWithRules {
  readonly conditions: readonly Compare[];
  readonly writes: readonly StoreWrite[];
}

/**
 * Makes the next rules from the present ones, or gives up by returning undefined. Called once for each attempt, so it
 * must look at the rules it is given and not at those of an attempt before.
 */
export type RulesEdit = (rules: RulesDocument) => RulesDocument | undefined;

/** As {@link RulesEdit}, with more to write in the same transaction. */
export type RulesEditTogether = (
  rules: RulesDocument,
) => Promise<({ readonly rules: RulesDocument } & TogetherWithRules) | undefined>;

/**
 * Reads the rules.
 *
 * @throws {SwitchyardError} `RULES_MISSING`, `RULES_MALFORMED`, `STORE_FORMAT_NEWER`, and what the store throws
 */
export async function readRules(store: Store): Promise<StoredRules> {
  const entry = await store.get(RULES_KEY);
  if (entry === undefined) {
    throw new SwitchyardError("RULES_MISSING", {
      what: "the store holds no routing rules",
      fix: "Start `switchyard serve` or a controller once with this store; it writes the first rules.",
    });
  }
  return { rules: parseRules(entry.value), revision: entry.revision };
}

/** Reads the rules, and writes the first ones where there are none yet: every table at `home`. */
export async function ensureRules(store: Store, home: string): Promise<StoredRules> {
  const entry = await store.get(RULES_KEY);
  if (entry === undefined) {
    const value = serializeRules(initialRules(home));
    await store.transact([{ key: RULES_KEY, revision: 0 }], [{ put: RULES_KEY, value }]);
  }
  return readRules(store);
}

/**
 * Changes the rules by compare-and-swap: reads them, edits, writes if they are still those; where they are not, does
 * it again with what is there now. Returns what was written, or undefined if the edit gave up.
 *
 * Where the store does not say whether the write was applied, this does not try again: the caller must find out.
 *
 * @throws {SwitchyardError} `RULES_CONTENDED` after many attempts; `STORE_UNAVAILABLE`: not changed;
 *   `STORE_OUTCOME_UNKNOWN`: perhaps changed
 */
export function changeRules(store: Store, edit: RulesEdit): Promise<StoredRules | undefined> {
  return changeRulesTogether(store, async (rules) => {
    const next = edit(rules);
    return next === undefined ? undefined : { rules: next, conditions: [], writes: [] };
  });
}

/**
 * As {@link changeRules}, with further conditions and writes in the same transaction. Where one of the conditions does
 * not hold, the edit is asked again, and should read what it depends on anew.
 */
export async function changeRulesTogether(store: Store, edit: RulesEditTogether): Promise<StoredRules | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const present = await readRules(store);
    const next = await edit(present.rules);
    if (next === undefined) return undefined;
    const result = await store.transact(
      [{ key: RULES_KEY, revision: present.revision }, ...next.conditions],
      [{ put: RULES_KEY, value: serializeRules(next.rules) }, ...next.writes],
    );
    if (result.succeeded) return { rules: next.rules, revision: result.revision };
  }
  throw new SwitchyardError("RULES_CONTENDED", {
    what: `the routing rules changed ${ATTEMPTS_MAX} times while they were to be changed`,
    changed: "This change was not made.",
    fix: "Try again.",
  });
}

/**
 * Writes only if the rules are still those of `revision`: how a proxy joins, so that none serves by rules that were
 * replaced between its reading and its registration. False where they are not; then read again.
 */
export async function writeIfRules(store: Store, revision: number, writes: readonly StoreWrite[]): Promise<boolean> {
  const result = await store.transact([{ key: RULES_KEY, revision }], writes);
  return result.succeeded;
}
