import { COMMITTING, type KillingSession } from "./kill-connection.ts";

/** Waits of this age are no matter of a slow disk. */
const STANDS_STILL_SECONDS = 5;

/** The server's error for a disk that is full; it says so again every ten minutes for as long as it waits. */
const DISK_FULL = "MY-000035";
const SAID_AGAIN_MINUTES = 11;

/**
 * What keeps every commit of a server waiting, in words: as a rule a disk of the binary log that is full, which its error log
 * names. No error is given to whoever commits then, and no session can be named that would have to end. Undefined where commits go through.
 * Only looks; needs SELECT on the performance schema.
 */
export async function commitsStandStill(session: KillingSession): Promise<string | undefined> {
  // A thread of the server itself bears the word since it was started.
  const [row] = await session.rows(
    "SELECT COUNT(*) AS sessions, MAX(PROCESSLIST_TIME) AS seconds FROM performance_schema.threads " +
      `WHERE PROCESSLIST_STATE = '${COMMITTING}' AND PROCESSLIST_TIME >= 1 AND PROCESSLIST_COMMAND <> 'Daemon'`,
  );
  const seconds = Number(row?.["seconds"] ?? 0);
  if (seconds < 1) return undefined;
  // Servers of before 8.0.22 do not show their error log.
  const [said] = await session
    .rows(
      "SELECT DATA AS data FROM performance_schema.error_log " +
        `WHERE ERROR_CODE = '${DISK_FULL}' AND LOGGED > NOW(6) - INTERVAL ${SAID_AGAIN_MINUTES} MINUTE ORDER BY LOGGED DESC LIMIT 1`,
    )
    .catch(() => []);
  const full = /^Disk is full[^()]*\([^)]*\)/.exec(said?.["data"] ?? "")?.[0];
  if (full === undefined && seconds < STANDS_STILL_SECONDS) return undefined;
  const count = Number(row?.["sessions"]);
  const waits = `${count} ${count === 1 ? "commit has" : "commits have"} stood still for ${seconds} s`;
  return full === undefined ? waits : `${waits}: ${full}`;
}
