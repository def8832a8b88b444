import type { Clock } from "../base/clock.ts";
import { endsWithin } from "../base/deadline.ts";
import { SwitchyardError } from "../base/errors.ts";

/** A session that has not answered for so long counts as lost, whatever its connection looks like. */
const ANSWER_MS = 1000;

/** For a look at what keeps a server, to be named in a message while clients wait: without an answer it is left out. */
export const LOOK_WHILE_HELD_MS = 60;

/**
 * Waits for what a session on `server` is to answer, for {@link ANSWER_MS}: where the network has dropped its flow, the
 * connection stands and nothing ever comes. The work goes on, and what it ends with later is nobody's.
 *
 * @throws {SwitchyardError} `CUTOVER_SESSION_LOST`, and what the work throws
 */
export async function answerInTime<T>(clock: Clock, server: string, work: Promise<T>): Promise<T> {
  if (await endsWithin(clock, work, ANSWER_MS)) return await work;
  throw new SwitchyardError("CUTOVER_SESSION_LOST", {
    what: `the migration's session on "${server}" has not answered for ${ANSWER_MS} ms`,
  });
}
