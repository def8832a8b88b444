import { type Deadline, deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import { quoteText, type TableName, tableKey } from "../base/table-name.ts";
import { killConnection } from "../mysql/kill-connection.ts";
import { type LockingSession, lockStatement } from "./bounded-lock.ts";
import type { RowSource } from "./home-queries.ts";
import { endHolder, type TakeLockOver } from "./migration-lock.ts";
import { endWaitingDdl, killQueries, readWaitingDdl, type WaitingDdl } from "./waiting-ddl.ts";

/** A session for one table's place in the queue. */
export interface QueueSession extends LockingSession {
  close(): Promise<void>;
  destroy(): void;
}

export interface TakeTablesOver extends TakeLockOver {
  readonly session: LockingSession;
  readonly helper: RowSource;
  readonly tables: readonly TableName[];
  /** Opens another session with a long `lock_wait_timeout`. */
  readonly openQueueSession: () => Promise<QueueSession>;
  readonly timeoutMs: number;
  /** Until it aborts, whoever has a table is waited for once the holder is gone, for longer than that. */
  readonly patience: AbortSignal | undefined;
  /** Told of definition statements that were ended: they stood in the queue before us. */
  readonly ddlEnded?: ((ended: readonly WaitingDdl[]) => void) | undefined;
}

const POLL_MS = 5;
/** Where it takes longer than {@link TakeTablesOver.timeoutMs}. The session must not idle for so long that the server ends it. */
const PATIENT_POLL_MS = 100;

/**
 * Locks the tables in `session` while the session that has them locked now is KILLed, with no moment in between at
 * which a table is free.
 *
 * A session asks for its table locks one by one. If it queued for all of them alone, only the first would be queued
 * for when the holder goes, and writers that wait for the others would come first there. So one session queues for
 * each table: when the holder is KILLed each table passes to its queue session, which is served before writers. Then
 * the session itself asks for all, and each queue session goes only once the request for its table is pending.
 *
 * @throws {SwitchyardError} `CUTOVER_FENCE_BLOCKED` when somebody else keeps a table; nothing is locked by us then. With
 *   `patience` only where the queues do not come about.
 */
export async function takeTablesOver(work: TakeTablesOver): Promise<void> {
  const deadline = deadlineIn(work.clock, work.timeoutMs);
  const queue = new Map<string, QueueSession>();
  const pending: Promise<unknown>[] = [];
  try {
    for (const table of work.tables) {
      const place = await work.openQueueSession();
      queue.set(tableKey(table), place);
      pending.push(place.rows(lockStatement([table], "write")).catch((error: unknown) => error));
    }
    await waitFor(work, deadline, async () => (await places(work, queue)).size === queue.size);
    await endDdlBefore(work, deadline);
    await endHolder(work.helper, work);
    const granted = async (): Promise<boolean> => {
      const states = await places(work, queue);
      return [...queue.keys()].every((table) => states.get(table) === "GRANTED");
    };
    if (work.patience === undefined) await waitFor(work, deadline, granted);
    else await waitPatiently(work, work.patience, deadline, granted);
    await passOn(work, queue, work.patience === undefined ? deadline : deadlineIn(work.clock, work.timeoutMs));
  } finally {
    for (const place of queue.values()) place.destroy();
    await Promise.all(pending);
  }
}

/**
 * A definition statement that has waited for longer than we would have the table next, and one asks for less at first than what keeps
 * others out, so that it may pass even later.
 */
async function endDdlBefore(work: TakeTablesOver, deadline: Deadline): Promise<void> {
  const { ended } = await endWaitingDdl({
    look: () => readWaitingDdl(work.helper, work.tables),
    interrupt: async (ids) => {
      await work.stillOurs?.();
      await killQueries(work.helper, ids);
    },
    clock: work.clock,
    timeoutMs: deadline.leftMs(),
  });
  if (ended.length > 0) work.ddlEnded?.(ended);
}

/** Hands the tables from the queue sessions to the session, each when the session waits for it. */
async function passOn(work: TakeTablesOver, queue: Map<string, QueueSession>, deadline: Deadline): Promise<void> {
  let locked: boolean | undefined;
  let failure: unknown;
  const lock = work.session.rows(lockStatement(work.tables, "write")).then(
    () => {
      locked = true;
    },
    (error: unknown) => {
      locked = false;
      failure = error;
    },
  );
  const passed = new Set<string>();
  while (locked === undefined) {
    for (const table of await pendingTables(work)) {
      const place = queue.get(table);
      if (place === undefined || passed.has(table)) continue;
      passed.add(table);
      await killConnection(work.helper, String(place.threadId));
    }
    if (deadline.passed) await killConnection(work.helper, String(work.session.threadId));
    await Promise.race([lock, work.clock.sleep(POLL_MS)]);
  }
  if (!locked) throw failure;
}

/** For each queue session that waits or has its table: which of the two. */
async function places(
  work: TakeTablesOver,
  queue: ReadonlyMap<string, QueueSession>,
): Promise<ReadonlyMap<string, string>> {
  const ids = [...queue.values()].map((place) => place.threadId);
  const rows = await lockRows(work, ids);
  const states = new Map<string, string>();
  for (const row of rows) {
    const table = tableKey({ schema: row["db"] ?? "", table: row["name"] ?? "" });
    if (String(queue.get(table)?.threadId) === row["id"]) states.set(table, row["status"] ?? "");
  }
  return states;
}

async function pendingTables(work: TakeTablesOver): Promise<readonly string[]> {
  const rows = await lockRows(work, [work.session.threadId]);
  return rows
    .filter((row) => row["status"] === "PENDING")
    .map((row) => tableKey({ schema: row["db"] ?? "", table: row["name"] ?? "" }));
}

function lockRows(work: TakeTablesOver, ids: readonly number[]): Promise<Readonly<Record<string, string | null>>[]> {
  const names = work.tables.map((name) => `(${quoteText(name.schema)}, ${quoteText(name.table)})`).join(", ");
  return work.helper.rows(
    "SELECT m.OBJECT_SCHEMA db, m.OBJECT_NAME name, m.LOCK_STATUS status, t.PROCESSLIST_ID id " +
      "FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID " +
      "WHERE m.OBJECT_TYPE = 'TABLE' AND m.LOCK_TYPE = 'SHARED_NO_READ_WRITE' " +
      `AND (m.OBJECT_SCHEMA, m.OBJECT_NAME) IN (${names}) AND t.PROCESSLIST_ID IN (${ids.join(", ")})`,
  );
}

async function waitFor(work: TakeTablesOver, deadline: Deadline, there: () => Promise<boolean>): Promise<void> {
  while (!(await there())) {
    if (deadline.passed) {
      throw new SwitchyardError("CUTOVER_FENCE_BLOCKED", {
        what: `the tables on ${work.server} could not be locked again within ${work.timeoutMs} ms`,
        fix: "End the transactions that hold them; `performance_schema.metadata_locks` on that server names them.",
      });
    }
    await work.clock.sleep(POLL_MS);
  }
}

/** No new reader and no writer passes those who queue; the readers that are left may take hours. */
async function waitPatiently(
  work: TakeTablesOver,
  patience: AbortSignal,
  deadline: Deadline,
  there: () => Promise<boolean>,
): Promise<void> {
  while (!(await there())) {
    if (deadline.passed) await work.session.rows("SELECT 1");
    await work.clock.sleep(deadline.passed ? PATIENT_POLL_MS : POLL_MS, patience);
  }
}
