import { isSwitchyardError, SwitchyardError } from "../base/errors.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { openLockedSnapshot } from "../mysql/locked-snapshot.ts";
import { isMysqlError } from "../mysql/mysql-error.ts";
import { readExecuted } from "../mysql/read-executed.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { connectReaders, OPEN_READ_VIEW } from "../mysql/snapshot-readers.ts";
import { tableWriters } from "../mysql/table-writers.ts";
import type { TableShape } from "../table/table-shape.ts";
import {
  type DiffLimits,
  type DiffOptions,
  type DiffStreamPort,
  diffAttributes,
  type ReadingOptions,
} from "./diff-options.ts";
import { requireSameDefinition } from "./pinned-definition.ts";

/** A table on one server, as of the moment of its comparison. */
export interface TableSide {
  /** Inside its read view. */
  readonly reader: Connection;
  readonly shape: TableShape;
}

/** A table on both servers as of one moment. */
export interface OpenTable {
  /** The home's transactions that both sides hold of this table. */
  readonly position: string;
  /**
   * What the other side's server had executed then, or a moment before. Absent where a prepared XA transaction may hold rows of the
   * table: once it is committed, no log says which.
   */
  readonly otherPosition?: string;
  /** The wall clock before that moment, ISO 8601. */
  readonly openedTime: string;
  readonly home: TableSide;
  readonly other: TableSide;
  close(): Promise<void>;
  /** Like {@link close}, while rows are on their way. */
  cut(): void;
}

/** Bytes come as they are stored, and whole keys count when rows are sorted by their bytes. */
export const READER_SESSION = "SET SESSION character_set_results = NULL, max_sort_length = 4096";

/**
 * Like {@link openAtOnce}, and while others keep the table locked, tries again: see {@link whileBusy}.
 */
export async function openTable(
  options: ReadingOptions,
  limits: DiffLimits,
  name: TableName,
  observer: Connection,
): Promise<OpenTable> {
  return await whileBusy(options, limits, name, async () => {
    for (let opening = 1; ; opening += 1) {
      const table = await openAtOnce(options, limits, name, observer);
      try {
        await requireSameDefinition(table.other, observer);
        return table;
      } catch (error) {
        table.cut();
        if (opening >= OPENINGS_MAX || !isSwitchyardError(error, "DIFF_TABLE_CHANGED")) throw error;
      }
    }
  });
}

/** How often a table is opened whose definition the stream has changed on its way to the snapshot. */
const OPENINGS_MAX = 3;

/** Tries `once` again, after the stream has had time to run, while others keep the table locked. */
export async function whileBusy<T>(
  options: DiffOptions,
  limits: DiffLimits,
  name: TableName,
  once: () => Promise<T>,
): Promise<T> {
  for (let round = 1; ; round++) {
    try {
      return await once();
    } catch (error) {
      const passes = isSwitchyardError(error, "MYSQL_SNAPSHOT_LOCK_TIMEOUT", "MYSQL_REPLICA_BEHIND");
      if (!passes || round >= limits.lockRounds) throw error;
      options.log.info({ table: tableKey(name), round }, "the table is busy, or a replica is late; the snapshot waits");
      await options.clock.sleep(limits.lockRestMs, options.signal);
    }
  }
}

/**
 * Opens a table on both sides at one logical time; one table after the other, never two at once.
 *
 * The stream takes in nothing newer from a moment on at which the table is locked on the home and its snapshot not yet
 * taken: a stream that had already gone past the snapshot could not come back to it. It then applies exactly the snapshot's
 * transactions and stands still while the other side's read view is opened, and goes on in any case. What does not have to
 * be done while it stands is done before, or sent together.
 */
async function openAtOnce(
  options: ReadingOptions,
  limits: DiffLimits,
  name: TableName,
  observer: Connection,
): Promise<OpenTable> {
  const { signal } = options;
  const stream = meteredStream(options);
  const openedTime = options.clock.now().toISOString();
  const opened: Connection[] = [];
  const cut = (): void => {
    for (const connection of opened) connection.destroy();
  };
  signal.addEventListener("abort", cut, { once: true });
  try {
    const [reader] = await connectReaders(options.other, 1, { attributes: diffAttributes(options), signal }, opened);
    await reader?.query(READER_SESSION);
    // To read a definition takes longest of all. Whether it was still this one is looked at when the stream goes on.
    const shape = await readTableShape(observer, name);
    const home = await standAtHome({ ...options, stream }, limits, name, opened);
    await options.failpoint("diff-before-target-snapshot");
    const otherPosition = await openOther(reader, name, observer);
    return {
      position: home.position,
      ...(otherPosition === undefined ? {} : { otherPosition }),
      openedTime,
      home,
      other: sideOf(reader, shape),
      cut: () => {
        signal.removeEventListener("abort", cut);
        cut();
      },
      close: async () => {
        signal.removeEventListener("abort", cut);
        await Promise.all(opened.map((connection) => connection.close()));
      },
    };
  } catch (error) {
    signal.removeEventListener("abort", cut);
    cut();
    throw error;
  } finally {
    stream.continue();
  }
}

