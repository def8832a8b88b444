import type { Clock } from "../base/clock.ts";
import { quoteTable, type TableName } from "../base/table-name.ts";
import { killConnection, stateQuery } from "../mysql/kill-connection.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import type { RowSource } from "./home-queries.ts";

/** A session that can be locked in, with the id by which another can interrupt it. */
export interface LockingSession extends RowSource {
  readonly threadId: number;
}

const COMMIT_LOOK_MS = 20;
const WAIT_LOOK_MS = 2;
/** The server's words for a statement that others keep. */
const KEPT = /^Waiting for .*(lock|flush)$/;

/** `LOCK TABLES` on all tables. */
export function lockStatement(tables: readonly TableName[], mode: "write" | "read"): string {
  return `LOCK TABLES ${tables.map((table) => `${quoteTable(table)} ${mode.toUpperCase()}`).join(", ")}`;
}

/**
 * Sends a statement that waits for metadata locks, such as LOCK TABLES, and takes it back by KILL QUERY from `helper`
 * when it is not done within `pendingMs`: the server's own limit knows whole seconds only, and while the statement is
 * pending every new one on the tables waits behind it.
 *
 * @param bound `waits`: the time is for waiting alone. What has its locks, and is slow because the disk is, goes on.
 * @returns whether it was carried out. If not, nothing is pending, and nothing locked, any more.
 */
export async function runBounded(
  session: LockingSession,
  helper: RowSource,
  clock: Clock,
  statement: string,
  { pendingMs, bound = "all" }: { readonly pendingMs: number; readonly bound?: "all" | "waits" },
): Promise<boolean> {
  const answered = new AbortController();
  let interrupted = false;
  const interrupting = clock.sleep(pendingMs, answered.signal).then(
    async () => {
      if (bound === "waits" && !(await isSeenWaiting(session, helper, clock, answered.signal))) return;
      interrupted = true;
      // What is being written into the log waits for no lock any more.
      while (!answered.signal.aborted && !(await killConnection(helper, String(session.threadId), "QUERY"))) {
        await clock.sleep(COMMIT_LOOK_MS);
      }
    },
    () => undefined,
  );
  // The helper may be lost while the statement still waits: told once that has ended.
  interrupting.catch(() => undefined);
  try {
    await session.rows(statement);
  } catch (error) {
    answered.abort();
    await interrupting;
    if (!isMysqlError(error, ERRNO.QUERY_INTERRUPTED, ERRNO.LOCK_WAIT_TIMEOUT, ERRNO.DEADLOCK)) throw error;
    if (interrupted) await absorbInterrupt(session);
    return false;
  }
  answered.abort();
  await interrupting;
  // The KILL may have come just after the grant; it takes no lock away, but could end the next statement.
  if (interrupted) await absorbInterrupt(session);
  return true;
}

/** Looks until it is, or has been answered. One of a server that does not show it may be: such are of before 8.0.22. */
async function isSeenWaiting(
  { threadId }: LockingSession,
  helper: RowSource,
  clock: Clock,
  answered: AbortSignal,
): Promise<boolean> {
  while (!answered.aborted) {
    const shown = await helper.rows(stateQuery(threadId)).catch(() => undefined);
    if (shown === undefined || KEPT.test(shown[0]?.["state"] ?? "")) return true;
    await clock.sleep(WAIT_LOOK_MS);
  }
  return false;
}

async function absorbInterrupt(session: RowSource): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    try {
      await session.rows("SELECT 1");
      return;
    } catch (error) {
      if (!isMysqlError(error, ERRNO.QUERY_INTERRUPTED)) throw error;
    }
  }
}
