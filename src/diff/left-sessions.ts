import { randomUUID } from "node:crypto";
import { messageOf } from "../base/errors.ts";
import { quoteText } from "../base/table-name.ts";
import { Connection } from "../mysql/connection.ts";
import type { Endpoint } from "../mysql/endpoint.ts";
import { killConnection } from "../mysql/kill-connection.ts";
import { DIFF_MARK, type DiffOptions } from "./diff-options.ts";

const CONNECT_TIMEOUT_MS = 3000;
/** A session lets its locks go a moment after it was KILLed. */
const GONE_WAIT_MS = 2000;
const POLL_MS = 10;

/** Options of one diff, repair or round whose sessions can be told from all others on the servers. */
export function marked<T extends DiffOptions>(options: T): T {
  return options.mark === undefined ? { ...options, mark: randomUUID() } : options;
}

/** Runs `work` with these options; where it fails or is given up, ends what it has left on the servers. */
export async function orEndSessions<T>(options: DiffOptions, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { home, readHomeFrom = home, other } = options;
    await Promise.all([...new Set([home, readHomeFrom, other])].map((endpoint) => endLeftSessions(options, endpoint)));
    throw error;
  }
}

/**
 * Ends what is left on a server of a diff that was given up: of a session whose connection was cut, or ended in the middle of
 * a statement, the server may not know for hours, and keeps its metadata locks, which a switch would wait for.
 *
 * Sessions are found by their mark and KILLed by id; they are the own account's, for which no privilege is needed. Returns
 * once they are gone, or after some seconds. Never throws: a server that cannot be reached keeps them until a switch begins.
 */
async function endLeftSessions({ mark = "", log, clock }: DiffOptions, endpoint: Endpoint): Promise<void> {
  try {
    const connection = await Connection.connect(endpoint, { connectTimeoutMs: CONNECT_TIMEOUT_MS });
    try {
      const untilMs = clock.monotonicMs() + GONE_WAIT_MS;
      while ((await killMarked(connection, mark)) > 0 && clock.monotonicMs() < untilMs) await clock.sleep(POLL_MS);
    } finally {
      await connection.close();
    }
  } catch (error) {
    log.warn({ server: endpoint.name, error: messageOf(error) }, "sessions of a diff that was given up may be left");
  }
}

/** @returns how many there were */
async function killMarked(connection: Connection, mark: string): Promise<number> {
  const rows = await connection.rows(
    "SELECT PROCESSLIST_ID id FROM performance_schema.session_account_connect_attrs " +
      `WHERE ATTR_NAME = '${DIFF_MARK}' AND ATTR_VALUE = ${quoteText(mark)}`,
  );
  for (const { id } of rows) {
    await killConnection(connection, id ?? "");
  }
  return rows.length;
}
