import { SwitchyardError } from "../base/errors.ts";
import { forgetProxy } from "../cutover/forget-proxy.ts";
import { parseMigration, updateMigration, withHistory } from "../cutover/journal.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { withServerConnections } from "../cutover/server-connections.ts";
import { MIGRATIONS_PREFIX } from "../rules/store-keys.ts";
import type { ControllerContext } from "./controller-context.ts";
import { isFinished } from "./owned-migration.ts";

/**
 * Removes the registration of a proxy that somebody knows to have ended for good; the history of every unfinished
 * migration says so, because each of them may switch without asking that proxy from then on.
 *
 * @throws {SwitchyardError} `CUTOVER_PROXY_ALIVE`, `CUTOVER_PROXY_UNKNOWN`, `CUTOVER_CONNECTIONS_REMAIN`
 */
export async function orderForget(
  context: ControllerContext,
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
  await recordEverywhere(context, entry);
  return { proxy, forgotten };
}

/** Whoever runs the migrations reads their journals again before writing, so somebody else may write in between. */
async function recordEverywhere(
  { store, clock, leadership }: ControllerContext,
  entry: { readonly who: string; readonly what: string; readonly reason?: string },
): Promise<void> {
  const at = clock.now().toISOString();
  for (const found of (await store.list(MIGRATIONS_PREFIX)).entries) {
    const document = parseMigration(found);
    if (isFinished(document)) continue;
    await updateMigration(store, document.id, leadership(), (now) => withHistory(now, { at, ...entry }));
  }
}
