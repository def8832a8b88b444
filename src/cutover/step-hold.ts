import { deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import { RULES_KEY } from "../rules/store-keys.ts";
import { type Attempt, checkSessions, isUnderWay, proxyView } from "./attempt.ts";
import { decideInStore } from "./decide.ts";
import { describeBlocker } from "./describe-blocker.ts";
import { type SwitchState, unchanged } from "./journal.ts";
import type { RegisteredProxy } from "./proxy-view.ts";
import { heldRules } from "./rules-changes.ts";
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
      const rules = heldRules(state.rules.document, ends, token, holdBudgetMs);
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
 * vanished meanwhile are ended on the servers; their own licence to serve has run out, or their lease would stand.
 *
 * @throws {SwitchyardError} `CUTOVER_PROXIES_NOT_READY` naming the transactions that are still open.
 */
export async function drain(attempt: Attempt): Promise<void> {
  const { limits } = attempt.options;
  let pending: readonly RegisteredProxy[] = [];
  const ended = new Set<string>();
  const timeoutMs = Math.min(limits.drainTimeoutMs, attempt.holdDeadline?.leftMs() ?? limits.drainTimeoutMs);
  const done = await proxyView(attempt).waitFor(timeoutMs, async (proxies) => {
    checkSessions(attempt);
    pending = proxies.filter((proxy) => !isDrained(attempt, proxy) && !ended.has(proxy.document.id));
    const vanished = pending.filter((proxy) => !proxy.alive);
    await endVanished(attempt, vanished);
    for (const proxy of vanished) ended.add(proxy.document.id);
    pending = pending.filter((proxy) => proxy.alive);
    return pending.length === 0 ? true : undefined;
  });
  if (done === undefined) throw notDrained(attempt, pending);
}

function isDrained(attempt: Attempt, proxy: RegisteredProxy): boolean {
  const answer = proxy.document.holds[attempt.ends.migration];
  return answer?.token === attempt.token && answer.state === "drained";
}

function notDrained(attempt: Attempt, pending: readonly RegisteredProxy[]): SwitchyardError {
  const details = pending.flatMap((proxy) => {
    const answer = proxy.document.holds[attempt.ends.migration];
    if (answer?.token !== attempt.token) return [`proxy ${proxy.document.id}: has not answered`];
    if (answer.open.length === 0) return [`proxy ${proxy.document.id}: is still draining`];
    return answer.open.map((open) => describeBlocker(proxy.document.id, open));
  });
  return new SwitchyardError("CUTOVER_PROXIES_NOT_READY", {
    what: `transactions on ${attempt.ends.oldHome} did not end within ${attempt.options.limits.drainTimeoutMs} ms`,
    details,
    fix: "Try again when they have ended, or allow more with drainTimeoutMs.",
  });
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
