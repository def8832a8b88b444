import { hostname } from "node:os";
import { removeEndedProxies } from "../cutover/forget-proxy.ts";
import { parseLeader, parseStreamClaim } from "../rules/controller-documents.ts";
import { ALIVE_PREFIX, CONTROLLERS_PREFIX, LEADER_KEY, STREAMS_PREFIX } from "../rules/store-keys.ts";
import type { Store, StoreEntry } from "../store/store.ts";

/** How every id begins that a child gives itself in the store. */
export function childIds(name: string, pid: number): string {
  return `${hostname()}-${pid}-${name}`;
}

/**
 * Takes away what a child has left in the store, now that it has been seen to end: its registration, its sign of life,
 * its leadership and its migrations, so that the next controller need not wait for the lease. Its place among the
 * controllers goes first: what is left must not be left for it.
 */
export async function removeTraces(store: Store, ids: string): Promise<void> {
  await removeEndedProxies(store, (id) => id.startsWith(ids));
  for (const { key, revision } of (await store.list(ALIVE_PREFIX + ids)).entries) {
    await remove(store, { key, revision });
  }
  for (const entry of [await store.get(CONTROLLERS_PREFIX + ids), await store.get(LEADER_KEY)]) {
    if (entry === undefined || (entry.key === LEADER_KEY && parseLeader(entry).id !== ids)) continue;
    await remove(store, entry);
  }
  for (const entry of (await store.list(STREAMS_PREFIX)).entries) {
    if (parseStreamClaim(entry).controller === ids) await remove(store, entry);
  }
}

async function remove(store: Store, { key, revision }: Pick<StoreEntry, "key" | "revision">): Promise<void> {
  await store.transact([{ key, revision }], [{ delete: key }]);
}