/** The stream, whose pauses are told. */
function meteredStream({ stream, clock, onPause, onStand }: DiffOptions): DiffStreamPort {
  let pausedMs: number | undefined;
  const stands = (): void => {
    if (pausedMs !== undefined) return;
    pausedMs = clock.monotonicMs();
    onStand?.();
  };
  return {
    closeIntake: () => {
      stands();
      return stream.closeIntake();
    },
    pauseIntake: () => {
      stands();
      return stream.pauseIntake();
    },
    stopAt: (position, options) => stream.stopAt(position, options),
    continue: () => {
      stream.continue();
      if (pausedMs !== undefined) onPause?.(clock.monotonicMs() - pausedMs);
      pausedMs = undefined;
    },
  };
}

/**
 * Whether a prepared XA transaction may hold rows of the table; also where the account may not look.
 *
 * @param recovered what `XA RECOVER` gives
 */
async function mayBePrepared(
  connection: Connection,
  name: TableName,
  recovered: Promise<readonly unknown[]>,
): Promise<boolean> {
  const prepared = await ifAllowed(recovered);
  if (prepared?.length === 0) return false;
  const writers = await ifAllowed(tableWriters(connection, name));
  // With xa_detach_on_prepare=OFF it is still a session's.
  return writers?.some(({ threadId }) => threadId === undefined || prepared !== undefined) ?? true;
}

async function ifAllowed<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    if (isMysqlError(error)) return undefined;
    throw error;
  }
}

/**
 * Opens a snapshot of the home, and has the stream stand at exactly its position, until whoever called lets it go on,
 * which is to be done in any case. Connections are added to `opened` as they are made.
 */
export async function standAtHome(
  options: ReadingOptions,
  limits: DiffLimits,
  name: TableName,
  opened: Connection[],
): Promise<TableSide & { readonly position: string }> {
  const { signal, stream, replica } = options;
  // The stream may be ahead of a replica, and could not come back to what that one shows.
  if (replica !== undefined) {
    await unlessAborted(signal, stream.pauseIntake());
    if (!(await unlessAborted(signal, replica.arrive(limits.replicaWaitMs))))
      throw replica.behind(limits.replicaWaitMs);
  }
  // Else it takes in nothing newer from before the table is unlocked: what it has in hand of it then is in the snapshot.
  const home = await openHome(options, limits, name, opened, async () => {
    if (replica === undefined) await stream.closeIntake();
  });
  await replica?.prove(GtidSet.parse(home.position));
  await unlessAborted(signal, stream.pauseIntake());
  await unlessAborted(signal, stream.stopAt(home.position, { timeoutMs: limits.stopTimeoutMs, tables: [name] }));
  return home;
}

/** Waits for `work`, but not past the end of the diff. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new SwitchyardError("CANCELLED", { what: "the diff was stopped" }));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Locks the table on the home for a moment, and opens a read view of it whose position is known. */
async function openHome(
  options: DiffOptions,
  limits: DiffLimits,
  name: TableName,
  opened: Connection[],
  beforeUnlock: () => Promise<void>,
): Promise<TableSide & { readonly position: string }> {
  const snapshot = await openLockedSnapshot({
    endpoint: options.home,
    table: name,
    ...(options.homeUuid === undefined ? {} : { serverUuid: options.homeUuid }),
    connections: 1,
    lockWaitMs: limits.lockWaitMs,
    attempts: limits.lockAttempts,
    attributes: diffAttributes(options),
    signal: options.signal,
    readerSession: READER_SESSION,
    onLocked: async (connection) => {
      const shape = await readTableShape(connection, name);
      await beforeUnlock();
      return shape;
    },
  });
  opened.push(...snapshot.connections);
  return { ...sideOf(snapshot.connections[0], snapshot.locked), position: snapshot.position };
}

/**
 * The stream stands still and nobody else writes there, so no lock is needed. What is asked of the observer is sent at once
 * and answered in order; the view is opened as soon as the answers are there that have to come before it.
 *
 * @returns what the server had executed a moment before, unless a prepared transaction may hold rows of the table
 */
async function openOther(
  reader: Connection | undefined,
  name: TableName,
  observer: Connection,
): Promise<string | undefined> {
  // First: whatever is written there behind it, by whomever, is looked at again.
  const executed = readExecuted(observer);
  // What is committed by then is in the read view, and what is prepared from now on is behind the position.
  const prepared = mayBePrepared(observer, name, observer.rows("XA RECOVER"));
  const viewed = prepared.then(() => reader?.query(OPEN_READ_VIEW));
  const [position, mayBe] = await Promise.all([executed, prepared, viewed]);
  return mayBe ? undefined : position;
}

function sideOf(reader: Connection | undefined, shape: TableShape | undefined): TableSide {
  if (reader === undefined || shape === undefined) {
    throw new SwitchyardError("INTERNAL_INVARIANT", { what: "a snapshot came without a reader or its definition" });
  }
  return { reader, shape };
}
