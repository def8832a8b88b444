import { deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import type { Attempt } from "./attempt.ts";
import type { HomeSession } from "./ports.ts";
import type { RegisteredProxy } from "./proxy-view.ts";

const POLL_MS = 10;

/**
 * KILLs the connections of proxies on one server and waits until they have left its processlist.
 *
 * Closing a socket does not stop a statement that has reached the server: one that waits for a row lock commits later.
 * Only a connection that is gone from the processlist can write nothing any more.
 *
 * @throws {SwitchyardError} `CUTOVER_CONNECTIONS_REMAIN`
 */
export async function endConnections(
  attempt: Attempt,
  session: HomeSession,
  proxies: readonly RegisteredProxy[],
): Promise<number> {
  const { ports, options } = attempt;
  const deadline = deadlineIn(ports.clock, options.limits.killTimeoutMs);
  const nonces = proxies.map((proxy) => proxy.document.bootNonce);
  const killed = new Set<string>();
  for (;;) {
    const left = await session.connectionsOf(nonces);
    if (left.length === 0) return killed.size;
    if (deadline.passed) throw remaining(proxies, left, options.limits.killTimeoutMs);
    const fresh = left.filter((id) => !killed.has(id));
    for (const id of await session.kill(fresh)) killed.add(id);
    await ports.clock.sleep(POLL_MS, ports.signal);
  }
}

/** Ends the connections of proxies that vanished on both servers of the attempt. */
export async function endVanished(attempt: Attempt, proxies: readonly RegisteredProxy[]): Promise<void> {
  if (proxies.length === 0) return;
  for (const session of sessions(attempt)) {
    const killed = await endConnections(attempt, session, proxies);
    if (killed === 0) continue;
    const names = proxies.map((proxy) => proxy.document.id).join(", ");
    attempt.notes.push(`proxies without a sign of life: ${names}; ${killed} of their connections were KILLed`);
  }
}

function sessions(attempt: Attempt): readonly HomeSession[] {
  return [attempt.oldSession, attempt.newSession].filter((session) => session !== undefined);
}

function remaining(proxies: readonly RegisteredProxy[], ids: readonly string[], ms: number): SwitchyardError {
  return new SwitchyardError("CUTOVER_CONNECTIONS_REMAIN", {
    what: `connections of proxies that cannot be trusted are still on the server ${ms} ms after KILL`,
    details: [`proxies ${proxies.map((proxy) => proxy.document.id).join(", ")}`, `connections ${ids.join(", ")}`],
    fix: "A statement that is being undone keeps its connection; wait until it has ended and try again.",
  });
}
