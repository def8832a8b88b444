import { SwitchyardError } from "../base/errors.ts";
import type { BlockedSession } from "../rules/proxy-document.ts";
import type { Attempt } from "./attempt.ts";
import { describeBlocker } from "./describe-blocker.ts";
import type { RegisteredProxy } from "./proxy-view.ts";
import { endOpenAfterMs, type Insistence } from "./switch-options.ts";

/** What a hold still waits for: the gravest of it, since that is what has to be mended first. */
type Cause = "open" | "statement" | "proxy";

/**
 * The error of a hold that has not drained on these proxies after `waitedMs`, or of which nothing is to be waited for. It
 * says what is in the way, and advises what helps against that.
 */
export function notDrained(attempt: Attempt, pending: readonly RegisteredProxy[], waitedMs: number): SwitchyardError {
  const cause = causeOf(attempt, pending);
  return new SwitchyardError("CUTOVER_PROXIES_NOT_READY", {
    what: whatOf(attempt, cause, Math.round(waitedMs)),
    details: pending.flatMap((proxy) => detailsOf(attempt, proxy)),
    fix: fixOf(attempt, cause, waitedMs),
  });
}

/** Whether a proxy waits for more than statements, which end by themselves. */
export function hasOpen(attempt: Attempt, proxy: RegisteredProxy): boolean {
  return openOf(attempt, proxy).some(({ kind }) => kind !== "statement");
}

function openOf({ ends, token }: Attempt, { document }: RegisteredProxy): readonly BlockedSession[] {
  const answer = document.holds[ends.migration];
  return answer?.token === token ? answer.open : [];
}

function causeOf(attempt: Attempt, pending: readonly RegisteredProxy[]): Cause {
  if (pending.some((proxy) => hasOpen(attempt, proxy))) return "open";
  return pending.some((proxy) => openOf(attempt, proxy).length > 0) ? "statement" : "proxy";
}

function whatOf({ ends, options }: Attempt, cause: Cause, waitedMs: number): string {
  if (cause === "proxy") return `not every proxy has said within ${waitedMs} ms that all has ended on ${ends.oldHome}`;
  const { openTransactions, limits } = options;
  if (cause === "open" && openTransactions === "abort")
    return `transactions are open on ${ends.oldHome}, and none is to be waited for`;
  const afterMs = endOpenAfterMs(limits);
  const killed = openTransactions === "kill" && waitedMs >= afterMs;
  const whose = cause === "open" ? "transactions" : "statements";
  return `${whose} on ${ends.oldHome} did not end within ${waitedMs} ms${killed ? `, nor when they were killed after ${afterMs} ms` : ""}`;
}

const KILLED = "A statement that is being undone takes as long as it took; try again when they have ended.";

/** `more` is the limit that cut the wait short. */
const FIXES: Readonly<Record<"open" | "statement", Readonly<Record<Insistence, (more: string) => string>>>> = {
  open: {
    wait: (more) =>
      `Try again when they have ended, allow more with ${more}, or have them ended with --open-transactions=kill.`,
    abort: () => "Try again when they have ended, or leave --open-transactions=abort out to wait for drainTimeoutMs.",
    kill: () => KILLED,
  },
  statement: {
    wait: (more) =>
      `Try again when they have ended, allow more with ${more}, or have them killed with --open-transactions=kill.`,
    abort: (more) => `Try again when they have ended, or allow more with ${more}.`,
    kill: () => KILLED,
  },
};

function fixOf({ options }: Attempt, cause: Cause, waitedMs: number): string {
  if (cause === "proxy")
    return "Look at the log of a proxy that does not answer; `switchyard proxies list` shows who reaches the store.";
  const more = waitedMs < options.limits.drainTimeoutMs ? "holdBudgetMs" : "drainTimeoutMs";
  return FIXES[cause][options.openTransactions ?? "wait"](more);
}

function detailsOf(attempt: Attempt, proxy: RegisteredProxy): readonly string[] {
  const { id, holds } = proxy.document;
  if (holds[attempt.ends.migration]?.token !== attempt.token) return [`proxy ${id}: has not answered`];
  const open = openOf(attempt, proxy);
  return open.length === 0 ? [`proxy ${id}: is still draining`] : open.map((each) => describeBlocker(id, each));
}
