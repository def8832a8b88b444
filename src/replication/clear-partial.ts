import { SwitchyardError } from "../base/errors.ts";
import { quoteTable, quoteText } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { rowKey } from "../table/row-key.ts";
import type { CopyContext } from "./copy-context.ts";
import type { CopiedTable } from "./copy-state.ts";
import { epochUpdate, type LedgerClaim, ledgerTaken } from "./ledger.ts";
import { SIDECAR } from "./sidecar.ts";

const ROWS_AT_ONCE = 10_000;

/**
 * Removes what an interrupted copy has left of a table that counts only as a whole: its rows are of a snapshot that
 * is gone, and nobody knows between which keys it stopped. Does nothing for other tables.
 *
 * Such a table has one chunk, whose number says how often its copy has begun: the rows go, and the chunk stays, without
 * rows and under the next number. One that has begun as often as it may is forgotten, so that whoever resumes the stream
 * gets as many beginnings again.
 *
 * @throws {SwitchyardError} `REPLICATION_COPY_INTERRUPTED` where it may not begin again
 */
export async function clearPartial(
  { control, claim, limits, onAgain }: Pick<CopyContext, "control" | "claim" | "limits" | "onAgain">,
  table: CopiedTable,
): Promise<void> {
  const partial = table.chunks.find((chunk) => !chunk.complete);
  if (partial === undefined) return;
  if (table.kinds !== undefined) {
    // Chunks of tables with key order are complete from their first commit on; one that is not was never committed.
    await inTransaction(control, claim, `DELETE FROM ${SIDECAR.chunk} ${chunkOf(claim, table)} AND complete = 0`);
    table.chunks.splice(0, table.chunks.length, ...table.chunks.filter((chunk) => chunk.complete));
    return;
  }
  if (partial.rows === 0) return;
  const begun = partial.chunk;
  const last = begun >= limits.wholeBeginningsMax;
  const again = { ...partial, chunk: begun + 1, rows: 0 };
  const record = last
    ? `DELETE FROM ${SIDECAR.chunk} ${chunkOf(claim, table)}`
    : `UPDATE ${SIDECAR.chunk} SET chunk = ${again.chunk}, row_count = 0 ${chunkOf(claim, table)}`;
  const remove = `DELETE FROM ${quoteTable(table.name)} LIMIT ${ROWS_AT_ONCE}`;
  while ((await inTransaction(control, claim, remove)) >= ROWS_AT_ONCE);
  await inTransaction(control, claim, record);
  table.chunks.splice(0, table.chunks.length, ...(last ? [] : [again]));
  if (last) throw interrupted(table, begun, partial.rows);
  onAgain(table, again.chunk);
}

function chunkOf(claim: LedgerClaim, table: CopiedTable): string {
  return `WHERE migration = ${quoteText(claim.migration)} AND table_key = ${quoteText(table.key)}`;
}

/** Runs a statement under the stream's own epoch; resolves to how many rows it has changed. */
async function inTransaction(connection: Connection, claim: LedgerClaim, statement: string): Promise<number> {
  const results = await connection.queryMulti(["BEGIN", epochUpdate(claim, 0), statement].join("; "));
  if (results[1]?.affectedRows !== 1) {
    await connection.query("ROLLBACK");
    throw ledgerTaken(claim);
  }
  await connection.query("COMMIT");
  return results[2]?.affectedRows ?? 0;
}

function interrupted(table: CopiedTable, begun: number, rows: number): SwitchyardError {
  return new SwitchyardError("REPLICATION_COPY_INTERRUPTED", {
    what: `the copy of ${table.key} has begun ${begun} times, and was interrupted each time`,
    details: [
      `it cannot go on where it stopped: the table has ${rowKey(table.shape) === undefined ? "no key" : "no key whose order is known"}`,
      `the last attempt had copied ${rows} rows`,
    ],
    changed:
      "The rows copied of this table were removed from the target; other tables keep theirs. The source is as it was.",
    fix: "See in the log what ended the attempts, and mend it or wait for a quiet hour, then resume: the copy begins anew. Or cancel the migration, give the table a primary key of numbers, and create it again.",
  });
}
