import { quoteText } from "../base/table-name.ts";
import { MIGRATION_ATTRIBUTE, ROLE_ATTRIBUTE } from "../mysql/connect-attributes.ts";
import { killConnection } from "../mysql/kill-connection.ts";
import type { RowSource } from "./home-queries.ts";

/** KILLs what is left on a server of the migration's diffs: sessions of our own account, for which no privilege is needed. */
export async function endLeftDiffs(source: RowSource, migration: string, ownUser: string): Promise<void> {
  const attributes = "performance_schema.session_connect_attrs";
  const rows = await source.rows(
    `SELECT t.PROCESSLIST_ID id, t.PROCESSLIST_USER user FROM ${attributes} r JOIN ${attributes} m USING (PROCESSLIST_ID) ` +
      "JOIN performance_schema.threads t USING (PROCESSLIST_ID) " +
      `WHERE r.ATTR_NAME = '${ROLE_ATTRIBUTE}' AND r.ATTR_VALUE = 'diff' ` +
      `AND m.ATTR_NAME = '${MIGRATION_ATTRIBUTE}' AND m.ATTR_VALUE = ${quoteText(migration)}`,
  );
  // Compared here: to the server a name in other letters may be equal.
  for (const { id, user } of rows) if (user === ownUser) await killConnection(source, id ?? "");
}
