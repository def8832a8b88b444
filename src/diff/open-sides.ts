import { SwitchyardError } from "../base/errors.ts";
import { tableKey } from "../base/table-name.ts";
import { Connection } from "../mysql/connection.ts";
import { openLockedSnapshot } from "../mysql/locked-snapshot.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { connectReaders, OPEN_READ_VIEW } from "../mysql/snapshot-readers.ts";
import type { TableShape } from "../table/table-shape.ts";
import type { DiffLimits, DiffOptions } from "./diff-options.ts";

/** One server, read as of the moment of the diff. */
export interface Side {
  /** Each inside its read view. */
  readonly readers: readonly Connection[];
  /** Outside of the read views: sees definitions as they are now. */
  readonly observer: Connection;
  /** Definitions as of the moment, by `schema.table`. */
  readonly shapes: ReadonlyMap<string, TableShape>;
}

export interface Sides {
  /** The home's transactions as of which both sides are read. */
  readonly position: string;
  readonly home: Side;
  readonly other: Side;
  close(): Promise<void>;
}

/**
 * Opens both sides at one logical time.
 *
 * The stream's intake is paused before the home's snapshot is taken: a stream that had already gone past the snapshot
 * could not come back to it. It then applies exactly the snapshot's transactions and stands still while the read views
 * of the other side are opened, and goes on in any case.
 */
export async function openSides(options: DiffOptions, limits: DiffLimits, readers: number): Promise<Sides> {
  const opened: Connection[] = [];
  const cut = (): void => {
    for (const connection of opened) connection.destroy();
  };
  options.signal.addEventListener("abort", cut, { once: true });
  try {
    await unlessAborted(options.signal, options.stream.pauseIntake());
    const home = await openHome(options, limits, readers, opened);
    const stopped = options.stream.stopAt(home.position, { timeoutMs: limits.stopTimeoutMs });
    await unlessAborted(options.signal, stopped);
    await options.failpoint("diff-before-target-snapshot");
    const other = await openOther(options, readers, opened);
    return {
      position: home.position,
      home,
      other,
      close: async () => {
        options.signal.removeEventListener("abort", cut);
        await Promise.all(opened.map((connection) => connection.close()));
      },
    };
  } catch (error) {
    options.signal.removeEventListener("abort", cut);
    cut();
    throw error;
  } finally {
    options.stream.continue();
  }
}

/** Waits for `work`, but not past the end of the diff. */
async function unlessAborted(signal: AbortSignal, work: Promise<void>): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new SwitchyardError("CANCELLED", { what: "the diff was stopped" }));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function openHome(
  options: DiffOptions,
  limits: DiffLimits,
  readers: number,
  opened: Connection[],
): Promise<Side & { readonly position: string }> {
  const snapshot = await openLockedSnapshot({
    endpoint: options.home,
    tables: options.tables,
    connections: readers,
    lockWaitMs: limits.lockWaitMs,
    attempts: limits.lockAttempts,
    attributes: attributes(options),
    signal: options.signal,
    onLocked: (connection) => readShapes(connection, options),
  });
  opened.push(...snapshot.connections);
  await prepare(snapshot.connections);
  const observer = await connectObserver(options.home, options, opened);
  return { position: snapshot.position, readers: snapshot.connections, observer, shapes: snapshot.locked ?? new Map() };
}

/** The stream stands still and nobody else writes there, so read views opened one after the other are the same. */
async function openOther(options: DiffOptions, count: number, opened: Connection[]): Promise<Side> {
  const wishes = { attributes: attributes(options), signal: options.signal };
  const readers = await connectReaders(options.other, count, wishes, opened);
  await Promise.all(readers.map((reader) => reader.query(OPEN_READ_VIEW)));
  await prepare(readers);
  const observer = await connectObserver(options.other, options, opened);
  return { readers, observer, shapes: await readShapes(observer, options) };
}

/** Bytes come as they are stored, and whole keys count when rows are sorted by their bytes. */
async function prepare(readers: readonly Connection[]): Promise<void> {
  const session = "SET SESSION character_set_results = NULL, max_sort_length = 4096";
  await Promise.all(readers.map((reader) => reader.query(session)));
}

async function connectObserver(
  endpoint: DiffOptions["home"],
  options: DiffOptions,
  opened: Connection[],
): Promise<Connection> {
  const observer = await Connection.connect(endpoint, { attributes: attributes(options), signal: options.signal });
  opened.push(observer);
  await observer.query("SET SESSION wait_timeout = 86400");
  return observer;
}

function attributes(options: DiffOptions): Record<string, string> {
  return { switchyard_migration: options.migration, switchyard_role: "diff" };
}

async function readShapes(connection: Connection, options: DiffOptions): Promise<Map<string, TableShape>> {
  const shapes = await Promise.all(options.tables.map((name) => readTableShape(connection, name)));
  return new Map(shapes.map((shape) => [tableKey(shape.name), shape]));
}
