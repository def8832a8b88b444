import type { Store } from "../store/store.ts";
import { type DocumentKind, upgradeStored } from "./document-format.ts";
import {
  ALIVE_PREFIX,
  CLAIMS_PREFIX,
  CONTROLLERS_PREFIX,
  DIFFS_PREFIX,
  KILLS_PREFIX,
  LEADER_KEY,
  MIGRATIONS_PREFIX,
  ORDER_RECORDS_PREFIX,
  ORDERS_PREFIX,
  PROXIES_PREFIX,
  RULES_KEY,
  SESSIONS_PREFIX,
  STATUS_PREFIX,
  STREAMS_PREFIX,
} from "./store-keys.ts";

/**
 * What may be left out of a document may be so since a format that older programs do not read: one that passed it over
 * would route by less than it was told. Format 2 has `behind` and `repointed` in the rules, and `endPinnedAfterMs` and `endOpenAfterMs` in
 * armings and holds; what the first format says means the same.
 */
export const RULES_KIND: DocumentKind = {
  name: "the routing rules",
  format: 2,
  steps: { 1: (rules) => ({ ...rules, format: 2 }) },
  codes: { newer: "STORE_FORMAT_NEWER", malformed: "RULES_MALFORMED" },
};

/**
 * A proxy does with the rules what its version does, and no switch mixes two of these formats: one that reads other rules has
 * another format here too. Format 3 has `servers`; a proxy that does not tell them proves nothing by it.
 */
export const PROXY_KIND: DocumentKind = {
  ...RULES_KIND,
  name: "the registration of a proxy",
  format: 3,
  steps: {
    1: (document) => ({ ...document, format: 2 }),
    2: (document) => ({ ...document, format: 3, servers: {} }),
  },
};

/**
 * Format 2 has `tuning`, `copiedFrom`, and `at` and `lagMs` of a pause. A controller that passed them over would copy faster, and
 * from elsewhere, than it was told, and take a diff for proof that read the replica the rows had come from. In a journal of
 * the first format nothing was tuned, all was copied from the source, and how late a paused stream was is not known. It also has
 * `mappings`: a program that passed them over would write values into columns that they are not of. And `diffRun`, with
 * `verifiedTime` of a diff: a program that passed them over would take a long diff for younger than its first row, and leave
 * one to be gone on with that drift has made worthless. Format 3 has `onDdl`, and after which DDL a stream may go on; before, all
 * of it stopped the stream. `refreshed` and `notRefreshed` of a diff have no format of their own: a program that passes them over
 * compares nothing again, and takes the diff for as old as `verifiedTime` says. Nor has `fence` of an attempt: a program that passes
 * it over fences the old home anew by the lock that it knows, which refuses the same writes.
 */
export const MIGRATION_KIND: DocumentKind = {
  name: "the journal of a migration",
  format: 3,
  steps: { 1: (journal) => ({ ...journal, format: 2 }), 2: (journal) => ({ ...journal, format: 3, onDdl: "stop" }) },
  codes: { newer: "CUTOVER_FORMAT_NEWER", malformed: "CUTOVER_DOCUMENT_INVALID" },
};

export const ORDER_KIND: DocumentKind = {
  name: "an order",
  format: 1,
  steps: {},
  codes: { newer: "STORE_FORMAT_NEWER", malformed: "CUTOVER_DOCUMENT_INVALID" },
};

export const CLAIM_KIND: DocumentKind = { ...ORDER_KIND, name: "the claim of a table" };
export const LEADER_KIND: DocumentKind = { ...ORDER_KIND, name: "the name of the leader" };
export const KILL_KIND: DocumentKind = { ...ORDER_KIND, name: "a request to kill a statement" };
export const CONTROLLER_KIND: DocumentKind = { ...ORDER_KIND, name: "the sign of life of a controller" };
export const STREAM_CLAIM_KIND: DocumentKind = { ...ORDER_KIND, name: "the name of who runs a migration" };
const RECORD_KIND: DocumentKind = { ...ORDER_KIND, name: "the record of an order" };
const DIFF_KIND: DocumentKind = { ...ORDER_KIND, name: "the report of a diff" };
const ALIVE_KIND: DocumentKind = { ...ORDER_KIND, name: "the sign of life of a proxy" };
const SESSIONS_KIND: DocumentKind = { ...ORDER_KIND, name: "the sessions of a proxy" };
const STATUS_KIND: DocumentKind = { ...ORDER_KIND, name: "the progress of a migration" };

