import { deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import { RULES_KEY } from "../rules/store-keys.ts";
import { type Attempt, checkSessions, isUnderWay, proxyView } from "./attempt.ts";
import { decideInStore } from "./decide.ts";
import { describeBlocker } from "./describe-blocker.ts";
import { type SwitchState, unchanged } from "./journal.ts";
import type { RegisteredProxy } from "./proxy-view.ts";
import { heldRules } from "./rules-changes.ts";
import type { Insistence } from "./switch-options.ts";
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
        ...(options.openTransactions === "kill" ? { endOpenAfterMs: options.limits.drainTimeoutMs } : {}),
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
 * vanished meanwhile are ended on the servers; their own licence to serve has run out, or their lease would stand.
 *
 * @throws {SwitchyardError} `CUTOVER_PROXIES_NOT_READY` naming the transactions that are still open.
 */
export async function drain(attempt: Attempt): Promise<void> {
  const { limits, openTransactions } = attempt.options;
  let pending: readonly RegisteredProxy[] = [];
  const ended = new Set<string>();
  // Past drainTimeoutMs the proxies end what is open; that takes a moment too.
  const patienceMs = limits.drainTimeoutMs + (openTransactions === "kill" ? limits.killTimeoutMs : 0);
  const timeoutMs = Math.min(patienceMs, attempt.holdDeadline?.leftMs() ?? patienceMs);
  const done = await proxyView(attempt).waitFor(timeoutMs, async (proxies) => {
    checkSessions(attempt);
    pending = proxies.filter((proxy) => !isDrained(attempt, proxy) && !ended.has(proxy.document.id));
    const vanished = pending.filter((proxy) => !proxy.alive);
    await endVanished(attempt, vanished);
    for (const proxy of vanished) ended.add(proxy.document.id);
    pending = pending.filter((proxy) => proxy.alive);
    if (openTransactions === "abort" && pending.some((proxy) => hasOpen(attempt, proxy)))
      throw notDrained(attempt, pending);
    return pending.length === 0 ? true : undefined;
  });
  if (done === undefined) throw notDrained(attempt, pending);
}

/** Whether it waits for more than statements, which end by themselves. */
function hasOpen(attempt: Attempt, proxy: RegisteredProxy): boolean {
  const answer = proxy.document.holds[attempt.ends.migration];
  return answer?.token === attempt.token && answer.open.some(({ kind }) => kind !== "statement");
}

function isDrained(attempt: Attempt, proxy: RegisteredProxy): boolean {
  const answer = proxy.document.holds[attempt.ends.migration];
  return answer?.token === attempt.token && answer.state === "drained";
}

const FIXES: Readonly<Record<Insistence, string>> = {
  wait: "Try again when they have ended, allow more with drainTimeoutMs, or have them ended with --open-transactions=kill.",
  abort: "Try again when they have ended, or leave --open-transactions=abort out to wait for drainTimeoutMs.",
  kill: "A statement that is being undone takes as long as it took; try again when they have ended.",
};

function notDrained(attempt: Attempt, pending: readonly RegisteredProxy[]): SwitchyardError {
  const details = pending.flatMap((proxy) => {
    const answer = proxy.document.holds[attempt.ends.migration];
    if (answer?.token !== attempt.token) return [`proxy ${proxy.document.id}: has not answered`];
    if (answer.open.length === 0) return [`proxy ${proxy.document.id}: is still draining`];
    return answer.open.map((open) => describeBlocker(proxy.document.id, open));
  });
  const { openTransactions, limits } = attempt.options;
  const { oldHome } = attempt.ends;
  return new SwitchyardError("CUTOVER_PROXIES_NOT_READY", {
    what:
      openTransactions === "abort"
        ? `transactions are open on ${oldHome}, and none is to be waited for`
        : `transactions on ${oldHome} did not end within ${limits.drainTimeoutMs} ms${openTransactions === "kill" ? ", nor when they were killed" : ""}`,
    details,
    fix: FIXES[openTransactions ?? "wait"],
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
