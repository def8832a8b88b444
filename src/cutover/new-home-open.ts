import { SwitchyardError } from "../base/errors.ts";
import { type Attempt, newSession } from "./attempt.ts";

/**
 * Makes sure that clients could write to the new home. The gate has seen that they could, and our own account may write
 * there in spite of `read_only`: a switch could go through, and every write of a client fail after it.
 *
 * @throws {SwitchyardError} `CUTOVER_NEW_HOME_CLOSED`
 */
export async function requireNewHomeOpen(attempt: Attempt): Promise<void> {
  const closed = await newSession(attempt).closedBy();
  if (closed.length === 0) return;
  const { newHome } = attempt.ends;
  throw new SwitchyardError("CUTOVER_NEW_HOME_CLOSED", {
    what: `${newHome} has been closed to clients since the gate looked: ${closed.join(" and ")} ${closed.length === 1 ? "is" : "are"} ON`,
    fix: `Find out who has closed it and why. ${closed.map((name) => `SET GLOBAL ${name} = OFF;`).join(" ")} opens it; then try again.`,
  });
}
