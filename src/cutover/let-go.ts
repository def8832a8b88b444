import { messageOf } from "../base/errors.ts";
import type { Attempt } from "./attempt.ts";
import { readMigration } from "./journal.ts";
import type { HomeSession } from "./ports.ts";

const LOOK_MS = 1000;

/** Closes what the attempt had opened to look and to act. */
export async function closeSessions(attempt: Attempt): Promise<void> {
  await Promise.all([closeWatches(attempt), ...takeSessions(attempt).map(closeQuietly)]);
}

/**
 * Leaves the attempt to whoever runs the migration next: its sessions keep their locks for as long as the journal names the
 * attempt, so that these pass to the successor without a gap; and are closed once it names it no more.
 *
 * A successor KILLs whoever holds the lock of the migration's session. But one that was taken after that, by a controller
 * that was stopped and woke too late, nobody looks for: its own process has to let go of it. It looks whether or not it
 * is to stop, for as long as it lives. Never rejects.
 */
export async function leaveSessions(attempt: Attempt): Promise<void> {
  const { ports, ends, token } = attempt;
  const sessions = takeSessions(attempt);
  await closeWatches(attempt);
  if (sessions.length > 0) void letGoOnceOver(ports, { migration: ends.migration, token, sessions });
}

interface Left {
  readonly migration: string;
  readonly token: string;
  readonly sessions: readonly HomeSession[];
}

async function letGoOnceOver({ store, clock, log }: Attempt["ports"], left: Left): Promise<void> {
  const { migration, token, sessions } = left;
  while (sessions.some((session) => !session.lost.aborted)) {
    try {
      const { document } = await readMigration(store, migration);
      if (document.attempt?.token !== token) break;
    } catch (error) {
      log.debug({ migration, error: messageOf(error) }, "the journal cannot be read; sessions keep their locks");
    }
    await clock.sleep(LOOK_MS).catch(() => undefined);
  }
  await Promise.all(sessions.map(closeQuietly));
}

function takeSessions(attempt: Attempt): readonly HomeSession[] {
  const { oldSession, newSession } = attempt;
  const sessions = [...attempt.leftSessions, oldSession, newSession].filter((one) => one !== undefined);
  attempt.leftSessions.length = 0;
  attempt.oldSession = undefined;
  attempt.newSession = undefined;
  return sessions;
}

async function closeWatches(attempt: Attempt): Promise<void> {
  const { proxies, newWatch, oldWatch } = attempt;
  attempt.proxies = undefined;
  attempt.newWatch = undefined;
  attempt.oldWatch = undefined;
  await Promise.all([proxies, newWatch, oldWatch].filter((one) => one !== undefined).map(closeQuietly));
}

async function closeQuietly(one: { readonly close: () => Promise<void> }): Promise<void> {
  await one.close().catch(() => undefined);
}
