import { SwitchyardError } from "../base/errors.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import type { NewestTransaction } from "./ledger.ts";

/** What a dump is asked for. */
export interface DumpStart {
  readonly sourceUuid: string;
  /** What the server need not send: all that is done with, less the newest where it can still be compared. */
  readonly executed: GtidSet;
  /** The transaction that comes again only to be compared. */
  readonly compare: NewestTransaction | undefined;
}

/**
 * Looks at the source before each dump: it must be the same server, must still have all that is applied, and must
 * still have all that is not.
 *
 * @throws {SwitchyardError} `STREAM_SOURCE_CHANGED`, `STREAM_SOURCE_WENT_BACK`, `STREAM_POSITION_PURGED`
 */
export async function checkSource(
  connection: Connection,
  knownUuid: string,
  executed: GtidSet,
  newest: NewestTransaction | undefined,
): Promise<DumpStart> {
  const row = await connection.one(
    "SELECT @@global.server_uuid AS uuid, @@global.gtid_executed AS executed, @@global.gtid_purged AS purged",
  );
  const sourceUuid = row?.["uuid"] ?? "";
  if (knownUuid !== "" && knownUuid !== sourceUuid) throw sourceChanged(knownUuid, sourceUuid);
  const there = GtidSet.parse(row?.["executed"] ?? "");
  const purged = GtidSet.parse(row?.["purged"] ?? "");
  if (!there.contains(executed)) throw wentBack(executed.subtract(there));
  if (!executed.contains(purged)) throw positionPurged(purged.subtract(executed));
  const last = newest === undefined ? GtidSet.empty : GtidSet.parse(newest.gtid);
  const comparable = !last.isEmpty && executed.contains(last) && last.intersect(purged).isEmpty;
  return {
    sourceUuid,
    executed: comparable ? executed.subtract(last) : executed,
    compare: comparable ? newest : undefined,
  };
}

function sourceChanged(known: string, now: string): SwitchyardError {
  return new SwitchyardError("STREAM_SOURCE_CHANGED", {
    what: "the stream's source is another server than before",
    details: [`before  server_uuid ${known}`, `now     server_uuid ${now}`],
    changed: "Nothing was applied.",
    fix: "Point the backend at the server that it named when the migration was created.",
  });
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
