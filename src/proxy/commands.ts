import { COM } from "../wire/capabilities.ts";
import { changeUser } from "./change-user.ts";
import { notSupported } from "./client-errors.ts";
import { runKill } from "./kill-command.ts";
import { closeStatement, execute, fetchRows, prepare, resetStatement, takeLongData } from "./prepared-commands.ts";
import type { Session } from "./session.ts";
import { changeSchema, fieldList, relayPlain, resetConnection, setOption } from "./simple-commands.ts";
import { runQuery } from "./text-command.ts";

/**
 * Has one command of the client's done, up to the end of its reply. Answers false where the session has ended by it.
 * A command that is not known here is refused: nothing is ever relayed that is not understood.
 */
export async function dispatchCommand(session: Session, payload: Buffer): Promise<boolean> {
  switch (payload[0]) {
    case COM.QUIT:
      session.client.endAfterGoodbye();
      return false;
    case COM.QUERY:
      await runQuery(session, payload);
      break;
    case COM.STMT_PREPARE:
      await prepare(session, payload);
      break;
    case COM.STMT_EXECUTE:
      await execute(session, payload);
      break;
    case COM.STMT_SEND_LONG_DATA:
      takeLongData(session, payload);
      break;
    case COM.STMT_CLOSE:
      closeStatement(session, payload);
      break;
    case COM.STMT_RESET:
      await resetStatement(session, payload);
      break;
    case COM.STMT_FETCH:
      await fetchRows(session, payload);
      break;
    case COM.INIT_DB:
      await changeSchema(session, payload);
      break;
    case COM.FIELD_LIST:
      await fieldList(session, payload);
      break;
    case COM.PING:
    case COM.STATISTICS:
      await relayPlain(session, payload);
      break;
    case COM.SET_OPTION:
      await setOption(session, payload);
      break;
    case COM.RESET_CONNECTION:
      await resetConnection(session, payload);
      break;
    case COM.PROCESS_KILL:
      await runKill(session, payload.length >= 5 ? payload.readUInt32LE(1) : 0, "connection", payload);
      break;
    case COM.CHANGE_USER:
      await changeUser(session, payload);
      break;
    default:
      session.refuse("not-built", notSupported(`command ${payload[0]} of the MySQL protocol is not supported`));
  }
  return true;
}
