import { setTimeout } from "node:timers/promises";
import { SwitchyardError } from "../base/errors.ts";
import { GtidSet } from "../gtid/gtid-set.ts";
import type { Connection } from "../mysql/connection.ts";
import { killConnection } from "../mysql/kill-connection.ts";
import { commitsStandStill } from "../mysql/standstill.ts";
import type { Direction } from "./direction.ts";
import { SIDECAR } from "./sidecar.ts";
import { readStartPosition } from "./start-position.ts";

/** Connection attribute of every connection that applies rows; names migration and direction. */
export const APPLIER_ATTRIBUTE = "switchyard_applier";

/** The transaction that was applied last, to recognise a server that gave its GTID to another one. */
export interface NewestTransaction {
  readonly gtid: string;
  /**
   * When it was committed first, in microseconds: the same in the logs of all servers that have it. Versions before kept
   * the time at which the followed server itself committed it.
   */
  readonly commitUs: bigint;
}

/** The right to apply, under one epoch: a later claim or close takes it away. */
export interface LedgerClaim {
  readonly migration: string;
  readonly direction: Direction;
  readonly epoch: bigint;
  /** All that has been applied so far. Gaps are fine. */
  readonly executed: GtidSet;
  readonly newest: NewestTransaction | undefined;
  /** The server whose transactions {@link executed} names; empty before any has been recorded. */
  readonly sourceUuid: string;
  /** The ledger began anew at the start token's position: what an earlier attempt has left behind does not count. */
  readonly restarted: boolean;
}

/** As much of a claim as its proof needs. */
export type ProvenClaim = Pick<LedgerClaim, "migration" | "direction" | "epoch">;

export interface ClaimOptions {
  /** Connections that copy rows beside the applier; each gets a row of its own to prove its epoch on. */
  readonly copiers?: number;
  /** A fresh name of the stream that claims. */
  readonly holder?: string;
  /**
   * The stream has claimed before and lost its connections since: then it may only claim what is still its own. It
   * cannot go by the epoch, because the answer to its last claim may have been lost with the connection.
   */
  readonly again?: { readonly epoch: bigint } | undefined;
}

/** For as long as a commit takes on a slow disk. */
const COMMIT_LOOKS_MAX = 100;
const COMMIT_LOOK_MS = 20;

/** The worker whose row {@link ledgerUpdate} writes; 0 is the folded base. */
const APPLIER = 1;

/**
 * Claims the ledger of one direction on the server that `connection` writes to: folds all rows into one base row and
 * raises the epoch, so that whoever applied before can no longer commit.
 *
 * Rows are read with locks: a commit of the former applier that is still under way is waited for, and seen.
 *
 * @param startToken for a stream that never copies: the ledger begins anew at the position written under this
 *   token, unless it did so before.
 * @throws {SwitchyardError} `REPLICATION_START_MISSING` when there is no position under the token;
 *   `REPLICATION_LEDGER_TAKEN` when a stream that claims again no longer holds it; `REPLICATION_LEDGER_SEALED` when an
 *   attempt to switch has sealed it, under whatever token it is claimed.
 */
