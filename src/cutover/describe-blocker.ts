import type { BlockedSession } from "../rules/proxy-document.ts";

/** One line about a session that stands in the way: who it is, what it has open, by which statement, and for how long. */
export function describeBlocker(proxy: string, blocked: BlockedSession): string {
  const { session, user, program, address, reason, statement, forMs } = blocked;
  const from = [program, address === undefined ? undefined : `from ${address}`].filter((part) => part !== undefined);
  const who = from.length === 0 ? user : `${user} (${from.join(", ")})`;
  const age = forMs === undefined ? "" : ` for ${(forMs / 1000).toFixed(1)} s`;
  const by = statement === undefined ? "" : `, by: ${statement}`;
  return `proxy ${proxy}: session ${session} of ${who}: ${reason}${age}${by}`;
}