/** What is stored under one key, or below one prefix. */
export interface StoredKind {
  /** A key, or a prefix with a slash at its end. */
  readonly at: string;
  readonly kind: DocumentKind;
  /** `kept` outlives whoever wrote it, so an older one is brought to the present format; the rest its writer writes anew. */
  readonly life: "kept" | "writer";
}

type Keys = typeof import("./store-keys.ts");
/** Every key and prefix in `store-keys.ts`. */
type KeyName = Exclude<{ [Name in keyof Keys]: Keys[Name] extends string ? Name : never }[keyof Keys], "KEYS_ROOT">;

/**
 * Every place in the store, with what stands there. A key without an entry here does not compile: each document carries
 * its format, is read through its kind, and says in `life` who brings an older one to the present.
 */
export const STORED: Readonly<Record<KeyName, StoredKind>> = {
  RULES_KEY: { at: RULES_KEY, kind: RULES_KIND, life: "kept" },
  MIGRATIONS_PREFIX: { at: MIGRATIONS_PREFIX, kind: MIGRATION_KIND, life: "kept" },
  CLAIMS_PREFIX: { at: CLAIMS_PREFIX, kind: CLAIM_KIND, life: "kept" },
  ORDERS_PREFIX: { at: ORDERS_PREFIX, kind: ORDER_KIND, life: "kept" },
  ORDER_RECORDS_PREFIX: { at: ORDER_RECORDS_PREFIX, kind: RECORD_KIND, life: "kept" },
  DIFFS_PREFIX: { at: DIFFS_PREFIX, kind: DIFF_KIND, life: "kept" },
  PROXIES_PREFIX: { at: PROXIES_PREFIX, kind: PROXY_KIND, life: "writer" },
  ALIVE_PREFIX: { at: ALIVE_PREFIX, kind: ALIVE_KIND, life: "writer" },
  SESSIONS_PREFIX: { at: SESSIONS_PREFIX, kind: SESSIONS_KIND, life: "writer" },
  STATUS_PREFIX: { at: STATUS_PREFIX, kind: STATUS_KIND, life: "writer" },
  KILLS_PREFIX: { at: KILLS_PREFIX, kind: KILL_KIND, life: "writer" },
  CONTROLLERS_PREFIX: { at: CONTROLLERS_PREFIX, kind: CONTROLLER_KIND, life: "writer" },
  STREAMS_PREFIX: { at: STREAMS_PREFIX, kind: STREAM_CLAIM_KIND, life: "writer" },
  LEADER_KEY: { at: LEADER_KEY, kind: LEADER_KIND, life: "writer" },
};

/** The kind of what is stored under a key; absent for a key that no version of Switchyard writes. */
export function kindAt(key: string): DocumentKind | undefined {
  const found = Object.values(STORED).find(({ at }) => (at.endsWith("/") ? key.startsWith(at) : key === at));
  return found?.kind;
}

/**
 * Brings what an older version has left in the store to the present formats. The leading controller does it before
 * anything else; until then, and afterwards where an older process writes on, readers do the same in memory.
 *
 * @throws {SwitchyardError} `STORE_FORMAT_NEWER`, `CUTOVER_FORMAT_NEWER` and those of damaged documents: then this version
 *   must not lead.
 */
export async function upgradeDocuments(store: Store): Promise<void> {
  for (const { at, kind, life } of Object.values(STORED)) {
    if (life === "kept") await upgradeStored(store, kind, at);
  }
}
