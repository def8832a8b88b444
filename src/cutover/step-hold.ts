import { deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import { RULES_KEY } from "../rules/store-keys.ts";
import { type Attempt, checkSessions, isUnderWay, proxyView } from "./attempt.ts";
import { checkLeadership, decideInStore } from "./decide.ts";
import { type SwitchState, unchanged } from "./journal.ts";
import { hasOpen, notDrained } from "./not-drained.ts";
import { blockedOf, notReady, type Unready } from "./not-ready.ts";
import { requireSameServers } from "./proxy-servers.ts";
import type { RegisteredProxy } from "./proxy-view.ts";
import { heldRules } from "./rules-changes.ts";
import { endOpenAfterMs, type SwitchOptions } from "./switch-options.ts";
import { endVanished } from "./vanished.ts";

/**
 * Writes the hold into the rules. From here on clients wait.
 *
 * It is sent at most once without knowing: where the answer was lost and the rules do not show it, proxies may have
 * seen it, acknowledged it and given it up, and their acknowledgements would look like those of a second one.
 */
export async function hold(attempt: Attempt): Promise<void> {
  const { ports, ends, token, options } = attempt;
  const { holdBudgetMs } = options.limits;
  attempt.heldAtMs = ports.clock.monotonicMs();
  attempt.holdDeadline = deadlineIn(ports.clock, holdBudgetMs);
  attempt.state = await decideInStore<SwitchState>(
    ports,
    ends.migration,
    (state, unsure) => {
      const { document } = state.migration;
      if (!isUnderWay(document, token)) throw ended(ends.migration);
      if (state.rules.document.holds[ends.migration]?.token === token) return { done: state };
      if (unsure) throw lost(ends.migration);
      const rules = heldRules(state.rules.document, ends, token, {
        ttlMs: holdBudgetMs,
        ...(options.openTransactions === "kill" ? { endOpenAfterMs: endOpenAfterMs(options.limits) } : {}),
      });
      if (rules === undefined) throw ended(ends.migration);
      return {
        conditions: unchanged(state),
        writes: [{ put: RULES_KEY, value: JSON.stringify(rules) }],
        written: (revision) => ({ migration: state.migration, rules: { document: rules, revision } }),
      };
    },
    { deadline: attempt.holdDeadline, from: attempt.state },
  );
}

/**
 * Waits until every proxy holds the tables and every transaction that was open on the old home has ended. Proxies that
 * vanished meanwhile are ended on the servers; their own licence to serve has run out, or their lease would stand. Nobody
 * is ended by a controller whose own lease has gone the same way.
 *
 * A session that was ready may have got something since that keeps it from following, such as a temporary table. Where
 * that is told by the time all has ended, it is treated as it would have been before the hold.
 *
 * @throws {SwitchyardError} `CUTOVER_PROXIES_NOT_READY` naming the transactions that are still open, or those sessions;
 *   `CUTOVER_SERVER_CHANGED` as before the hold. `CUTOVER_SUPERSEDED`.
 */
export async function drain(attempt: Attempt): Promise<void> {
  const { ports, options } = attempt;
  const sinceMs = ports.clock.monotonicMs();
  const waitedMs = (): number => ports.clock.monotonicMs() - sinceMs;
  let pending: readonly RegisteredProxy[] = [];
  let pinned: Unready["blocked"] = [];
  const ended = new Set<string>();
  const timeoutMs = Math.min(patienceMs(options), attempt.holdDeadline?.leftMs() ?? Number.POSITIVE_INFINITY);
  const done = await proxyView(attempt).waitFor(timeoutMs, async (proxies) => {
    checkSessions(attempt);
    // By now proxies give the hold up, and would not name what it has waited for.
    if (attempt.holdDeadline?.passed === true && pending.length + pinned.length > 0) return undefined;
    pending = proxies.filter((proxy) => !isDrained(attempt, proxy) && !ended.has(proxy.document.id));
    const vanished = pending.filter((proxy) => !proxy.alive);
    // Where the store was away for longer than a lease, all leases have ended, ours too: those proxies are well, and come back.
    if (vanished.length > 0) await checkLeadership(ports);
    await endVanished(attempt, vanished);
    requireSameServers(
      attempt,
      proxies.filter(({ alive }) => alive),
    );
    for (const proxy of vanished) ended.add(proxy.document.id);
    pending = pending.filter((proxy) => proxy.alive);
    if (options.openTransactions === "abort" && pending.some((proxy) => hasOpen(attempt, proxy)))
      throw notDrained(attempt, pending, waitedMs());
    pinned = proxies.filter(({ alive }) => alive).flatMap((proxy) => pinnedOf(attempt, proxy));
    if (pinned.length > 0 && (options.pinned ?? "abort") === "abort") throw pinnedMeanwhile(attempt, pinned);
    return pending.length + pinned.length === 0 ? true : undefined;
  });
  if (done !== undefined) return;
  throw pending.length > 0 ? notDrained(attempt, pending, waitedMs()) : pinnedMeanwhile(attempt, pinned);
}

/** What the proxies end is gone a moment later, as a killed connection is. */
function patienceMs({ limits, openTransactions }: SwitchOptions): number {
  return openTransactions === "kill" ? endOpenAfterMs(limits) + limits.killTimeoutMs : limits.drainTimeoutMs;
}

function isDrained(attempt: Attempt, proxy: RegisteredProxy): boolean {
  const answer = proxy.document.holds[attempt.ends.migration];
  return answer?.token === attempt.token && answer.state === "drained";
}

function pinnedOf(attempt: Attempt, proxy: RegisteredProxy): Unready["blocked"] {
  return blockedOf(attempt, proxy).filter(({ session }) => session.kind === "pinned");
}

function pinnedMeanwhile(attempt: Attempt, blocked: Unready["blocked"]): SwitchyardError {
  return notReady(attempt, "sessions that were ready cannot follow any more", { blocked, proxies: [] });
}

function ended(migration: string): SwitchyardError {
  return new SwitchyardError("CUTOVER_SUPERSEDED", {
    what: `the attempt on migration "${migration}" was ended by another controller`,
  });
}

function lost(migration: string): SwitchyardError {
  return new SwitchyardError("CUTOVER_ABORTED", {
    what: `the store did not say whether the hold of migration "${migration}" was written, and does not show it`,
  });
}
