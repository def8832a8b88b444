import { SwitchyardError } from "../base/errors.ts";
import type { BlockedSession } from "../rules/proxy-document.ts";
import { type Attempt, checkSessions, proxyView } from "./attempt.ts";
import { describeBlocker } from "./describe-blocker.ts";
import type { RegisteredProxy } from "./proxy-view.ts";
import { ProxyView } from "./proxy-view.ts";

/** Starts to watch the proxies for the rest of the attempt. */
export async function watchProxies(attempt: Attempt): Promise<void> {
  attempt.proxies ??= await ProxyView.open(attempt.ports);
}

/**
 * Waits until every registered proxy keeps the arming and has every session ready for the new home.
 *
 * A proxy that shows no sign of life has to answer like any other. It may be cut off from the store alone, and then
 * serves its clients by the rules it knows, over connections that it makes anew whenever they are ended. Only the
 * arming binds it to stop by itself when its lease ends, so only from then on may it be counted out.
 *
 * Sessions that cannot follow abort the attempt as soon as one is named, unless the operator has asked to wait for them or
 * to have them ended: no client waits here for the others. One that the new home does not let in always does.
 *
 * @throws {SwitchyardError} `CUTOVER_PROXIES_NOT_READY` naming each proxy and each session that cannot follow.
 */
export async function awaitArmed(attempt: Attempt): Promise<void> {
  const { pinned } = attempt.options;
  let pending: readonly string[] = [];
  const done = await proxyView(attempt).waitFor(attempt.options.limits.armTimeoutMs, (proxies) => {
    checkSessions(attempt);
    pending = [];
    for (const proxy of proxies) {
      const blocked = blockedSessions(attempt, proxy);
      const hopeless = blocked.filter(({ kind }) => (pinned ?? "abort") === "abort" || kind === "login");
      if (hopeless.length > 0)
        throw notReady(attempt, "sessions cannot follow to the new home", described(proxy, hopeless));
      const reason = unready(attempt, proxy);
      pending = [...pending, ...(reason === undefined ? described(proxy, blocked) : [reason])];
    }
    return pending.length === 0 ? true : undefined;
  });
  if (done === undefined) throw notReady(attempt, "not every session got ready for the new home in time", pending);
}

function unready(attempt: Attempt, proxy: RegisteredProxy): string | undefined {
  const { id } = proxy.document;
  const armed = proxy.document.armed[attempt.ends.migration];
  if (armed?.token === attempt.token && armed.state === "ready") return undefined;
  if (!proxy.alive) return `proxy ${id}: shows no sign of life`;
  return `proxy ${id}: ${armed?.token === attempt.token ? "is still preparing" : "has not answered"}`;
}

function blockedSessions(attempt: Attempt, proxy: RegisteredProxy): readonly BlockedSession[] {
  const armed = proxy.document.armed[attempt.ends.migration];
  if (armed?.token !== attempt.token || armed.state !== "ready") return [];
  return armed.blocked;
}

function described(proxy: RegisteredProxy, blocked: readonly BlockedSession[]): readonly string[] {
  return blocked.map((session) => describeBlocker(proxy.document.id, session));
}

function notReady(attempt: Attempt, why: string, details: readonly string[]): SwitchyardError {
  return new SwitchyardError("CUTOVER_PROXIES_NOT_READY", {
    what: `migration "${attempt.ends.migration}" cannot ${attempt.ends.kind}: ${why}`,
    details,
    fix: "`switchyard sessions` shows the sessions of each proxy. With --pinned=wait they are waited for, with --pinned=kill ended.",
  });
}
