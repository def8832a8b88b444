import { hostname } from "node:os";
import { removeEndedProxies } from "../cutover/forget-proxy.ts";
import { readCurrent } from "../rules/document-format.ts";
import { LEADER_KIND } from "../rules/document-kinds.ts";
import { ALIVE_PREFIX, LEADER_KEY } from "../rules/store-keys.ts";
import type { Store } from "../store/store.ts";

/** How every id begins that a child gives itself in the store. */
export function childIds(name: string, pid: number): string {
  return `${hostname()}-${pid}-${name}`;
}

/**
 * Takes away what a child has left in the store, now that it has been seen to end: its registration, its sign of life,
 * and its leadership, so that the next controller need not wait for the lease.
 */
export async function removeTraces(store: Store, ids: string): Promise<void> {
  await removeEndedProxies(store, (id) => id.startsWith(ids));
  for (const { key, revision } of (await store.list(ALIVE_PREFIX + ids)).entries) {
    await store.transact([{ key, revision }], [{ delete: key }]);
  }
  const leader = await store.get(LEADER_KEY);
  if (leader === undefined || readCurrent(LEADER_KIND, LEADER_KEY, leader.value)["id"] !== ids) return;
  await store.transact([{ key: LEADER_KEY, revision: leader.revision }], [{ delete: LEADER_KEY }]);
}