export async function claimLedger(
  connection: Connection,
  migration: string,
  direction: Direction,
  startToken?: string,
  options: ClaimOptions = {},
): Promise<LedgerClaim> {
  await killAppliers(connection, migration, direction);
  await connection.query("START TRANSACTION");
  try {
    const rows = await connection.rows(
      `SELECT worker, epoch, gtids, start_token, newest_gtid, newest_commit_us, source_uuid, holder, sealed_by FROM ${SIDECAR.ledger}` +
        ` ${ofStream(migration, direction)} FOR UPDATE`,
    );
    const highest = rows.reduce((max, row) => larger(max, BigInt(row["epoch"] ?? 0)), 0n);
    const holder = options.holder ?? "";
    if (options.again !== undefined && rows[0]?.["holder"] !== holder) {
      throw ledgerTaken({ migration, direction, epoch: options.again.epoch });
    }
    const epoch = highest + 1n;
    const base = rows.find((row) => row["worker"] === "0");
    const sealedBy = base?.["sealed_by"] ?? "";
    if (sealedBy !== "") throw ledgerSealed({ migration, direction }, sealedBy);
    if (startToken === undefined && (base?.["start_token"] ?? "") !== "") {
      throw ledgerTaken({ migration, direction, epoch: highest });
    }
    const fresh = startToken !== undefined && base?.["start_token"] !== startToken;
    const executed = fresh
      ? await startPosition(connection, migration, direction, startToken)
      : rows.reduce((union, row) => union.union(GtidSet.parse(row["gtids"] ?? "")), GtidSet.parse(""));
    const newest = fresh ? undefined : newestOf(rows);
    await connection.query(`DELETE FROM ${SIDECAR.ledger} ${ofStream(migration, direction)}`);
    const token = startToken ?? base?.["start_token"] ?? "";
    const sourceUuid = fresh ? "" : (base?.["source_uuid"] ?? "");
    const row = { migration, direction, epoch, token, newest, sourceUuid, holder };
    await insertRow(connection, { ...row, worker: 0, executed });
    for (let worker = APPLIER; worker <= APPLIER + (options.copiers ?? 0); worker++) {
      await insertRow(connection, { ...row, worker, executed: GtidSet.empty });
    }
    await connection.query("COMMIT");
    // Who has connected since the first look, and proved the epoch that was, is found by this one; who comes later proves in vain.
    await killAppliers(connection, migration, direction);
    return { migration, direction, epoch, executed, newest, sourceUuid, restarted: fresh };
  } catch (error) {
    await connection.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/**
 * The first statement of every applying transaction: records its GTIDs (all that this claim has applied, the new
 * ones included) and proves the epoch. It must affect exactly one row on a connection that counts rows found;
 * otherwise the transaction must be rolled back and the stream is over.
 */
export function ledgerUpdate(claim: LedgerClaim, applied: string, newest: NewestTransaction | undefined): string {
  const last = newest === undefined ? "" : `, newest_gtid = '${newest.gtid}', newest_commit_us = ${newest.commitUs}`;
  return (
    `UPDATE ${SIDECAR.ledger} SET writes = writes + 1, gtids = '${applied}'${last}` +
    ` ${ofStream(claim.migration, claim.direction)} AND worker = ${APPLIER} AND epoch = ${claim.epoch}`
  );
}

/**
 * The first statement of every transaction that writes rows without recording a transaction of the source: chunks of a
 * copy by copier `copier` (from 1), or with 0 the applier itself. It too must affect exactly one row.
 */
export function epochUpdate(claim: ProvenClaim, copier: number): string {
  return (
    `UPDATE ${SIDECAR.ledger} SET writes = writes + 1 ${ofStream(claim.migration, claim.direction)}` +
    ` AND worker = ${APPLIER + copier} AND epoch = ${claim.epoch}`
  );
}

/** Proves the epoch inside an open transaction, and marks that transaction as ours. */
export async function proveEpoch(connection: Connection, claim: ProvenClaim, copier = 0): Promise<void> {
  const { affectedRows } = await connection.query(epochUpdate(claim, copier));
  if (affectedRows !== 1) throw ledgerTaken(claim);
}

/** Notes which server the ledger's transactions are of, in a transaction of its own. */
export async function recordSource(connection: Connection, claim: LedgerClaim, sourceUuid: string): Promise<void> {
  const { affectedRows } = await connection.query(
    `UPDATE ${SIDECAR.ledger} SET writes = writes + 1, source_uuid = '${sourceUuid}'` +
      ` ${ofStream(claim.migration, claim.direction)} AND worker = 0 AND epoch = ${claim.epoch}`,
  );
  if (affectedRows !== 1) throw ledgerTaken(claim);
}

export function ledgerSealed(of: Pick<LedgerClaim, "migration" | "direction">, sealedBy: string): SwitchyardError {
  return new SwitchyardError("REPLICATION_LEDGER_SEALED", {
    what: `the ledger of the ${of.direction} stream of migration "${of.migration}" was sealed by the switch or rollback ${sealedBy}`,
    changed: "Nothing was applied.",
    fix: "While that is under way there is nothing to do. Where none is, the schema _switchyard was changed by somebody else or restored from a backup: cancel the migration, or complete it, and create it again.",
  });
}

export function ledgerTaken(claim: ProvenClaim): SwitchyardError {
  return new SwitchyardError("REPLICATION_LEDGER_TAKEN", {
    what: `the ${claim.direction} stream of migration "${claim.migration}" has been closed or taken over; this one held epoch ${claim.epoch}`,
    changed: "The transaction that noticed it was rolled back.",
  });
}

/**
 * Raises the epoch, so that no applier of this direction can commit any more, in whatever process it lives. Once it
 * has resolved, all that any of them committed is visible.
 *
 * Differs from `sealLedger`: whoever knows what the stream began under may claim the ledger anew.
 */
export async function closeLedger(connection: Connection, migration: string, direction: Direction): Promise<void> {
  await connection.query(
    `UPDATE ${SIDECAR.ledger} SET epoch = epoch + 1, writes = writes + 1, holder = '' ${ofStream(migration, direction)}`,
  );
}

/** What a stream has of the server that it follows, as its ledger says. */
export interface AppliedHistory {
  /** All that was applied or skipped. */
  readonly ledger: GtidSet;
  /** That, and all that snapshots of the copy held. */
  readonly history: GtidSet;
  readonly newest: NewestTransaction | undefined;
  readonly sourceUuid: string;
}

/**
 * What a stream has, read with locks; undefined where it has never claimed its ledger. One that has not begun under its
 * start token yet has what is written there. To be called after {@link closeLedger}: otherwise more may be applied at once.
 */
export async function readApplied(
  connection: Connection,
  migration: string,
  direction: Direction,
  startToken: string | undefined,
): Promise<AppliedHistory | undefined> {
  const rows = await connection.rows(
    `SELECT worker, gtids, start_token, newest_gtid, newest_commit_us, source_uuid FROM ${SIDECAR.ledger}` +
      ` ${ofStream(migration, direction)} FOR SHARE`,
  );
  const base = rows.find((row) => row["worker"] === "0");
  if (startToken !== undefined && base?.["start_token"] !== startToken) {
    const start = await readStartPosition(connection, migration, direction, startToken);
    return start === undefined ? undefined : { ledger: start, history: start, newest: undefined, sourceUuid: "" };
  }
  if (base === undefined) return undefined;
  const snapshots =
    direction === "reverse"
      ? []
      : await connection.rows(`SELECT gtids FROM ${SIDECAR.snapshot} WHERE migration = '${migration}' FOR SHARE`);
  const union = (sets: readonly Record<string, string | null>[], start: GtidSet): GtidSet =>
    sets.reduce((all, row) => all.union(GtidSet.parse(row["gtids"] ?? "")), start);
  const ledger = union(rows, GtidSet.empty);
  const sourceUuid = base["source_uuid"] ?? "";
  return { ledger, history: union(snapshots, ledger), newest: newestOf(rows), sourceUuid };
}

/** The server whose transactions the ledger names; undefined or empty where none has been recorded. Waits for nobody. */
export async function readLedgerSource(
  connection: Connection,
  migration: string,
  direction: Direction,
): Promise<string | undefined> {
  const row = await connection.one(
    `SELECT source_uuid FROM ${SIDECAR.ledger} ${ofStream(migration, direction)} AND worker = 0`,
  );
  return row?.["source_uuid"] ?? undefined;
}

/**
 * From now on the ledger's transactions are followed on another server. Whoever still follows the former one can neither
 * apply nor claim the ledger. Returns the ledger's epoch, by which {@link returnSource} takes it back.
 */
export async function adoptSource(
  connection: Connection,
  migration: string,
  direction: Direction,
  sourceUuid: string,
): Promise<bigint> {
  await connection.query("START TRANSACTION");
  try {
    await connection.query(
      `UPDATE ${SIDECAR.ledger} SET epoch = epoch + 1, writes = writes + 1, holder = '', source_uuid = '${sourceUuid}'` +
        ` ${ofStream(migration, direction)}`,
    );
    const row = await connection.one(
      `SELECT MAX(epoch) AS epoch FROM ${SIDECAR.ledger} ${ofStream(migration, direction)}`,
    );
    await connection.query("COMMIT");
    return BigInt(row?.["epoch"] ?? 0);
  } catch (error) {
    await connection.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/**
 * Undoes {@link adoptSource}: the ledger's transactions are those of `sourceUuid` again. Where somebody has claimed, closed or
 * adopted the ledger since, it is left alone.
 */
export async function returnSource(
  connection: Connection,
  migration: string,
  direction: Direction,
  of: { readonly sourceUuid: string; readonly epoch: bigint },
): Promise<void> {
  await connection.query(
    `UPDATE ${SIDECAR.ledger} SET epoch = epoch + 1, writes = writes + 1, source_uuid = '${of.sourceUuid}'` +
      ` ${ofStream(migration, direction)} AND epoch = ${of.epoch}`,
  );
}

/** What stands for a start token in the ledger of a stream whose tables have left the home that it followed. */
export const RETIRED = "(retired)";

/**
 * The tables have left the home that this stream followed: a process that was stopped with the stream in its hands, and
 * wakes after the tables have moved back, must not claim the ledger again and apply everything twice.
 *
 * @param startToken what the stream began under; absent for one that copied. A ledger that has begun anew under
 *   another token since is left alone.
 */
export async function retireLedger(
  connection: Connection,
  migration: string,
  direction: Direction,
  startToken: string | undefined,
): Promise<void> {
  const token = startToken ?? "";
  await connection.query("START TRANSACTION");
  try {
    await connection.query(
      `UPDATE ${SIDECAR.ledger} SET epoch = epoch + 1, writes = writes + 1, start_token = '${RETIRED}', sealed_by = ''` +
        ` ${ofStream(migration, direction)} AND start_token = '${token}'`,
    );
    await connection.query(
      `DELETE FROM ${SIDECAR.startPosition} ${ofStream(migration, direction)} AND token = '${token}'`,
    );
    await connection.query("COMMIT");
  } catch (error) {
    await connection.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/**
 * KILLs connections of a former applier: a half-open one keeps its row locks for hours. One whose commit is being written
 * is waited for.
 *
 * @throws {SwitchyardError} `MYSQL_COMMITS_STAND_STILL` where its commit does not end
 */
async function killAppliers(connection: Connection, migration: string, direction: Direction): Promise<void> {
  const rows = await connection.rows(
    "SELECT PROCESSLIST_ID AS id FROM performance_schema.session_account_connect_attrs" +
      ` WHERE ATTR_NAME = '${APPLIER_ATTRIBUTE}' AND ATTR_VALUE = '${applierName(migration, direction)}'` +
      ` AND PROCESSLIST_ID <> CONNECTION_ID()`,
  );
  for (const row of rows) {
    for (let looks = 0; !(await killConnection(connection, row["id"] ?? "")); looks++) {
      if (looks >= COMMIT_LOOKS_MAX) throw standingStill(await commitsStandStill(connection));
      await setTimeout(COMMIT_LOOK_MS);
    }
  }
}

function standingStill(standstill = "a commit does not end"): SwitchyardError {
  return new SwitchyardError("MYSQL_COMMITS_STAND_STILL", {
    what: `the server keeps a former applier waiting: ${standstill}`,
    changed: "Nothing was changed, and no session was ended: a server whose log has no room stops itself for that.",
    fix: "Make room on its disk; nothing has to be resumed.",
  });
}

/** The value of {@link APPLIER_ATTRIBUTE}. */
export function applierName(migration: string, direction: Direction): string {
  return `${migration}/${direction}`;
}

async function startPosition(
  connection: Connection,
  migration: string,
  direction: Direction,
  token: string,
): Promise<GtidSet> {
  const position = await readStartPosition(connection, migration, direction, token);
  if (position !== undefined) return position;
  throw new SwitchyardError("REPLICATION_START_MISSING", {
    what: `there is no start position for the ${direction} stream of migration "${migration}" under token ${token}`,
    changed: "Nothing was applied.",
    fix: "The sidecar schema _switchyard was changed by somebody else, or restored from a backup. Do not go on without a diff.",
  });
}

interface LedgerRow {
  readonly migration: string;
  readonly direction: Direction;
  readonly worker: number;
  readonly epoch: bigint;
  readonly executed: GtidSet;
  readonly token: string;
  readonly newest: NewestTransaction | undefined;
  readonly sourceUuid: string;
  readonly holder: string;
}

async function insertRow(connection: Connection, row: LedgerRow): Promise<void> {
  const { gtid, commitUs } = row.newest ?? { gtid: "", commitUs: 0n };
  await connection.query(
    `INSERT INTO ${SIDECAR.ledger} (migration, direction, worker, epoch, gtids, start_token, newest_gtid, newest_commit_us, source_uuid, holder)` +
      ` VALUES ('${row.migration}', '${row.direction}', ${row.worker}, ${row.epoch}, '${row.executed.toString()}',` +
      ` '${row.token}', '${gtid}', ${commitUs}, '${row.sourceUuid}', '${row.holder}')`,
  );
}

function newestOf(rows: readonly Record<string, string | null>[]): NewestTransaction | undefined {
  let newest: NewestTransaction | undefined;
  for (const row of rows) {
    const commitUs = BigInt(row["newest_commit_us"] ?? 0);
    if (row["newest_gtid"] && commitUs > (newest?.commitUs ?? 0n)) newest = { gtid: row["newest_gtid"], commitUs };
  }
  return newest;
}

/** The rows of one stream. */
export function ofStream(migration: string, direction: Direction): string {
  return `WHERE migration = '${migration}' AND direction = '${direction}'`;
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
