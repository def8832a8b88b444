import type { LowerCaseTableNames } from "../rules/routing.ts";
import type { Session } from "./session.ts";
import type { SessionContext } from "./session-context.ts";
import { type InitialSettings, LEARNED } from "./session-settings.ts";

const LEARN = `SELECT @@lower_case_table_names, ${LEARNED.map((name) => `@@session.${name}`).join(", ")}`;

/** What of the server decides on how texts are read. An account whose password has expired may not ask. */
export async function learnServer(context: SessionContext, session: Session): Promise<void> {
  const connection = session.backends.all[0]?.connection;
  if (connection === undefined) return;
  const answer = await connection.query(LEARN);
  const [row] = answer.rows;
  if (row === undefined) return;
  const [lowerCase, ...values] = row;
  if (lowerCase === "0" || lowerCase === "1" || lowerCase === "2") {
    context.traffic.setLowerCase(Number(lowerCase) as LowerCaseTableNames);
  }
  const initial = Object.fromEntries(LEARNED.map((name, at) => [name, values[at] ?? ""])) as InitialSettings;
  session.state.settings.begin(initial);
}
