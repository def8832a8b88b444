import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { ledgerSealed, ledgerTaken, ofStream, type ProvenClaim } from "./ledger.ts";
import { SIDECAR } from "./sidecar.ts";

/**
 * An attempt to switch closes the ledger of the stream that feeds the new home: no applier can commit there any more, and
 * nobody can claim the ledger again, under whatever token, until {@link unsealLedger} with this attempt's or until it is retired.
 * Once it has resolved, all that any applier committed is visible.
 *
 * Only the stream that holds the ledger can seal it: a controller that was stopped, and wakes when its attempt has been
 * aborted and the ledger claimed again, would otherwise leave a seal that nobody knows of.
 *
 * @returns what the server had executed once the seal was there
 * @throws {SwitchyardError} `REPLICATION_LEDGER_TAKEN` where the claim is not the last one; nothing was changed then
 */
export async function sealLedger(connection: Connection, claim: ProvenClaim, attempt: string): Promise<GtidSet> {
  // Sent together, since clients wait: a server begins with the second when the first is committed.
  const [sealed, executed] = await Promise.all([
    connection.query(
      `UPDATE ${SIDECAR.ledger} SET epoch = epoch + 1, writes = writes + 1, holder = '', sealed_by = '${attempt}'` +
        ` ${ofStream(claim.migration, claim.direction)} AND epoch = ${claim.epoch}`,
    ),
    connection.one("SELECT @@GLOBAL.gtid_executed AS executed"),
  ]);
  if (sealed.affectedRows === 0) throw ledgerTaken(claim);
  return GtidSet.parse(executed?.["executed"] ?? "");
}

/** Whose seal is to be taken off, and of what stream. */
export interface Unsealing {
  readonly attempt: string;
  /** What the stream had begun under; absent for the first forward stream. */
  readonly startToken: string | undefined;
}

/**
 * The attempt was aborted: the ledger can be claimed again, and a seal of that attempt that is still on its way there comes to
 * nothing, because the epoch is another. Repeating it does no harm; where no stream has claimed yet, nothing is done.
 *
 * @throws {SwitchyardError} `REPLICATION_LEDGER_SEALED` where another attempt has sealed it, `REPLICATION_LEDGER_TAKEN` where
 *   a stream with another beginning has it since: whoever asks was stopped, and its attempt is over. Nothing was changed then.
 */
export async function unsealLedger(
  connection: Connection,
  stream: Omit<ProvenClaim, "epoch">,
  { attempt, startToken }: Unsealing,
): Promise<void> {
  const { migration, direction } = stream;
  await connection.query("START TRANSACTION");
  try {
    const [base] = await connection.rows(
      `SELECT epoch, start_token, sealed_by FROM ${SIDECAR.ledger} ${ofStream(migration, direction)} AND worker = 0 FOR UPDATE`,
    );
    if (base !== undefined) {
      const sealedBy = base["sealed_by"] ?? "";
      if (sealedBy !== "" && sealedBy !== attempt) throw ledgerSealed(stream, sealedBy);
      if (base["start_token"] !== (startToken ?? ""))
        throw ledgerTaken({ ...stream, epoch: BigInt(base["epoch"] ?? 0) });
      await connection.query(
        `UPDATE ${SIDECAR.ledger} SET epoch = epoch + 1, writes = writes + 1, holder = '', sealed_by = ''` +
          ` ${ofStream(migration, direction)}`,
      );
    }
    await connection.query("COMMIT");
  } catch (error) {
    await connection.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
