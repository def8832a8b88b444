import { type Attempt, checkSessions, proxyView } from "./attempt.ts";
import { blockedOf, notReady, type Unready } from "./not-ready.ts";
import { requireSameServers } from "./proxy-servers.ts";
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
 * @throws {SwitchyardError} `CUTOVER_PROXIES_NOT_READY` naming each proxy and each session that cannot follow;
 *   `CUTOVER_SERVER_CHANGED` where a proxy tells that its connections lead to another server.
 */
export async function awaitArmed(attempt: Attempt): Promise<void> {
  const { pinned } = attempt.options;
  let unready: Unready = { blocked: [], proxies: [] };
  const done = await proxyView(attempt).waitFor(attempt.options.limits.armTimeoutMs, (proxies) => {
    checkSessions(attempt);
    requireSameServers(attempt, proxies);
    unready = { blocked: [], proxies: [] };
    for (const proxy of proxies) {
      const reason = unreadyBecause(attempt, proxy);
      const blocked = reason === undefined ? blockedOf(attempt, proxy) : [];
      const hopeless = blocked.filter(({ session: { kind } }) => (pinned ?? "abort") === "abort" || kind === "login");
      if (hopeless.length > 0)
        throw notReady(attempt, "sessions cannot follow to the new home", { blocked: hopeless, proxies: [] });
      unready = {
        blocked: [...unready.blocked, ...blocked],
        proxies: [...unready.proxies, ...(reason === undefined ? [] : [reason])],
      };
    }
    return unready.blocked.length + unready.proxies.length === 0 ? true : undefined;
  });
  if (done === undefined) throw notReady(attempt, "not every session got ready for the new home in time", unready);
}

function unreadyBecause(attempt: Attempt, proxy: RegisteredProxy): string | undefined {
  const { id } = proxy.document;
  const armed = proxy.document.armed[attempt.ends.migration];
  if (armed?.token === attempt.token && armed.state === "ready") return undefined;
  if (!proxy.alive) return `proxy ${id}: shows no sign of life`;
  return `proxy ${id}: ${armed?.token === attempt.token ? "is still preparing" : "has not answered"}`;
}
