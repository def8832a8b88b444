import { assert } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { messageOf, SwitchyardError } from "../base/errors.ts";
import { quoteTable, type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";
import { ERRNO, isMysqlError } from "./mysql-error.ts";
import { readExecuted } from "./read-executed.ts";
import { connectReaders, OPEN_READ_VIEW } from "./snapshot-readers.ts";
import { describeWriter, type TableWriter, tableWriters } from "./table-writers.ts";

export interface LockedSnapshotOptions<T> {
  readonly endpoint: Endpoint;
  readonly table: TableName;
  /** `server_uuid` of the only server that the snapshot may be of; where left out, any, but one for all connections. */
  readonly serverUuid?: string;
  /** How many connections read the snapshot. */
  readonly connections: number;
  /** How long the lock may be waited for at a time. */
  readonly lockWaitMs: number;
  readonly attempts: number;
  readonly attributes?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** A statement for each reader's session, before the table is locked. */
  readonly readerSession?: string;
  /** Runs on the locking connection while the table is locked, for example to read its definition. */
  readonly onLocked?: (connection: Connection) => Promise<T>;
}

/** One state of a table, open for reading on several connections. */
export interface LockedSnapshot<T> {
  /**
   * `gtid_executed` of the server while the table was locked. For this table, and for no other, the snapshot holds
   * exactly the transactions in it.
   */
  readonly position: string;
  /** Each inside its read-only transaction; ends with it. Their `net_write_timeout` allows for slow readers. */
  readonly connections: readonly Connection[];
  /** What `onLocked` returned. */
  readonly locked: T | undefined;
  close(): Promise<void>;
}

/** A lock that is held for longer belongs to a long transaction; there is no use in waiting for ours behind it. */
const OLD_WRITER_MS = 50;
const POLL_MS = 20;
const LOCKER_TIMEOUT_SECONDS = 86_400;

/**
 * Opens a snapshot of a table whose position in the server's history is known exactly.
 *
 * One connection locks the table against writers, others open their read views beside it (in the same session the
 * read view would drop the lock), the executed transactions are read, and the lock is given back: milliseconds.
 *
 * Clients must feel no more of it than that, which decides three things.
 * - One table, never several: whoever holds one table locked and waits for the next can meet a client's transaction
 *   that does so in the other order, and of the two the server ends the client's, with error 1213.
 * - `LOCK TABLES … READ`, never WRITE: while a WRITE lock waits, a client that has read the table in its transaction and
 *   now writes to it is ended with 1213 as well.
 * - The lock needs an instant at which nobody has the table open for writing. New writers pass a READ lock that waits,
 *   unless the server's `max_write_lock_count` says otherwise, so on a very busy table it may be waited for in vain. It
 *   is not asked for while a long transaction holds the table, and each wait is ended by KILL QUERY after `lockWaitMs`,
 *   so that even where writers wait behind it they do not wait for long.
 *
 * An address may lead to several servers. All connections must be on one: a lock says nothing of the rows of another.
 *
 * @throws {SwitchyardError} `MYSQL_SNAPSHOT_LOCK_TIMEOUT` after all attempts, naming who held the table;
 *   `MYSQL_SERVERS_MIXED`
 */
export async function openLockedSnapshot<T>(options: LockedSnapshotOptions<T>): Promise<LockedSnapshot<T>> {
  const opened: Connection[] = [];
  const cut = (): void => {
    for (const connection of opened) connection.destroy();
  };
  options.signal?.addEventListener("abort", cut, { once: true });
  try {
    const { endpoint, attributes, signal } = options;
    const wishes = { ...(attributes ? { attributes } : {}), ...(signal ? { signal } : {}) };
    const [locker, observer, ...readers] = await connectReaders(endpoint, options.connections + 2, wishes, opened);
    assert(locker !== undefined && observer !== undefined, "as many connections come up as were asked for");
    requireOneServer(opened, options);
    const waitSeconds = Math.ceil(options.lockWaitMs / 1000) + 1;
    const { readerSession } = options;
    if (readerSession !== undefined) await Promise.all(readers.map((reader) => reader.query(readerSession)));
    await locker.query(`SET SESSION lock_wait_timeout = ${waitSeconds}, wait_timeout = ${LOCKER_TIMEOUT_SECONDS}`);
    await lockTable(locker, observer, options);
    const taken = await takeUnderLock(locker, readers, options);
    // Whoever opened the snapshot may have somebody stand still for it, and does not wait for goodbyes.
    const goodbyes = [locker.close(), observer.close()];
    return {
      ...taken,
      connections: readers,
      close: async () => {
        await Promise.all([...goodbyes, ...readers.map((reader) => reader.close())]);
      },
    };
  } catch (error) {
    cut();
    if (options.signal?.aborted === true) {
      throw new SwitchyardError("CANCELLED", { what: "opening a snapshot was given up", cause: error });
    }
    throw error;
  } finally {
    options.signal?.removeEventListener("abort", cut);
  }
}

function requireOneServer<T>(
  connections: readonly Connection[],
  { endpoint, serverUuid }: LockedSnapshotOptions<T>,
): void {
  const uuids = new Set(connections.map((connection) => connection.serverUuid));
  if (serverUuid !== undefined) uuids.add(serverUuid);
  if (uuids.size === 1) return;
  throw new SwitchyardError("MYSQL_SERVERS_MIXED", {
    what: `sessions to server "${endpoint.name}" at ${endpoint.host}:${endpoint.port} are not all on one server`,
    details: [...uuids].map(
      (uuid) => `server_uuid ${uuid}${uuid === serverUuid ? " (the one that is to be read)" : ""}`,
    ),
    changed: "Nothing was changed, and nothing was read.",
    fix: "Give the backend an address that leads to one server, and not to whichever a balancer chooses.",
  });
}

/** Returns with the table locked on `locker`. */
async function lockTable<T>(
  locker: Connection,
  observer: Connection,
  options: LockedSnapshotOptions<T>,
): Promise<void> {
  let writers: readonly TableWriter[] = [];
  for (let attempt = 0; attempt < options.attempts; attempt++) {
    if (attempt > 0) await systemClock.sleep(options.lockWaitMs, options.signal);
    writers = await waitForOldWriters(observer, options);
    if (writers.length > 0) continue;
    if (await tryLock(locker, observer, options)) return;
    writers = await writersNow(observer, options.table);
  }
  throw new SwitchyardError("MYSQL_SNAPSHOT_LOCK_TIMEOUT", {
    what: `${tableKey(options.table)} could not be locked on server "${options.endpoint.name}" in ${options.attempts} attempts of ${options.lockWaitMs} ms`,
    details: writers.map(describeWriter),
    changed: "Nothing was changed, and nothing is locked.",
    fix:
      writers.length > 0
        ? "Let the transactions named above end, then try again."
        : "Its writers overlap all the time. Let the lock take its turn with `SET GLOBAL max_write_lock_count = 50` on that server, then try again.",
  });
}

/** Waits, for a limited time, until no transaction holds the table that was there 50 ms earlier. Returns those left. */
async function waitForOldWriters<T>(
  observer: Connection,
  options: LockedSnapshotOptions<T>,
): Promise<readonly TableWriter[]> {
  const begin = systemClock.monotonicMs();
  const firstSeen = new Map<string, number>();
  for (;;) {
    const now = systemClock.monotonicMs();
    const writers = await writersNow(observer, options.table);
    for (const { lock } of writers) if (!firstSeen.has(lock)) firstSeen.set(lock, now);
    const old = writers.filter((writer) => now - (firstSeen.get(writer.lock) ?? now) >= OLD_WRITER_MS);
    const unsure = writers.length > 0 && now - begin < OLD_WRITER_MS;
    if (old.length === 0 && !unsure) return [];
    if (now - begin > OLD_WRITER_MS + options.lockWaitMs) return old;
    await systemClock.sleep(POLL_MS, options.signal);
  }
}

/** An account that may not look at the locks goes without: the attempt itself is bounded. */
async function writersNow(observer: Connection, table: TableName): Promise<readonly TableWriter[]> {
  try {
    return await tableWriters(observer, table);
  } catch (error) {
    if (isMysqlError(error)) return [];
    throw error;
  }
}

async function tryLock<T>(
  locker: Connection,
  observer: Connection,
  options: LockedSnapshotOptions<T>,
): Promise<boolean> {
  let killing: Promise<unknown> | undefined;
  const timer = setTimeout(() => {
    killing = observer.query(`KILL QUERY ${locker.threadId}`).catch((error: unknown) => messageOf(error));
  }, options.lockWaitMs);
  let failure: unknown;
  try {
    await locker.query(`LOCK TABLES ${quoteTable(options.table)} READ`);
  } catch (error) {
    failure = error;
  } finally {
    clearTimeout(timer);
  }
  if (failure === undefined && killing === undefined) return true;
  await killing;
  await unlockAfterKill(locker);
  const givenUp = failure === undefined || isMysqlError(failure, ERRNO.QUERY_INTERRUPTED, ERRNO.LOCK_WAIT_TIMEOUT);
  if (!givenUp) throw failure;
  return false;
}

/** The KILL may have come after the lock was granted; then it ends the next statement instead. */
async function unlockAfterKill(locker: Connection): Promise<void> {
  for (;;) {
    try {
      await locker.query("UNLOCK TABLES");
      return;
    } catch (error) {
      if (!isMysqlError(error, ERRNO.QUERY_INTERRUPTED)) throw error;
    }
  }
}

/** Opens the read views, reads the position, and unlocks. That UNLOCK succeeds proves that the lock was held throughout. */
async function takeUnderLock<T>(
  locker: Connection,
  readers: readonly Connection[],
  options: LockedSnapshotOptions<T>,
): Promise<{ position: string; locked: T | undefined }> {
  const [position, locked] = await Promise.all([
    readExecuted(locker),
    options.onLocked?.(locker),
    ...readers.map((reader) => reader.query(OPEN_READ_VIEW)),
  ]);
  await locker.query("UNLOCK TABLES");
  return { position, locked };
}
