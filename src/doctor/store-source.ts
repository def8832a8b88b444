import type { Clock } from "../base/clock.ts";
import { isSwitchyardError, SwitchyardError } from "../base/errors.ts";
import { silentLogger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import { KEYS_ROOT, MIGRATIONS_PREFIX } from "../rules/store-keys.ts";
import { EmbeddedStore } from "../store/embedded-store.ts";
import { EtcdStore } from "../store/etcd-store.ts";
import { journalPath } from "../store/journal-file.ts";
import { readStoredEntries } from "../store/replay-journal.ts";
import type { Store, StoreEntry } from "../store/store.ts";
import type { Facts, StoreFacts } from "./facts.ts";
import { storeFacts } from "./read-store.ts";

/** Where a running process says what its embedded store holds; undefined where none runs. */
export type AskProcess = () => Promise<{ readonly from: string; readonly entries: readonly StoreEntry[] } | undefined>;

/**
 * The store of a configuration, for looking: an etcd is asked, an embedded store is asked for through the process that has it,
 * and read from its file where none runs.
 *
 * @throws {SwitchyardError} what reading the store throws
 */
export async function readStore(config: Config, clock: Clock, askProcess: AskProcess): Promise<StoreFacts> {
  if (config.store.kind === "etcd") {
    return await withStore(config, clock, async (store) => {
      const { entries } = await store.list(`${KEYS_ROOT}/`);
      return storeFacts(entries, { from: `etcd at ${endpoints(config)}`, live: true });
    });
  }
  const running = await askProcess();
  if (running !== undefined) return storeFacts(running.entries, { from: running.from, live: true });
  const entries = await readStoredEntries(config.dataDirectory);
  return storeFacts(entries ?? [], { from: config.dataDirectory, live: false });
}

/** Whether an embedded store lies in the data directory of a configuration that names an etcd. */
export async function readOtherStore(config: Config): Promise<Facts["otherStore"]> {
  if (config.store.kind !== "etcd") return undefined;
  const entries = await readStoredEntries(config.dataDirectory);
  if (entries === undefined) return undefined;
  const migrations = entries.filter(({ key }) => key.startsWith(MIGRATIONS_PREFIX)).length;
  return { where: journalPath(config.dataDirectory), migrations };
}

/**
 * The store itself, for a repair. The embedded one is taken for this process alone.
 *
 * @throws {SwitchyardError} `DOCTOR_STORE_IN_USE` while `switchyard serve` has it; what opening throws
 */
export async function withStore<T>(config: Config, clock: Clock, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(config, clock);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

async function openStore(config: Config, clock: Clock): Promise<Store> {
  const log = silentLogger;
  if (config.store.kind === "etcd") {
    const { prefix, kind: _, ...access } = config.store;
    return new EtcdStore({ access, root: KEYS_ROOT, prefix, clock, log });
  }
  try {
    return await EmbeddedStore.open({ directory: config.dataDirectory, clock, log });
  } catch (error) {
    if (!isSwitchyardError(error, "STORE_LOCKED")) throw error;
    throw new SwitchyardError("DOCTOR_STORE_IN_USE", {
      what: `the store in ${config.dataDirectory} is in use by a running process`,
      changed: "Nothing was changed.",
      fix: "Stop `switchyard serve`, run the same command, and start it again.",
      cause: error,
    });
  }
}

function endpoints(config: Config): string {
  return config.store.kind === "etcd" ? config.store.endpoints.join(", ") : "";
}
