import { messageOf, SwitchyardError } from "../base/errors.ts";
import { describeHolder, isOwnDiff } from "./fence.ts";
import type { HomeSession } from "./ports.ts";

/**
 * Raises each AUTO_INCREMENT counter of `to` that is lower than that of `from`, to `ahead` more than it where the
 * column's type has plenty of room for that.
 *
 * An id that the old home has given must never be given again by the new one, even if its row is gone: clients may
 * have written it down. Under the fence `ahead` is 0: the counter is then exact.
 */
export async function raiseCounters(from: HomeSession, to: HomeSession, token: string, ahead: bigint): Promise<void> {
  const lower = await lowerCounters(from, to);
  if (lower.length === 0) return;
  const limits = ahead > 0n ? await to.autoIncrementLimits() : new Map<string, bigint>();
  for (const [table, value] of lower) {
    const max = limits.get(table) ?? 0n;
    const roomy = max / 1000n > value + ahead;
    await raise(to, table, roomy ? value + ahead : value, token);
  }
}

/**
 * Tables whose counter is lower on `to`, with that of `from`. Counters of `to` only rise, so what is level stays so
 * where nothing can raise those of `from`.
 */
export async function lowerCounters(
  from: HomeSession,
  to: HomeSession,
): Promise<readonly (readonly [table: string, value: bigint])[]> {
  const [wanted, present] = await Promise.all([from.autoIncrements(), to.autoIncrements()]);
  return [...wanted].filter(([table, value]) => (present.get(table) ?? 0n) < value);
}

async function raise(session: HomeSession, table: string, value: bigint, token: string): Promise<void> {
  try {
    await session.raiseAutoIncrement(table, value, token);
  } catch (cause) {
    const holders = await session.holders().catch(() => []);
    const keepers = holders.filter((holder) => (!holder.ours || isOwnDiff(holder)) && holder.tables.includes(table));
    throw new SwitchyardError("CUTOVER_COUNTER_REFUSED", {
      what: `the AUTO_INCREMENT counter of ${table} could not be raised to ${value}`,
      details: [messageOf(cause), ...keepers.map(describeHolder)],
      fix: keepers.some(isOwnDiff)
        ? "Try again: what a diff of ours has left is ended when a switch begins."
        : "A reader that keeps the table open on the new home, for example a backup, may stand in the way.",
      cause,
    });
  }
}
