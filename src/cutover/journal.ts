import { SwitchyardError } from "../base/errors.ts";
import { readCurrent } from "../rules/document-format.ts";
import { MIGRATION_KIND } from "../rules/document-kinds.ts";
import type { RulesDocument } from "../rules/rules-document.ts";
import { readRules } from "../rules/rules-store.ts";
import { MIGRATIONS_PREFIX, RULES_KEY } from "../rules/store-keys.ts";
import type { Compare, Store, StoreEntry } from "../store/store.ts";
import type { HistoryEntry, MigrationDocument } from "./migration-document.ts";

/** History entries that one migration keeps. The first, which says how it was created, is never dropped. */
export const HISTORY_ENTRIES_MAX = 500;

/** A document with the revision at which it was read: the condition of a later write. */
export interface Stored<T> {
  readonly document: T;
  readonly revision: number;
}

/** What a switch decides by. The two are read one after the other; only a write under both revisions proves them. */
export interface SwitchState {
  readonly migration: Stored<MigrationDocument>;
  readonly rules: Stored<RulesDocument>;
}

/** The key of a migration's journal. */
export function migrationKey(id: string): string {
  return `${MIGRATIONS_PREFIX}${id}`;
}

/** @throws {SwitchyardError} `CUTOVER_MIGRATION_UNKNOWN`, `CUTOVER_FORMAT_NEWER`, `CUTOVER_DOCUMENT_INVALID` */
export async function readMigration(store: Store, id: string): Promise<Stored<MigrationDocument>> {
  const entry = await store.get(migrationKey(id));
  if (entry === undefined) {
    throw new SwitchyardError("CUTOVER_MIGRATION_UNKNOWN", {
      what: `there is no migration "${id}"`,
      fix: "`switchyard migration list` shows those that exist.",
    });
  }
  return { document: parseMigration(entry), revision: entry.revision };
}

/** Reads a journal entry. @throws {SwitchyardError} `CUTOVER_FORMAT_NEWER`, `CUTOVER_DOCUMENT_INVALID` */
export function parseMigration(entry: StoreEntry): MigrationDocument {
  const document = readCurrent(MIGRATION_KIND, entry.key, entry.value);
  if (
    typeof document["id"] !== "string" ||
    typeof document["phase"] !== "string" ||
    !Array.isArray(document["history"])
  ) {
    throw damaged(entry.key, "it has no id, phase or history");
  }
  return document as unknown as MigrationDocument;
}

/** @throws {SwitchyardError} as {@link readMigration}, and what reading the rules throws */
export async function readState(store: Store, id: string): Promise<SwitchState> {
  const migration = await readMigration(store, id);
  const { rules, revision } = await readRules(store);
  return { migration, rules: { document: rules, revision } };
}

/** Conditions that both documents are still as they were read. */
export function unchanged(state: SwitchState): readonly Compare[] {
  return [
    { key: RULES_KEY, revision: state.rules.revision },
    { key: migrationKey(state.migration.document.id), revision: state.migration.revision },
  ];
}

/** The document with one more history entry; the oldest but the first go when there are too many. */
export function withHistory(document: MigrationDocument, entry: HistoryEntry): MigrationDocument {
  const all = [...document.history, entry];
  const first = all[0];
  const surplus = all.length - HISTORY_ENTRIES_MAX;
  const history = surplus > 0 && first !== undefined ? [first, ...all.slice(1 + surplus)] : all;
  return { ...document, history };
}

/**
 * Reads the journal, changes it and writes it back, again from the start where somebody else wrote in between.
 * `change` may throw to refuse.
 *
 * @throws {SwitchyardError} what the store throws: after `STORE_OUTCOME_UNKNOWN` the caller must read again;
 *   `CUTOVER_JOURNAL_CHANGED` when `conditions` do not hold, or others keep writing.
 */
export async function updateMigration(
  store: Store,
  id: string,
  conditions: readonly Compare[],
  change: (document: MigrationDocument) => MigrationDocument,
): Promise<Stored<MigrationDocument>> {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const read = await readMigration(store, id);
    const document = change(read.document);
    const key = migrationKey(id);
    const result = await store.transact(
      [...conditions, { key, revision: read.revision }],
      [{ put: key, value: JSON.stringify(document) }],
    );
    if (result.succeeded) return { document, revision: result.revision };
  }
  throw new SwitchyardError("CUTOVER_JOURNAL_CHANGED", {
    what: `the journal of migration "${id}" could not be written: another process writes it, or leads now`,
    changed: "Nothing was changed.",
  });
}

function damaged(key: string, why: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError("CUTOVER_DOCUMENT_INVALID", {
    what: `${key} cannot be used: ${why}`,
    changed: "Nothing was changed.",
    fix: "Restore the store's directory from a backup, or report this.",
    ...(cause === undefined ? {} : { cause }),
  });
}
