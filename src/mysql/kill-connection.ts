import { ERRNO, isMysqlError } from "./mysql-error.ts";

/** What KILLs are sent on. */
export interface KillingSession {
  rows(sql: string): Promise<readonly Readonly<Record<string, string | null>>[]>;
}

/** The server's word for a session whose commit it is writing. */
export const COMMITTING = "waiting for handler commit";

/** Asks for the state of a session; an account sees its own without a privilege. */
export function stateQuery(connectionId: string | number): string {
  return `SELECT STATE AS state FROM performance_schema.processlist WHERE ID = ${connectionId}`;
}

/**
 * KILLs a connection, or its statement alone, unless the server is writing its commit: then nothing is done, and whoever
 * needs it gone asks again. One that is gone is as wanted.
 *
 * A commit ends by itself, and is done whole whether or not it was to be KILLed. But where the disk of the binary log is
 * full, the server waits for room within a commit, and a KILL has it give up: the log cannot be written then, for which the
 * server stops itself (`binlog_error_action=ABORT_SERVER`, the default), with everybody on it.
 *
 * @returns whether it was KILLed, or is gone
 */
export async function killConnection(
  session: KillingSession,
  id: string,
  what: "CONNECTION" | "QUERY" = "CONNECTION",
): Promise<boolean> {
  if (!/^\d+$/.test(id)) return true;
  // A server that cannot tell is one of before 8.0.22, or has no performance schema.
  const [found] = await session.rows(stateQuery(id)).catch(() => []);
  if (found?.["state"] === COMMITTING) return false;
  try {
    await session.rows(`KILL ${what} ${id}`);
  } catch (error) {
    if (!isMysqlError(error, ERRNO.NO_SUCH_THREAD)) throw error;
  }
  return true;
}
