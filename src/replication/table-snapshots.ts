import { quoteText } from "../base/table-name.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { type LockedSnapshot, openLockedSnapshot } from "../mysql/locked-snapshot.ts";
import type { CopyContext } from "./copy-context.ts";
import { type CopyTask, planCopy } from "./copy-plan.ts";
import type { CopiedTable, CopyState } from "./copy-state.ts";
import { epochUpdate, ledgerTaken, ledgerUpdate } from "./ledger.ts";
import { requireServer } from "./server-identity.ts";
import { SIDECAR } from "./sidecar.ts";
import { readerAttributes, SOURCE_SESSION } from "./stream-session.ts";
import { definitionChanged, sameDefinition, showCreate } from "./table-definitions.ts";

/** One table's snapshot that copiers read, each on the session of its own number. */
export interface TableSnapshot {
  /** Its number in the sidecar. */
  readonly number: number;
  readonly readers: readonly Connection[];
  /** What is left to read; copiers take from the front. */
  readonly tasks: CopyTask[];
  /**
   * A copier reads no more of it. Once all have left and what they have read is `loaded`, the snapshot is closed: until
   * then the definition that its rows were read by stays pinned.
   */
  leave(loaded: Promise<void>): void;
}

/**
 * The snapshots of one cycle, a table after the other: each is opened when the first copier comes to it, never two at
 * once, and closed when the last has left.
 */
export class TableSnapshots {
  readonly #context: CopyContext;
  readonly #state: CopyState;
  readonly #tables: readonly CopiedTable[];
  readonly #begin: (position: GtidSet) => void;
  readonly #cut = new AbortController();
  readonly #opened: Promise<TableSnapshot | undefined>[] = [];
  readonly #held = new Set<LockedSnapshot<unknown>>();
  #executed: GtidSet;
  #early = false;

  constructor(
    context: CopyContext,
    state: CopyState,
    tables: readonly CopiedTable[],
    executed: GtidSet,
    begin: (position: GtidSet) => void,
  ) {
    this.#context = context;
    this.#state = state;
    this.#tables = tables;
    this.#executed = executed;
    this.#begin = begin;
  }

  /** A snapshot did not hold all that the stream has done with: a little later one will. */
  get early(): boolean {
    return this.#early;
  }

  /** The snapshot of the table at this place; nothing when there is none, or no time for it, or an earlier one was early. */
  open(place: number): Promise<TableSnapshot | undefined> {
    const opened = this.#opened[place];
    if (opened !== undefined) return opened;
    const table = this.#tables[place];
    const before = place === 0 ? Promise.resolve() : this.open(place - 1);
    const opening = before.then(() => (table === undefined ? undefined : this.#open(table, place === 0)));
    this.#opened[place] = opening;
    opening.catch(() => undefined);
    return opening;
  }

  /** Ends all reading at once. */
  cut(): void {
    this.#cut.abort();
    for (const snapshot of this.#held) for (const reader of snapshot.connections) reader.destroy();
  }

  /** To be called when no copier works any more. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#opened);
    for (const snapshot of this.#held) await snapshot.close();
  }

  async #open(table: CopiedTable, first: boolean): Promise<TableSnapshot | undefined> {
    const context = this.#context;
    if (this.#early || this.#cut.signal.aborted || (!first && context.isOver())) return undefined;
    if (!(await this.#arrived())) {
      this.#early = true;
      return undefined;
    }
    const snapshot = await this.#lock(table);
    this.#held.add(snapshot);
    const position = GtidSet.parse(snapshot.position);
    await context.replica?.prove(position);
    if (!position.contains(this.#executed)) {
      this.#early = true;
      return undefined;
    }
    const number = this.#state.nextSnapshot;
    const begins = this.#executed.isEmpty;
    await recordSnapshot(context, number, position, begins);
    this.#state.snapshots.set(number, position);
    if (begins) {
      this.#executed = position;
      this.#begin(position);
    }
    context.log.info({ snapshot: number, table: table.key }, "copying from a new snapshot");
    await context.failpoint("copy-after-snapshot");
    const readers = snapshot.connections;
    for (const reader of readers) await reader.query(SOURCE_SESSION);
    const [one] = readers;
    const tasks = one === undefined ? [] : await planCopy(one, this.#state, table, context.estimates, context.limits);
    return { number, readers, tasks, leave: this.#leaver(snapshot) };
  }

  /** Whether the server that is read from has all that the stream's source has, or had a moment ago. */
  async #arrived(): Promise<boolean> {
    const { replica, limits } = this.#context;
    if (replica === undefined || (await replica.arrive(limits.replicaWaitMs))) return true;
    // Before the first snapshot there is nothing that the stream could do meanwhile.
    if (this.#executed.isEmpty) throw replica.behind(limits.replicaWaitMs);
    return false;
  }

  #leaver(snapshot: LockedSnapshot<unknown>): TableSnapshot["leave"] {
    let staying = snapshot.connections.length;
    return (loaded) => {
      const left = async (): Promise<void> => {
        staying -= 1;
        if (staying > 0) return;
        this.#held.delete(snapshot);
        await snapshot.close();
      };
      // What has kept a chunk from being loaded is thrown where its copier waits for it.
      void loaded.then(left, () => undefined);
    };
  }

  #lock(table: CopiedTable): Promise<LockedSnapshot<unknown>> {
    const { source, limits, claim, signal, replica, sourceUuid } = this.#context;
    return openLockedSnapshot({
      endpoint: source,
      table: table.name,
      connections: limits.copyReaders,
      lockWaitMs: limits.snapshotLockWaitMs,
      attempts: limits.snapshotAttempts,
      attributes: readerAttributes(claim),
      signal: AbortSignal.any([signal, this.#cut.signal]),
      ...(replica === undefined ? {} : { serverUuid: sourceUuid }),
      onLocked: async (connection) => {
        // Another server in the source's place is for an operator to accept.
        if (replica === undefined) requireServer("source", sourceUuid, connection.serverUuid);
        await connection.query("SET SESSION sql_mode = ''");
        const now = await showCreate(connection, table.name);
        if (!sameDefinition(now, table.definition)) throw definitionChanged(table.name, "since the stream began");
      },
    });
  }
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
