import { COM } from "../wire/capabilities.ts";
import type { ErrPacket } from "../wire/err-packet.ts";
import type { Session } from "./session.ts";

const PARSE_ERROR = 1064;
const EMPTY_QUERY = 1065;
/** Texts of more bytes are refused without a look at what their server makes of them. */
const TEXT_BYTES_MAX = 64 * 1024;

/**
 * The error with which a server answers a text that is no SQL. Asks by preparing it, which executes nothing, at a backend
 * that knows the session's state. Undefined where the text may well be a statement, or nobody can be asked in this turn;
 * not asked during a hold, since a statement that is none after all would wait for the locks of the switch.
 *
 * @throws {SwitchyardError} `PROXY_BACKEND_LOST`
 */
export async function syntaxErrorOf(session: Session, text: Buffer): Promise<ErrPacket | undefined> {
  const { state, backends, context } = session;
  if (text.length > TEXT_BYTES_MAX || context.traffic.holds.size > 0) return undefined;
  const backend = backends.get(state.transaction.backend ?? state.lastBackend);
  if (backend === undefined || !backend.connection.isFree) return undefined;
  if (backends.isBehind(backend, session.shared())) return undefined;
  const { connection } = backend;
  const { error, prepared } = await connection.own(Buffer.concat([Buffer.from([COM.STMT_PREPARE]), text]));
  if (prepared !== undefined) {
    const close = Buffer.alloc(5, COM.STMT_CLOSE);
    close.writeUInt32LE(prepared.statementId, 1);
    connection.silent(close);
  }
  return error?.errno === PARSE_ERROR || error?.errno === EMPTY_QUERY ? error : undefined;
}
