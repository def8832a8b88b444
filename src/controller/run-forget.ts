import { SwitchyardError } from "../base/errors.ts";
import { forgetProxy } from "../cutover/forget-proxy.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { withServerConnections } from "../cutover/server-connections.ts";
import type { ControllerContext } from "./controller-context.ts";
import type { MigrationRunner } from "./migration-runner.ts";

/**
 * Removes the registration of a proxy that somebody knows to have ended for good; the history of every unfinished
 * migration says so, because each of them may switch without asking that proxy from then on.
 *
 * @throws {SwitchyardError} `CUTOVER_PROXY_ALIVE`, `CUTOVER_PROXY_UNKNOWN`, `CUTOVER_CONNECTIONS_REMAIN`
 */
export async function orderForget(
  context: ControllerContext,
  runners: readonly MigrationRunner[],
  order: OrderDocument,
): Promise<Readonly<Record<string, unknown>>> {
  const proxy = String(order.options["proxy"]);
  const { store, clock } = context;
  const forgotten = await withServerConnections(Object.values(context.backends), (servers) =>
    forgetProxy(proxy, {
      store,
      clock,
      servers,
      leadership: context.leadership(),
      killTimeoutMs: context.limits.killTimeoutMs,
    }),
  );
  if (!forgotten) {
    throw new SwitchyardError("CUTOVER_PROXY_UNKNOWN", {
      what: `no proxy ${proxy} is registered`,
      changed: "Nothing was changed.",
      fix: "`switchyard proxies list` shows those that are.",
    });
  }
  const { who, reason } = order;
  const entry = { who, what: `proxy ${proxy} was forgotten`, ...(reason === undefined ? {} : { reason }) };
  for (const runner of runners) await runner.record(entry);
  return { proxy, forgotten };
}
