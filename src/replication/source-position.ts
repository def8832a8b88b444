import type { Clock } from "../base/clock.ts";
import { SwitchyardError } from "../base/errors.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import type { NewestTransaction } from "./ledger.ts";
import { requireServer } from "./server-identity.ts";

/** What a dump is asked for. */
export interface DumpStart {
  readonly sourceUuid: string;
  /** What the server need not send: all that is done with, less the newest where it can still be compared. */
  readonly executed: GtidSet;
  /** The transaction that comes again only to be compared. */
  readonly compare: NewestTransaction | undefined;
}

/** What to compare the source with, and how patiently. */
export interface SourceExpectation {
  /** Empty where no server is known yet. */
  readonly uuid: string;
  readonly executed: GtidSet;
  readonly newest: NewestTransaction | undefined;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long a transaction may be in the log before the server counts it as executed. */
  readonly visibilityWaitMs: number;
}

const POLL_MS = 100;

/**
 * Looks at the source before each dump: it must be the same server, must still have all that is applied, and must
 * still have all that is not.
 *
 * A dump shows a transaction a little before the server counts it as executed, and with replicas that must confirm it
 * much before. So what seems to be missing is waited for.
 *
 * @throws {SwitchyardError} `STREAM_SOURCE_CHANGED`, `STREAM_SOURCE_WENT_BACK`, `STREAM_POSITION_PURGED`
 */
export async function checkSource(connection: Connection, expected: SourceExpectation): Promise<DumpStart> {
  const { executed, newest, clock } = expected;
  const deadline = clock.monotonicMs() + expected.visibilityWaitMs;
  for (;;) {
    const row = await connection.one(
      "SELECT @@global.server_uuid AS uuid, @@global.gtid_executed AS executed, @@global.gtid_purged AS purged",
    );
    const sourceUuid = row?.["uuid"] ?? "";
    requireServer("source", expected.uuid, sourceUuid);
    const purged = GtidSet.parse(row?.["purged"] ?? "");
    if (!executed.contains(purged)) throw positionPurged(purged.subtract(executed));
    const missing = executed.subtract(GtidSet.parse(row?.["executed"] ?? ""));
    if (missing.isEmpty) return dumpStart(sourceUuid, executed, purged, newest);
    if (clock.monotonicMs() > deadline) throw wentBack(missing);
    await clock.sleep(POLL_MS, expected.signal);
  }
}

function dumpStart(
  sourceUuid: string,
  executed: GtidSet,
  purged: GtidSet,
  newest: NewestTransaction | undefined,
): DumpStart {
  const last = newest === undefined ? GtidSet.empty : GtidSet.parse(newest.gtid);
  const comparable = !last.isEmpty && executed.contains(last) && last.intersect(purged).isEmpty;
  return {
    sourceUuid,
    executed: comparable ? executed.subtract(last) : executed,
    compare: comparable ? newest : undefined,
  };
}

function wentBack(missing: GtidSet): SwitchyardError {
  return new SwitchyardError("STREAM_SOURCE_WENT_BACK", {
    what: "the source no longer has transactions that were applied already",
    details: [`missing there  ${missing.toString().slice(0, 300)}`],
    changed: "Nothing was applied since.",
    fix: "It was restored from a backup, or crashed with sync_binlog other than 1. Cancel the migration and create it again.",
  });
}

function positionPurged(missing: GtidSet): SwitchyardError {
  return new SwitchyardError("STREAM_POSITION_PURGED", {
    what: "the source has purged transactions that the stream still needs",
    details: [`purged  ${missing.toString().slice(0, 300)}`],
    changed: "Nothing was applied since.",
    fix: "Cancel the migration, keep binary logs for longer (binlog_expire_logs_seconds), and create it again.",
  });
}
