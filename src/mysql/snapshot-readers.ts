import { ANSWER_QUIET_MS } from "./answer-watch.ts";
import { Connection, type ConnectOptions } from "./connection.ts";
import type { Endpoint } from "./endpoint.ts";

const TIMEOUT_SECONDS = 86_400;

/** Read views need REPEATABLE READ; a reader may be slow for long, and values are read the same way everywhere. */
const SESSION = `SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ;
  SET SESSION time_zone = '+00:00', sql_mode = '', max_execution_time = 0, net_write_timeout = ${TIMEOUT_SECONDS},
  net_read_timeout = ${TIMEOUT_SECONDS}, wait_timeout = ${TIMEOUT_SECONDS}`;

/** Opens a read view on a connection of {@link connectReaders}. */
export const OPEN_READ_VIEW = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/**
 * Connects `count` sessions that are ready to open a read view. Either all come up, or none stays. Those that have come
 * up are put into `opened` as they do, so that the caller can cut them while others are still on their way.
 */
export async function connectReaders(
  endpoint: Endpoint,
  count: number,
  options: ConnectOptions,
  opened: Connection[] = [],
): Promise<Connection[]> {
  const attempts = Array.from({ length: count }, async () => {
    const connection = await Connection.connect(endpoint, {
      ...options,
      multiStatements: true,
      answerQuietMs: ANSWER_QUIET_MS,
    });
    opened.push(connection);
    await connection.queryMulti(SESSION);
    return connection;
  });
  const outcomes = await Promise.allSettled(attempts);
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed === undefined) return Promise.all(attempts);
  for (const connection of opened) connection.destroy();
  throw failed.reason;
}
