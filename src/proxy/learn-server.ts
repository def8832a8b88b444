import type { LowerCaseTableNames } from "../rules/routing.ts";
import type { BackendConnection } from "./backend-connection.ts";
import { SERVER_UUID } from "./reached-servers.ts";
import type { Session } from "./session.ts";
import type { SessionContext } from "./session-context.ts";
import { type InitialSettings, LEARNED } from "./session-settings.ts";

/** Values of these variables have no blanks in them. One column is described in an eighth of the bytes of eight. */
const BETWEEN = " ";
const LEARN = `SELECT CONCAT_WS('${BETWEEN}', ${SERVER_UUID}, @@lower_case_table_names, ${LEARNED.map((name) => `@@session.${name}`).join(", ")})`;

/** Which server it is, and what of it decides on how texts are read. An account whose password has expired may not ask. */
export async function learnServer(context: SessionContext, session: Session): Promise<void> {
  const connection = session.backends.all[0]?.connection;
  if (connection === undefined) return;
  const answer = await connection.query(LEARN);
  const told = answer.rows[0]?.[0];
  if (told === undefined || told === null) return;
  const [uuid, lowerCase, ...values] = told.split(BETWEEN);
  context.servers.tells(connection, uuid);
  if (lowerCase === "0" || lowerCase === "1" || lowerCase === "2") {
    context.traffic.setLowerCase(Number(lowerCase) as LowerCaseTableNames);
  }
  const initial = Object.fromEntries(LEARNED.map((name, at) => [name, values[at] ?? ""])) as InitialSettings;
  session.state.settings.begin(initial);
  const { collation } = session.applicant.response;
  if (collation > 0xff && !session.state.settings.wasReset) await keepCollation(session, connection, collation);
}

/** A change of user has asked for a collation that no login can ask for: other backends are told its name. */
async function keepCollation(session: Session, connection: BackendConnection, number: number): Promise<void> {
  const columns = "CONCAT(CHARACTER_SET_NAME, ' COLLATE ', COLLATION_NAME)";
  const answer = await connection.query(
    `SELECT ${columns} FROM information_schema.COLLATIONS WHERE ID = ${number} LIMIT 1`,
  );
  const valueText = answer.rows[0]?.[0];
  // A number that the server does not know means its default, as 0 does.
  if (valueText === undefined || valueText === null) return;
  session.state.settings.record({ scope: "names", name: "", valueText, literal: true }, connection.name);
}
