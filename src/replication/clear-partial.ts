import { quoteTable, quoteText } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { CopiedTable } from "./copy-state.ts";
import { epochUpdate, type LedgerClaim, ledgerTaken } from "./ledger.ts";
import { SIDECAR } from "./sidecar.ts";

const ROWS_AT_ONCE = 10_000;

/**
 * Removes what an interrupted copy has left of a table that counts only as a whole: its rows are of a snapshot that
 * is gone, and nobody knows between which keys it stopped. Does nothing for other tables.
 */
export async function clearPartial(connection: Connection, claim: LedgerClaim, table: CopiedTable): Promise<void> {
  const partial = table.chunks.filter((chunk) => !chunk.complete);
  if (partial.length === 0) return;
  const forget =
    `DELETE FROM ${SIDECAR.chunk} WHERE migration = ${quoteText(claim.migration)} ` +
    `AND table_key = ${quoteText(table.key)} AND complete = 0`;
  for (;;) {
    // Chunks of tables with key order are complete from their first commit on; one that is not was never committed.
    const remove = `DELETE FROM ${quoteTable(table.name)} LIMIT ${ROWS_AT_ONCE}`;
    const statements = table.kinds === undefined ? [remove] : [forget];
    const results = await connection.queryMulti(["BEGIN", epochUpdate(claim, 0), ...statements].join("; "));
    if (results[1]?.affectedRows !== 1) {
      await connection.query("ROLLBACK");
      throw ledgerTaken(claim);
    }
    const done = table.kinds !== undefined || (results[2]?.affectedRows ?? 0) < ROWS_AT_ONCE;
    if (done) await connection.query(forget);
    await connection.query("COMMIT");
    if (done) break;
  }
  table.chunks.splice(0, table.chunks.length, ...table.chunks.filter((chunk) => chunk.complete));
}
