import { SwitchyardError } from "../base/errors.ts";
import type { BlockedSession } from "../rules/proxy-document.ts";
import type { Attempt } from "./attempt.ts";
import { describeBlocker } from "./describe-blocker.ts";
import type { RegisteredProxy } from "./proxy-view.ts";
import { endPinnedAfterMs, type Insistence } from "./switch-options.ts";

/** What keeps an attempt from having every session ready for the new home. */
export interface Unready {
  /** Sessions that cannot follow, with the proxy of each. */
  readonly blocked: readonly { readonly proxy: string; readonly session: BlockedSession }[];
  /** Lines about proxies that have not got ready. */
  readonly proxies: readonly string[];
}

/** Sessions of a proxy that keeps the arming of this attempt, and that cannot follow. */
export function blockedOf({ ends, token }: Attempt, { document }: RegisteredProxy): Unready["blocked"] {
  const armed = document.armed[ends.migration];
  if (armed?.token !== token) return [];
  return armed.blocked.map((session) => ({ proxy: document.id, session }));
}

/** The error of an attempt that goes no further because of these. It advises what helps against what is there. */
export function notReady(attempt: Attempt, why: string, { blocked, proxies }: Unready): SwitchyardError {
  const { ends, options } = attempt;
  const logins = blocked.filter(({ session }) => session.kind === "login");
  const fixes = [
    ...(blocked.length > logins.length ? [PINNED[options.pinned ?? "abort"](endPinnedAfterMs(options.limits))] : []),
    ...(logins.length > 0
      ? [
          `Mend what keeps sessions from logging in to ${ends.newHome} (\`switchyard check --print-accounts\`), or end them: no option waits for that.`,
        ]
      : []),
    ...(proxies.length > 0 ? ["Look at the log of a proxy that is not ready, or allow more with armTimeoutMs."] : []),
  ];
  return new SwitchyardError("CUTOVER_PROXIES_NOT_READY", {
    what: `migration "${ends.migration}" cannot ${ends.kind}: ${why}`,
    details: [...blocked.map(({ proxy, session }) => describeBlocker(proxy, session)), ...proxies],
    fix: fixes.join(" "),
  });
}

const PINNED: Readonly<Record<Insistence, (endedAfterMs: number) => string>> = {
  abort: () =>
    "`switchyard sessions` shows the sessions of each proxy. With --pinned=wait they are waited for, with --pinned=kill ended.",
  wait: () =>
    "`switchyard sessions` shows the sessions of each proxy. Allow more with armTimeoutMs, or have them ended with --pinned=kill.",
  kill: (ms) => `They were to be ended after ${ms} ms; a statement that is being undone takes as long as it took.`,
};
