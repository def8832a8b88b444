import { ORDER_RECORDS_MAX } from "../cutover/order-record.ts";
import { ORDER_RECORDS_PREFIX } from "../rules/store-keys.ts";
import type { Store } from "../store/store.ts";

/** Where the record of an order lives. */
export function recordKey(migration: string, order: string): string {
  return `${ORDER_RECORDS_PREFIX}${migration === "" ? "-" : migration}/${order}`;
}

/**
 * Deletes the oldest records of a migration beyond those that are kept: those written first, whatever their ids are. One that
 * was written again meanwhile, for another order of the same id, is not old any more.
 */
export async function pruneRecords(store: Store, migration: string): Promise<void> {
  const { entries } = await store.list(recordKey(migration, ""));
  const surplus = entries
    .toSorted((a, b) => a.revision - b.revision)
    .slice(0, Math.max(0, entries.length - ORDER_RECORDS_MAX));
  for (const { key, revision } of surplus) await store.transact([{ key, revision }], [{ delete: key }]);
}
