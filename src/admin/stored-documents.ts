import { SwitchyardError } from "../base/errors.ts";
import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import type { OrderRecord } from "../cutover/order-record.ts";
import type { StreamClaim } from "../rules/controller-documents.ts";
import { readCurrent } from "../rules/document-format.ts";
import { kindAt } from "../rules/document-kinds.ts";
import type { ProxyDocument } from "../rules/proxy-document.ts";
import type { RulesDocument } from "../rules/rules-document.ts";
import {
  ALIVE_PREFIX,
  DIFFS_PREFIX,
  KEYS_ROOT,
  LEADER_KEY,
  MIGRATIONS_PREFIX,
  ORDER_RECORDS_PREFIX,
  ORDERS_PREFIX,
  PROXIES_PREFIX,
  RULES_KEY,
  SESSIONS_PREFIX,
  STATUS_PREFIX,
  STREAMS_PREFIX,
} from "../rules/store-keys.ts";
import type { Store, StoreEntry } from "../store/store.ts";

/** A document that only its writer and people look into. */
export type Opaque = Readonly<Record<string, unknown>>;

/** An order with the revision at which it was read. */
export interface ReadOrder {
  readonly order: OrderDocument;
  readonly revision: number;
}

/**
 * The documents of the store, for showing. A document of a newer format is refused rather than half understood.
 *
 * Every method throws `STORE_UNAVAILABLE`, `STORE_FORMAT_NEWER`, `CUTOVER_FORMAT_NEWER`, `RULES_MALFORMED` and
 * `CUTOVER_DOCUMENT_INVALID`.
 */
export class StoredDocuments {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Everything as it is stored, as of one revision, also what nobody can read: for a look at what is wrong with it. */
  async everything(): Promise<readonly StoreEntry[]> {
    return (await this.#store.list(`${KEYS_ROOT}/`)).entries;
  }

  migrations(): Promise<MigrationDocument[]> {
    return this.#list<MigrationDocument>(MIGRATIONS_PREFIX);
  }

  /** @throws {SwitchyardError} `MIGRATION_NOT_FOUND` */
  async migration(id: string): Promise<MigrationDocument> {
    const found = await this.#get<MigrationDocument>(MIGRATIONS_PREFIX + id);
    if (found !== undefined) return found;
    throw new SwitchyardError("MIGRATION_NOT_FOUND", {
      what: `there is no migration "${id}"`,
      changed: "Nothing was changed.",
      fix: "`switchyard migration list` shows those that exist.",
    });
  }

  /** Live progress; absent where no controller works on it. */
  status(id: string): Promise<Opaque | undefined> {
    return this.#get<Opaque>(STATUS_PREFIX + id);
  }

  diff(id: string): Promise<Opaque | undefined> {
    return this.#get<Opaque>(DIFFS_PREFIX + id);
  }

  async order(id: string): Promise<ReadOrder | undefined> {
    const entry = await this.#store.get(ORDERS_PREFIX + id);
    return entry === undefined ? undefined : { order: parse<OrderDocument>(entry), revision: entry.revision };
  }

  orders(): Promise<OrderDocument[]> {
    return this.#list<OrderDocument>(ORDERS_PREFIX);
  }

  /** What is kept of the orders about a migration that have ended, oldest first. */
  async orderRecords(migration: string): Promise<OrderRecord[]> {
    const records = await this.#list<OrderRecord>(`${ORDER_RECORDS_PREFIX}${migration}/`);
    return records.sort((a, b) => (a.endedAt < b.endedAt ? -1 : 1));
  }

  rules(): Promise<RulesDocument | undefined> {
    return this.#get<RulesDocument>(RULES_KEY);
  }

  /** Every registered proxy worker, and whether it lives. */
  async proxies(): Promise<(ProxyDocument & { readonly alive: boolean })[]> {
    const [registered, alive] = await Promise.all([
      this.#list<ProxyDocument>(PROXIES_PREFIX),
      this.#store.list(ALIVE_PREFIX),
    ]);
    const living = new Set(alive.entries.map((entry) => entry.key.slice(ALIVE_PREFIX.length)));
    return registered.map((proxy) => ({ ...proxy, alive: living.has(proxy.id) }));
  }

  sessions(): Promise<Opaque[]> {
    return this.#list<Opaque>(SESSIONS_PREFIX);
  }

  /** The id of the controller that runs a migration; absent where none does. */
  async runBy(migration: string): Promise<string | undefined> {
    return (await this.#get<StreamClaim>(STREAMS_PREFIX + migration))?.controller;
  }

  leader(): Promise<Opaque | undefined> {
    return this.#get<Opaque>(LEADER_KEY);
  }

  async #get<T>(key: string): Promise<T | undefined> {
    const entry = await this.#store.get(key);
    return entry === undefined ? undefined : parse<T>(entry);
  }

  async #list<T>(prefix: string): Promise<T[]> {
    const { entries } = await this.#store.list(prefix);
    return entries.map((entry) => parse<T>(entry));
  }
}

function parse<T>(entry: StoreEntry): T {
  const kind = kindAt(entry.key);
  if (kind === undefined) throw new SwitchyardError("INTERNAL_INVARIANT", { what: `${entry.key} is of no kind` });
  return readCurrent(kind, entry.key, entry.value) as T;
}
