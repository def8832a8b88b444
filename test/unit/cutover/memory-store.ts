import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { migrationKey } from "../../../src/cutover/journal.ts";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import { initialRules } from "../../../src/rules/rules-edits.ts";
import { RULES_KEY } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";

/** The real embedded store without a directory, with rules and one migration in it. */
export async function storeWith(
  migration: Partial<MigrationDocument> = {},
  rules: Partial<RulesDocument> = {},
): Promise<EmbeddedStore> {
  const store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  await store.transact(
    [],
    [
      { put: RULES_KEY, value: JSON.stringify({ ...initialRules("old"), ...rules }) },
      { put: migrationKey("m"), value: JSON.stringify({ ...migrationDocument(), ...migration }) },
    ],
  );
  return store;
}

export function migrationDocument(): MigrationDocument {
  return {
    format: 3,
    id: "m",
    source: "old",
    target: "new",
    sourceUuid: "uuid-old",
    targetUuid: "uuid-new",
    tables: ["shop.items", "shop.orders"],
    createdTables: ["shop.items", "shop.orders"],
    createdSchemas: ["shop"],
    onDdl: "stop",
    phase: "running",
    streams: { forward: {}, reverse: {} },
    diffs: [{ direction: "forward", finishedAt: new Date().toISOString(), verifiedAt: "", rows: 10, differences: 0 }],
    generation: 1,
    switchId: "",
    history: [{ at: new Date().toISOString(), who: "ann", what: "created" }],
  };
}
