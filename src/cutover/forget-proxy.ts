import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import { parseProxyDocument } from "../rules/proxy-codec.ts";
import { ALIVE_PREFIX, PROXIES_PREFIX } from "../rules/store-keys.ts";
import type { Compare, Store } from "../store/store.ts";

/** A server on which connections can be found and ended. */
export interface ServerWithConnections {
  readonly label: string;
  connectionsOf(bootNonces: readonly string[]): Promise<readonly string[]>;
  kill(connectionIds: readonly string[]): Promise<void>;
}

const POLL_MS = 20;

/** What a proxy is forgotten with. */
export interface ForgetOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** All servers that the proxy may have connections to. */
  readonly servers: readonly ServerWithConnections[];
  /** Conditions that hold only while the caller leads. */
  readonly leadership: readonly Compare[];
  readonly killTimeoutMs: number;
}

/**
 * Removes the registration of a proxy that has ended for good, so that it no longer stands in the way of switches:
 * its connections on all servers are KILLed and waited for first.
 *
 * Only somebody who knows that the process has ended may ask for this. A proxy that merely cannot reach the store goes
 * on serving; forgotten, it could show clients the old home after a switch.
 *
 * False where no proxy of that id is registered.
 *
 * @throws {SwitchyardError} `CUTOVER_PROXY_ALIVE` when its lease stands, `CUTOVER_CONNECTIONS_REMAIN`,
 *   `CUTOVER_JOURNAL_CHANGED`
 */
export async function forgetProxy(id: string, options: ForgetOptions): Promise<boolean> {
  const { store, clock, servers, leadership, killTimeoutMs } = options;
  const registered = await store.get(PROXIES_PREFIX + id);
  if (registered === undefined) return false;
  if ((await store.get(ALIVE_PREFIX + id)) !== undefined) throw alive(id);
  const nonce = parseProxyDocument(registered.value, registered.key).bootNonce;
  for (const server of servers) await endAll(server, clock, nonce, killTimeoutMs);
  const { succeeded } = await store.transact(
    [{ key: registered.key, revision: registered.revision }, { key: ALIVE_PREFIX + id, revision: 0 }, ...leadership],
    [{ delete: registered.key }],
  );
  if (succeeded) return true;
  if ((await store.get(ALIVE_PREFIX + id)) !== undefined) throw alive(id);
  throw new SwitchyardError("CUTOVER_JOURNAL_CHANGED", {
    what: `the registration of proxy ${id} could not be removed: it has changed, or another controller leads`,
    changed: "Its connections were ended; its registration was not removed.",
    fix: "Look at `switchyard proxies list` and ask again.",
  });
}

/**
 * Removes the registrations of processes that the caller has seen end, or that cannot have outlived an earlier process
 * of the caller's. Their sockets are closed; what had reached a server before is stopped by the fence of a switch.
 */
export async function removeEndedProxies(store: Store, ended: (id: string) => boolean): Promise<void> {
  for (const { key, revision } of (await store.list(PROXIES_PREFIX)).entries) {
    if (!ended(key.slice(PROXIES_PREFIX.length))) continue;
    await store.transact([{ key, revision }], [{ delete: key }]);
  }
}

async function endAll(server: ServerWithConnections, clock: Clock, nonce: string, timeoutMs: number): Promise<void> {
  const deadline = deadlineIn(clock, timeoutMs);
  for (;;) {
    const left = await server.connectionsOf([nonce]);
    if (left.length === 0) return;
    if (deadline.passed) {
      throw new SwitchyardError("CUTOVER_CONNECTIONS_REMAIN", {
        what: `connections of a proxy that has ended are still on ${server.label}`,
        details: [`connections ${left.join(", ")}`],
        fix: "A statement that is being undone keeps its connection; try again when it has ended.",
      });
    }
    await server.kill(left);
    await clock.sleep(POLL_MS);
  }
}

function alive(id: string): SwitchyardError {
  return new SwitchyardError("CUTOVER_PROXY_ALIVE", {
    what: `proxy ${id} is alive`,
    changed: "Its registration was not removed.",
    fix: "Stop the process; it removes its registration itself.",
  });
}
