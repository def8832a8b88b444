import { SwitchyardError } from "../base/errors.ts";
import type { Connection } from "../mysql/connection.ts";

/** The error for rows that the target did not take as they were; reads the warnings of the statement just run. */
export async function refusedRows(
  connection: Connection,
  table: string,
  outcome: { readonly sent: number; readonly affectedRows: number; readonly warnings: number },
): Promise<SwitchyardError> {
  const warnings = await connection.rows("SHOW WARNINGS LIMIT 5");
  return new SwitchyardError("REPLICATION_ROW_REFUSED", {
    what: `the target did not take rows of ${table} as they were sent`,
    details: [
      `rows      ${outcome.sent} sent, ${outcome.affectedRows} taken`,
      `warnings  ${outcome.warnings}`,
      ...warnings.map((row) => `${row["Code"]}  ${row["Message"]}`),
    ],
    changed: "The transaction was rolled back on the target; the source is untouched.",
    fix: "Compare the table's definition on both sides, and look for values that it does not allow.",
  });
}
