import type { Clock } from "../base/clock.ts";
import { deadlineIn } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";
import { quoteText } from "../base/table-name.ts";
import { killConnection } from "../mysql/kill-connection.ts";
import { commitsStandStill } from "../mysql/standstill.ts";
import type { RowSource } from "./home-queries.ts";
import type { OpenSession } from "./ports.ts";

/** A server lets a session's locks go a moment after it has closed its connection. */
export const LOCK_WAIT_SECONDS = 2;
const TAKE_OVER_TIMEOUT_MS = 15_000;
const POLL_MS = 10;

/** The name of the user-level lock that the migration's one session on a server holds. */
export function lockName(migration: string): string {
  return `switchyard:${migration}`;
}

/** The connection that holds the migration's lock, if any. */
export async function lockHolder(source: RowSource, migration: string): Promise<string | undefined> {
  const [row] = await source.rows(`SELECT IS_USED_LOCK(${quoteText(lockName(migration))}) id`);
  return row?.["id"] ?? undefined;
}

/**
 * Takes the migration's lock in this session, if nobody holds it.
 *
 * @throws {SwitchyardError} `CUTOVER_SESSION_HELD`
 */
export async function takeFreeLock(source: RowSource, migration: string, server: string): Promise<void> {
  if (await tryLock(source, migration, LOCK_WAIT_SECONDS)) return;
  const holder = await lockHolder(source, migration);
  const standstill = await commitsStandStill(source).catch(() => undefined);
  throw new SwitchyardError("CUTOVER_SESSION_HELD", {
    what: `another session works on migration "${migration}" on ${server}`,
    details: [
      `connection ${holder ?? "that has just ended"} holds the lock ${lockName(migration)}`,
      ...(standstill === undefined ? [] : [`on ${server}: ${standstill}`]),
    ],
    changed: "Nothing was changed on this server.",
    fix: "Another controller is at work, or has ended without closing; the leading one takes its lock over.",
  });
}

/** How the migration's lock is taken over from whoever holds it. */
export interface TakeLockOver {
  readonly migration: string;
  /** For messages. */
  readonly server: string;
  readonly clock: Clock;
  /** See {@link OpenSession.stillOurs}. */
  readonly stillOurs: OpenSession["stillOurs"] | undefined;
}

/**
 * Takes the migration's lock in this session; whoever holds it is KILLed first.
 *
 * @throws {SwitchyardError} `CUTOVER_SESSION_HELD` when the holder does not go; what `stillOurs` throws.
 */
export async function takeLockOver(source: RowSource, order: TakeLockOver): Promise<void> {
  const { migration, server, clock } = order;
  const deadline = deadlineIn(clock, TAKE_OVER_TIMEOUT_MS);
  while (!(await tryLock(source, migration))) {
    if (deadline.passed) return await takeFreeLock(source, migration, server);
    await endHolder(source, order);
    await clock.sleep(POLL_MS);
  }
}

/** KILLs the session that holds the lock. Who that is, is asked first: one that comes later is left alone. */
export async function endHolder(source: RowSource, { migration, stillOurs }: TakeLockOver): Promise<void> {
  const holder = await lockHolder(source, migration);
  if (holder === undefined) return;
  await stillOurs?.();
  await killConnection(source, holder);
}

async function tryLock(source: RowSource, migration: string, waitSeconds = 0): Promise<boolean> {
  const [row] = await source.rows(`SELECT GET_LOCK(${quoteText(lockName(migration))}, ${waitSeconds}) got`);
  return row?.["got"] === "1";
}
