import type { Clock } from "../base/clock.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import { parseClaim } from "../rules/claim-document.ts";
import { CLAIMS_PREFIX } from "../rules/store-keys.ts";
import type { Compare, Store, StoreWrite } from "../store/store.ts";
import type { Direction, MigrationDocument } from "./migration-document.ts";
import type { Home, StreamPort } from "./ports.ts";
import type { SwitchLimits } from "./switch-options.ts";

/** What `complete` and `cancel` need from the rest of the program. */
export interface EndPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly failpoint: FailpointHook;
  readonly store: Store;
  /** As for a switch: conditions that hold only while this controller leads. */
  readonly leadership: () => readonly Compare[];
  readonly home: (backend: string) => Home;
  readonly stream: (direction: Direction) => StreamPort;
  /**
   * Removes the migration's rows from the sidecar schema of a server. Repeating it does nothing.
   *
   * @throws {SwitchyardError} `CUTOVER_SERVER_CHANGED` where another server than `serverUuid` answers; empty stands for any
   */
  readonly dropSidecarRows: (backend: string, serverUuid: string) => Promise<void>;
  readonly newToken: () => string;
  readonly progress: (line: string) => void;
  readonly limits: SwitchLimits;
}

/** What was done and what is left where, one line each, for the terminal and the history. */
export interface EndReport {
  readonly done: readonly string[];
  readonly left: readonly string[];
}

/** Does what can be done now; what cannot is told with its reason in `left`. */
export async function attempt(left: string[], what: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    left.push(`${what} (${messageOf(error).split("\n")[0]}); run the command again when it can be reached`);
    return false;
  }
}

/**
 * Deletes the migration's own claims among those of its tables; others' stay.
 *
 * @param uuids the servers on which the tables are claimed; both of the migration's where left out
 *
 * @throws {SwitchyardError} `CUTOVER_JOURNAL_CHANGED`, and those of {@link parseClaim}
 */
export async function releaseClaims(
  ports: EndPorts,
  document: MigrationDocument,
  uuids: readonly string[] = [document.sourceUuid, document.targetUuid],
): Promise<void> {
  for (const uuid of uuids) {
    const conditions: Compare[] = [];
    const writes: StoreWrite[] = [];
    for (const claim of (await ports.store.list(`${CLAIMS_PREFIX}${uuid}/`)).entries) {
      const { key, revision } = claim;
      if (!document.tables.some((table) => key === `${CLAIMS_PREFIX}${uuid}/${table}`)) continue;
      if (parseClaim(claim).migration !== document.id) continue;
      conditions.push({ key, revision });
      writes.push({ delete: key });
      if (writes.length === 50) await commit(ports, conditions.splice(0), writes.splice(0));
    }
    if (writes.length > 0) await commit(ports, conditions, writes);
  }
}

async function commit(ports: EndPorts, conditions: readonly Compare[], writes: readonly StoreWrite[]): Promise<void> {
  const { succeeded } = await ports.store.transact([...ports.leadership(), ...conditions], writes);
  if (succeeded) return;
  throw new SwitchyardError("CUTOVER_JOURNAL_CHANGED", {
    what: "the claims of the migration's tables were changed by somebody else",
    fix: "Run the command again.",
  });
}
