import { SwitchyardError } from "../base/errors.ts";
import type { Attempt } from "./attempt.ts";
import type { RegisteredProxy } from "./proxy-view.ts";

/** A backend, and the `server_uuid` that the controller knows it by; empty where it knows none. */
export interface KnownBackend {
  readonly backend: string;
  readonly uuid: string;
}

/** A proxy whose connections of that name lead elsewhere: clients that it sends there read and write other rows. */
export interface ProxyElsewhere extends KnownBackend {
  readonly proxy: string;
  /** Where they lead. */
  readonly reached: readonly string[];
  /** None of these is open any more: it was so at the last login. */
  readonly idle: boolean;
}

/**
 * The proxies that reach other servers than `known` under these names, by their newest login or by a connection that is
 * still open. A proxy that has had no connection of a name tells nothing of it.
 */
export function proxiesElsewhere(
  proxies: readonly Pick<RegisteredProxy, "document">[],
  known: readonly KnownBackend[],
): readonly ProxyElsewhere[] {
  return proxies.flatMap(({ document }) =>
    known.flatMap(({ backend, uuid }) => {
      const { newest, open } = document.servers[backend] ?? { newest: uuid, open: [] };
      const reached = [...new Set([newest, ...open])].filter((one) => one !== uuid);
      return uuid === "" || reached.length === 0
        ? []
        : [{ proxy: document.id, backend, uuid, reached, idle: open.length === 0 }];
    }),
  );
}

/** In words: who reaches what. */
export function describeElsewhere({ proxy, backend, uuid, reached, idle }: ProxyElsewhere): string {
  const since = idle ? " (by its last login: it has no connection there now, and learns more by the next)" : "";
  return `proxy ${proxy} reaches server_uuid ${reached.join(" and ")} as "${backend}", which is server_uuid ${uuid}${since}`;
}

export const ELSEWHERE_FIX =
  "Correct the host and port of the backend in that proxy's configuration and restart it. Where the address has moved, connections of before stay where they led: restart the proxy, or end these sessions and let one client log in. What has ended for good: `switchyard proxies forget <id>`.";

/**
 * Sessions log in to the new home while a switch is armed, so that only then a proxy may learn where its address leads.
 *
 * @throws {SwitchyardError} `CUTOVER_SERVER_CHANGED`
 */
export function requireSameServers({ ends }: Attempt, proxies: readonly RegisteredProxy[]): void {
  const elsewhere = proxiesElsewhere(proxies, [
    { backend: ends.oldHome, uuid: ends.oldUuid },
    { backend: ends.newHome, uuid: ends.newUuid },
  ]);
  if (elsewhere.length === 0) return;
  throw new SwitchyardError("CUTOVER_SERVER_CHANGED", {
    what: `migration "${ends.migration}" cannot ${ends.kind}: a proxy reaches another server than the migration's streams use`,
    details: elsewhere.map(describeElsewhere),
    changed: `Nothing was changed on the servers; writes go to ${ends.oldHome}.`,
    fix: ELSEWHERE_FIX,
  });
}
