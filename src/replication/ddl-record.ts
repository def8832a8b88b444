import { quoteText, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { type LedgerClaim, ledgerTaken, ledgerUpdate, type NewestTransaction, proveEpoch } from "./ledger.ts";
import { SIDECAR } from "./sidecar.ts";
import type { StreamName } from "./stream-session.ts";
import type { TableDefinition } from "./table-definitions.ts";

/**
 * A definition statement commits by itself, so the ledger cannot change with it. Before it is executed its intention is
 * written here; afterwards the intention goes in the transaction that records the statement as applied. Whoever finds one
 * asks the table which of both has happened.
 */
export interface DdlIntention {
  readonly gtid: string;
  /** The table's definition on the target before, and as the statement makes it; to be compared as they are. */
  readonly before: string;
  readonly after: string;
}

/** The intention that an earlier process has left for this transaction, if any; read with locks. */
export async function readIntention(
  writer: Connection,
  name: StreamName,
  gtid: string,
): Promise<DdlIntention | undefined> {
  const row = await writer.one(`SELECT gtid, before_text, after_text FROM ${SIDECAR.ddl} ${ofStream(name)} FOR SHARE`);
  if (row?.["gtid"] !== gtid) return undefined;
  return { gtid, before: row["before_text"] ?? "", after: row["after_text"] ?? "" };
}

/** Commits the intention under the epoch of the claim. @throws {SwitchyardError} `REPLICATION_LEDGER_TAKEN` */
export async function writeIntention(writer: Connection, claim: LedgerClaim, of: DdlIntention): Promise<void> {
  await inTransaction(writer, async () => {
    await proveEpoch(writer, claim);
    await writer.query(
      `REPLACE INTO ${SIDECAR.ddl} (migration, direction, gtid, before_text, after_text) VALUES ` +
        `(${quoteText(claim.migration)}, '${claim.direction}', '${of.gtid}', ${quoteText(of.before)}, ${quoteText(of.after)})`,
    );
  });
}

/**
 * Records a definition statement as done with, and the definitions by which the rows behind it are read, in one
 * transaction: whoever begins from there reads them so.
 *
 * @throws {SwitchyardError} `REPLICATION_LEDGER_TAKEN`
 */
export async function recordDdl(
  writer: Connection,
  claim: LedgerClaim,
  of: {
    readonly executed: string;
    readonly newest: NewestTransaction;
    readonly definitions: readonly TableDefinition[];
  },
): Promise<void> {
  await inTransaction(writer, async () => {
    const { affectedRows } = await writer.query(ledgerUpdate(claim, of.executed, of.newest));
    if (affectedRows !== 1) throw ledgerTaken(claim);
    for (const { name, definition, shape } of of.definitions) {
      await writer.query(
        `UPDATE ${SIDECAR.shape} SET definition = ${quoteText(definition)}, shape = ${quoteText(JSON.stringify(shape))} ` +
          `${ofStream(claim)} AND table_key = ${quoteText(tableKey(name))}`,
      );
    }
    await writer.query(`DELETE FROM ${SIDECAR.ddl} ${ofStream(claim)}`);
  });
}

async function inTransaction(writer: Connection, work: () => Promise<void>): Promise<void> {
  await writer.query("BEGIN");
  try {
    await work();
    await writer.query("COMMIT");
  } catch (error) {
    if (!writer.isClosed) await writer.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

function ofStream({ migration, direction }: StreamName): string {
  return `WHERE migration = ${quoteText(migration)} AND direction = '${direction}'`;
}
