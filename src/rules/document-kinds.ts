import type { Store } from "../store/store.ts";
import { type DocumentKind, upgradeStored } from "./document-format.ts";
import { MIGRATIONS_PREFIX, ORDERS_PREFIX, RULES_KEY } from "./store-keys.ts";

export const RULES_KIND: DocumentKind = {
  name: "the routing rules",
  format: 1,
  steps: {},
  codes: { newer: "STORE_FORMAT_NEWER", malformed: "RULES_MALFORMED" },
};

export const PROXY_KIND: DocumentKind = { ...RULES_KIND, name: "the registration of a proxy" };

export const MIGRATION_KIND: DocumentKind = {
  name: "the journal of a migration",
  format: 1,
  steps: {},
  codes: { newer: "CUTOVER_FORMAT_NEWER", malformed: "CUTOVER_DOCUMENT_INVALID" },
};

export const ORDER_KIND: DocumentKind = {
  name: "an order",
  format: 1,
  steps: {},
  codes: { newer: "STORE_FORMAT_NEWER", malformed: "CUTOVER_DOCUMENT_INVALID" },
};

/** What is written again all the time, for people to look at: progress, sessions, results. */
export const SHOWN_KIND: DocumentKind = { ...ORDER_KIND, name: "a document to be shown" };

/** The kinds that outlive the process that wrote them, with where they are. A proxy writes its own anew. */
const KEPT: readonly (readonly [DocumentKind, string])[] = [
  [RULES_KIND, RULES_KEY],
  [MIGRATION_KIND, MIGRATIONS_PREFIX],
  [ORDER_KIND, ORDERS_PREFIX],
];

/**
 * Brings what an older version has left in the store to the present formats. The leading controller does it before
 * anything else; until then, and afterwards where an older process writes on, readers do the same in memory.
 *
 * @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_FORMAT_NEWER` and those of damaged documents: then this version
 *   must not lead.
 */
export async function upgradeDocuments(store: Store): Promise<void> {
  for (const [kind, prefix] of KEPT) await upgradeStored(store, kind, prefix);
}
