import { messageOf } from "../base/errors.ts";
import { COMMITTING, stateQuery } from "../mysql/kill-connection.ts";
import type { BackendConnection } from "./backend-connection.ts";
import { dialBackend, loginBackend } from "./backend-login.ts";
import type { Applicant } from "./client-login.ts";
import type { SessionContext } from "./session-context.ts";

/**
 * A statement whose client has gone ends by itself within this, or is killed: clients that send a short statement and
 * leave without waiting for its end see no difference to a server.
 */
export const ORPHAN_GRACE_MS = 500;

/**
 * Kills what a connection is executing, by another connection of the same account, which may always do that. Where it
 * cannot be done the statement goes on to its end, as at a server whose client has gone.
 */
export async function killStatement(
  context: SessionContext,
  applicant: Applicant,
  connection: BackendConnection,
): Promise<void> {
  const { backends, limits, log, bootNonce } = context;
  const address = backends[connection.name];
  if (address === undefined) return;
  const work = (async () => {
    const dialed = await dialBackend(address, limits.connectTimeoutMs);
    if ("refused" in dialed) return dialed.refused.message;
    const wishes = { bootNonce, database: undefined, timeoutMs: limits.loginTimeoutMs };
    const login = await loginBackend(dialed, applicant, wishes);
    if ("refused" in login) return login.refused.message;
    // A server that was started anew may have given the id to somebody else.
    if (connection.isLost) {
      await login.connection.quit();
      return "its connection is gone";
    }
    const late = setTimeout(() => login.connection.destroy("the server did not answer a KILL"), limits.loginTimeoutMs);
    const problem = await killUnlessCommitting(login.connection, connection.threadId).finally(() => clearTimeout(late));
    await login.connection.quit();
    return problem;
  })();
  const problem = await work.catch(messageOf);
  const fields = { backend: connection.name, thread: connection.threadId };
  if (problem === undefined) log.info(fields, "a statement was killed whose client had gone");
  else log.warn({ ...fields, problem }, "a statement whose client has gone could not be killed");
}

/** A commit is left alone as by `killConnection`: a client that has given up must not end the server for everybody. */
async function killUnlessCommitting(by: BackendConnection, threadId: number): Promise<string | undefined> {
  const { rows } = await by.query(stateQuery(threadId));
  if (rows[0]?.[0] === COMMITTING) return "its commit is being written";
  return (await by.query(`KILL QUERY ${threadId}`)).error?.message;
}
