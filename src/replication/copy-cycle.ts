import type { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { ChunkCopier, type CopyCycle } from "./chunk-copier.ts";
import { clearPartial } from "./clear-partial.ts";
import type { CopyContext } from "./copy-context.ts";
import type { CopyState } from "./copy-state.ts";
import { connectWriter } from "./stream-session.ts";
import { definitionChanged, sameDefinition, showCreate } from "./table-definitions.ts";
import { type TableSnapshot, TableSnapshots } from "./table-snapshots.ts";

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
 * A copier that finds nothing left to read of a table goes on to the next one while others still read the first.
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
  for (const table of state.tables) await clearPartial(context, table);
  const wanted = state.tables.filter((table) => state.gaps(table).length > 0);
  if (wanted.length === 0) return { kind: "copied" };
  const snapshots = new TableSnapshots(context, state, wanted, executed, begin);
  const workers = Array.from({ length: context.limits.copyReaders }, (_, index) => work(context, snapshots, index));
  try {
    await Promise.all(workers);
  } catch (error) {
    // The others must not go on loading while this one is cleaned up after.
    snapshots.cut();
    await Promise.allSettled(workers);
    throw error;
  } finally {
    await snapshots.close();
  }
  if (state.copied) return { kind: "copied" };
  return { kind: snapshots.early ? "early" : "over" };
}

/** One copier: its session on the target, and from each table's snapshot the reader of the same number. */
async function work(context: CopyContext, snapshots: TableSnapshots, index: number): Promise<void> {
  const { claim, target, signal } = context;
  const writer = await connectWriter(target, claim, { localInfile: true, signal });
  const cut = (): void => writer.destroy();
  signal.addEventListener("abort", cut, { once: true });
  try {
    const copier = new ChunkCopier({ ...copyCycle(context), pace: context.pace.worker(signal) }, writer, index + 1);
    for (let number = 0; ; number++) {
      const table = await snapshots.open(number);
      const connection = table?.readers[index];
      if (table === undefined || connection === undefined) break;
      const complete = await copyTasks(context, copier, table, connection);
      table.leave(copier.finish());
      if (!complete) break;
    }
    await copier.finish();
  } finally {
    signal.removeEventListener("abort", cut);
    await writer.close();
  }
}

/** False when the cycle was over before all was read. */
async function copyTasks(
  context: CopyContext,
  copier: ChunkCopier,
  table: TableSnapshot,
  connection: Connection,
): Promise<boolean> {
  const reader = { snapshot: table.number, connection };
  for (let task = table.tasks.shift(); task !== undefined; task = table.tasks.shift()) {
    const ordered = task.table.kinds !== undefined;
    if ((ordered && context.isOver()) || !(await copier.copy(task, reader))) return false;
  }
  return true;
}

function copyCycle(context: CopyContext): Omit<CopyCycle, "pace"> {
  const { claim, limits, packetBytesMax, failpoint, isOver, whilePaused, observer, onRows } = context;
  return {
    claim,
    limits,
    packetBytesMax,
    failpoint,
    isOver,
    whilePaused,
    verifyDefinition: async (table) => {
      const now = await showCreate(observer, table.name);
      if (!sameDefinition(now, table.definition)) throw definitionChanged(table.name, "while it was being copied");
    },
    onRows,
  };
}
