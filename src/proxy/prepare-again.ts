import type { ErrPacket } from "../wire/err-packet.ts";
import { preparedOtherwise } from "./client-errors.ts";
import { isSpeltOtherwise, type KeptText, meansOtherwise } from "./prepared-reading.ts";
import type { Session } from "./session.ts";
import type { SessionBackend } from "./session-backends.ts";

/**
 * Prepares a text anew at a backend, as what it was when the client prepared it: under the `sql_mode` of that time, where it
 * would be another statement under the session's present one. That is in force again when this ends.
 *
 * @param prepare sends the text; every backslash and quote around it is read by `kept.reading.parsedBy`
 * @returns why it cannot be: its bytes mean something else in the present character set, or what the backend says
 */
export async function prepareAsBefore(
  session: Session,
  backend: SessionBackend,
  kept: KeptText,
  prepare: () => Promise<ErrPacket | undefined>,
): Promise<ErrPacket | undefined> {
  const { text, reading } = kept;
  const now = session.state.settings.reading;
  if (isSpeltOtherwise(text, reading, now)) return preparedOtherwise(backend.name);
  // What quotes the text in PREPARE is read by the mode, too.
  if (!meansOtherwise(text, reading, now) && reading.parsedBy.noBackslashEscapes === now.parsedBy.noBackslashEscapes) {
    return await prepare();
  }
  const refused = await setMode(backend, reading.sqlMode);
  if (refused !== undefined) return refused;
  const answer = await prepare();
  const stuck = await setMode(backend, now.sqlMode);
  // Whatever came next would be read otherwise than the client means it.
  if (stuck !== undefined) backend.connection.destroy("its sql_mode could not be set");
  return answer ?? stuck;
}

/** Its value is names and commas, whatever the client wrote. */
async function setMode(backend: SessionBackend, sqlMode: string): Promise<ErrPacket | undefined> {
  const { error } = await backend.connection.query(`SET SESSION sql_mode = '${sqlMode.replaceAll(/[^\w,]/g, "")}'`);
  return error;
}
