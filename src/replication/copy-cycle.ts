import type { FailpointHook } from "../base/failpoints.ts";
import type { Logger } from "../base/logger.ts";
import { quoteText } from "../base/table-name.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { type LockedSnapshot, openLockedSnapshot } from "../mysql/locked-snapshot.ts";
import { ChunkCopier, type CopyCycle } from "./chunk-copier.ts";
import { clearPartial } from "./clear-partial.ts";
import { planCopy } from "./copy-plan.ts";
import type { CopiedTable, CopyState } from "./copy-state.ts";
import { epochUpdate, type LedgerClaim, ledgerTaken, ledgerUpdate } from "./ledger.ts";
import { SIDECAR } from "./sidecar.ts";
import type { StreamLimits } from "./stream-options.ts";
import { connectWriter, readerAttributes, SOURCE_SESSION } from "./stream-session.ts";
import { definitionChanged, sameDefinition, showCreate } from "./table-definitions.ts";

export interface CopyContext {
  readonly claim: LedgerClaim;
  readonly source: Endpoint;
  readonly target: Endpoint;
  /** A session on the source for questions; not one that reads the snapshot. */
  readonly observer: Connection;
  /** A session on the target that no transaction is open on. */
  readonly control: Connection;
  readonly limits: StreamLimits;
  readonly failpoint: FailpointHook;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly isOver: () => boolean;
  readonly whilePaused: () => Promise<void>;
  readonly onRows: (table: CopiedTable, rows: number) => void;
  /** Rows of each table, by the source's own guess. */
  readonly estimates: ReadonlyMap<string, number>;
}

/** What a cycle found out. */
export type CycleOutcome =
  /** Everything has been copied once. */
  | { readonly kind: "copied" }
  /** The snapshot's time was over; catch-up has its turn. */
  | { readonly kind: "over" }
  /** The snapshot did not hold all that the stream has done with; a little later one will. */
  | { readonly kind: "early" };

/**
 * One cycle of the copy: goes through the tables that are not copied yet, opens a snapshot of each in turn, and copies
 * until all is copied or the cycle's time is over. Each table has a snapshot of its own because to lock several at once
 * would make the server end clients' transactions as victims of deadlocks.
 *
 * Rows that the stream has passed over because their chunk was not copied must be in the snapshot. So it is only used
 * when its position holds all of `executed`. The first snapshot's position is where the stream begins.
 *
 * @param begin called with the position of the first snapshot, once the ledger has it
 */
export async function runCopyCycle(
  context: CopyContext,
  state: CopyState,
  executed: GtidSet,
  begin: (position: GtidSet) => void,
): Promise<CycleOutcome> {
  for (const table of state.tables) await clearPartial(context.control, context.claim, table);
  const wanted = state.tables.filter((table) => state.gaps(table).length > 0);
  if (wanted.length === 0) return { kind: "copied" };
  let done = executed;
  for (const table of wanted) {
    const outcome = await copyTable(context, state, table, done, begin);
    if (outcome.kind !== "copied") return outcome;
    if (done.isEmpty) done = state.snapshots.get(state.nextSnapshot - 1) ?? done;
    if (context.isOver()) break;
  }
  return state.copied ? { kind: "copied" } : { kind: "over" };
}

/** Copies one table from a snapshot of its own. */
async function copyTable(
  context: CopyContext,
  state: CopyState,
  table: CopiedTable,
  executed: GtidSet,
  begin: (position: GtidSet) => void,
): Promise<CycleOutcome> {
  const snapshot = await openSnapshot(context, table);
  try {
    const position = GtidSet.parse(snapshot.position);
    if (!position.contains(executed)) return { kind: "early" };
    const number = state.nextSnapshot;
    await recordSnapshot(context, number, position, executed.isEmpty);
    state.snapshots.set(number, position);
    if (executed.isEmpty) begin(position);
    context.log.info({ snapshot: number, table: table.key }, "copying from a new snapshot");
    return { kind: (await copyAll(context, state, table, snapshot, number)) ? "copied" : "over" };
  } finally {
    await snapshot.close();
  }
}

async function openSnapshot(context: CopyContext, table: CopiedTable): Promise<LockedSnapshot<unknown>> {
  return await openLockedSnapshot({
    endpoint: context.source,
    table: table.name,
    connections: context.limits.copyReaders,
    lockWaitMs: context.limits.snapshotLockWaitMs,
    attempts: context.limits.snapshotAttempts,
    attributes: readerAttributes(context.claim),
    signal: context.signal,
    onLocked: async (connection) => {
      await connection.query("SET SESSION sql_mode = ''");
      const now = await showCreate(connection, table.name);
      if (!sameDefinition(now, table.definition)) throw definitionChanged(table.name, "since the stream began");
    },
  });
}

/** The snapshot's position, and with the first one the position from which the stream follows. */
async function recordSnapshot(context: CopyContext, number: number, position: GtidSet, first: boolean): Promise<void> {
  const { claim, control } = context;
  const gtids = position.toString();
  const proof = first ? ledgerUpdate(claim, gtids, undefined) : epochUpdate(claim, 0);
  const results = await control.queryMulti(
    `BEGIN; ${proof}; INSERT INTO ${SIDECAR.snapshot} (migration, snapshot, gtids) VALUES ` +
      `(${quoteText(claim.migration)}, ${number}, '${gtids}')`,
  );
  if (results[1]?.affectedRows !== 1) {
    await control.query("ROLLBACK");
    throw ledgerTaken(claim);
  }
  await control.query("COMMIT");
}

/** True when every task was copied. */
async function copyAll(
  context: CopyContext,
  state: CopyState,
  table: CopiedTable,
  snapshot: LockedSnapshot<unknown>,
  number: number,
): Promise<boolean> {
  const [first] = snapshot.connections;
  if (first === undefined) return false;
  for (const reader of snapshot.connections) await reader.query(SOURCE_SESSION);
  const tasks = await planCopy(first, state, table, context.estimates, context.limits);
  const cycle: CopyCycle = {
    claim: context.claim,
    snapshot: number,
    limits: context.limits,
    failpoint: context.failpoint,
    isOver: context.isOver,
    whilePaused: context.whilePaused,
    verifyDefinition: async (table) => {
      const now = await showCreate(context.observer, table.name);
      if (!sameDefinition(now, table.definition)) throw definitionChanged(table.name, "while it was being copied");
    },
    onRows: context.onRows,
  };
  let complete = true;
  const work = async (reader: Connection, index: number): Promise<void> => {
    const writer = await connectWriter(context.target, context.claim, { localInfile: true, signal: context.signal });
    const cut = (): void => writer.destroy();
    context.signal.addEventListener("abort", cut, { once: true });
    try {
      const copier = new ChunkCopier(cycle, reader, writer, index + 1);
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
        const ordered = task.table.kinds !== undefined;
        if ((ordered && context.isOver()) || !(await copier.copy(task))) {
          complete = false;
          return;
        }
      }
    } finally {
      context.signal.removeEventListener("abort", cut);
      await writer.close();
    }
  };
  const workers = snapshot.connections.map(work);
  try {
    await Promise.all(workers);
  } catch (error) {
    // The others must not go on loading while this one is cleaned up after.
    tasks.length = 0;
    for (const reader of snapshot.connections) reader.destroy();
    await Promise.allSettled(workers);
    throw error;
  }
  return complete;
}
