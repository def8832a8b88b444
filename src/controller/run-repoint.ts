import { isSwitchyardError, messageOf, SwitchyardError } from "../base/errors.ts";
import { parseMigration, readMigration, withHistory } from "../cutover/journal.ts";
import type { MigrationDocument } from "../cutover/migration-document.ts";
import type { OrderDocument } from "../cutover/order-document.ts";
import { openAdmin } from "../mysql/admin-connection.ts";
import { Connection } from "../mysql/connection.ts";
import { ERRNO, isMysqlError } from "../mysql/mysql-error.ts";
import {
  type AppliedHistory,
  adoptSource,
  readApplied,
  readLedgerSource,
  returnSource,
} from "../replication/ledger.ts";
import { parseClaim, serializeClaim } from "../rules/claim-document.ts";
import { withRepointed } from "../rules/rules-edits.ts";
import { changeRulesTogether } from "../rules/rules-store.ts";
import { CLAIMS_PREFIX, MIGRATIONS_PREFIX } from "../rules/store-keys.ts";
import type { Compare, StoreWrite } from "../store/store.ts";
import { endpointOf } from "./controller-context.ts";
import { openHome } from "./homes.ts";
import type { MigrationRunner } from "./migration-runner.ts";
import { isFinished } from "./owned-migration.ts";
import {
  inspectFormer,
  inspectHome,
  inspectIdentity,
  inspectOther,
  inspectProxies,
  inspectSettings,
  type Objections,
  refuseObjections,
} from "./repoint-checks.ts";
import { type Repointing, repointed, repointingOf } from "./repoint-request.ts";

type Report = Readonly<Record<string, unknown>>;
type Step = (text: string) => void;

/**
 * Puts another server in the place of the source or the target of a migration: a replica of it that has taken over. The
 * stream stands still while it is looked at, and goes on from its ledger afterwards, wherever the order ends.
 *
 * The ledger learns the new server first, then one store transaction changes journal, claims and rules. Between the two the
 * stream follows neither server; where the transaction fails the ledger is taken back, and after a crash whoever runs the
 * migration next gives itself the order again.
 *
 * @throws {SwitchyardError} `MIGRATION_REPOINT_REFUSED`, `MIGRATION_REQUEST_INVALID`, `MIGRATION_PHASE_REFUSED`,
 *   `MIGRATION_BUSY`, and what the servers throw
 */
export async function orderRepoint(runner: MigrationRunner, order: OrderDocument, step: Step): Promise<Report> {
  return await runner.exclusively({ what: "repointing", who: order.who }, async () => {
    const change = repointingOf(runner.document, order);
    if (runner.diff !== undefined) {
      throw new SwitchyardError("MIGRATION_BUSY", {
        what: `a diff or a repair of migration "${runner.id}" reads both servers`,
        changed: "Nothing was changed.",
        fix: "`switchyard diff stop` ends it, or wait.",
      });
    }
    try {
      return await repoint(runner, order, change, step);
    } finally {
      runner.openActiveStream();
    }
  });
}

async function repoint(runner: MigrationRunner, order: OrderDocument, change: Repointing, step: Step): Promise<Report> {
  const { context } = runner;
  const connection = await openAdmin(endpointOf(context, change.to));
  try {
    const { document } = runner;
    const objections: Objections = [];
    const otherUuid = change.end === "source" ? document.targetUuid : document.sourceUuid;
    const uuid = await inspectIdentity(connection, otherUuid, change, objections);
    const report = { end: change.end, from: change.from, to: change.to, serverUuid: uuid };
    const isThere = uuid === change.formerUuid && change.from === change.to;
    if (isThere && (await ledgerAgrees(runner, change))) return { ...report, changed: false, notes: [] };
    step(`stop the ${change.direction} stream`);
    const applied = await standStill(runner, change);
    step(`look at ${change.to}`);
    const notes = await inspect(runner, change, { uuid, applied }, objections);
    // The commit asks again; here nothing is changed yet.
    await movedClaims(runner, document, change, uuid);
    await setFences(runner, change);
    step("change ledger, journal, claims and rules");
    const movedDefault = await withLedgerOf(runner, change, { uuid, applied }, async () => {
      await context.failpoint("repoint-after-ledger");
      return await commit(runner, order, change, uuid);
    });
    await runner.reload();
    await context.failpoint("repoint-after-journal");
    await runner.replaceServers();
    const config = `"${change.to}" is the default backend now: say so in the configuration of every process before its next start`;
    return { ...report, changed: true, notes: movedDefault ? [...notes, config] : notes };
  } finally {
    await connection.close();
  }
}

/** What the stream has, with nobody applying any more. */
async function standStill(runner: MigrationRunner, change: Repointing): Promise<AppliedHistory | undefined> {
  const keeper = runner.keepers[change.direction];
  // The ledger of a server that is replaced may not be there to be closed; the new one's nobody has claimed.
  if (change.isHome) await keeper.stop();
  else await keeper.close();
  return await readLedger(runner, change, (ledger) =>
    readApplied(ledger, runner.id, change.direction, runner.document.fenceToken),
  );
}

/** What is read of the ledger; undefined where the server has no such table. */
async function readLedger<T>(
  runner: MigrationRunner,
  change: Repointing,
  read: (ledger: Connection) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await onLedger(runner, change, read);
  } catch (error) {
    if (isMysqlError(error, ERRNO.UNKNOWN_DATABASE, ERRNO.NO_SUCH_TABLE)) return undefined;
    throw error;
  }
}

/**
 * Whether the ledger names the server that the journal does. It names another one where an order has ended between the two
 * changes; the order that names the journal's server then takes the ledger back.
 */
async function ledgerAgrees(runner: MigrationRunner, change: Repointing): Promise<boolean> {
  if (!change.isHome) return true;
  const named = await readLedger(runner, change, (ledger) => readLedgerSource(ledger, runner.id, change.direction));
  return named === undefined || named === "" || named === change.formerUuid;
}

/** Enters the new home into the ledger and does `work`, which commits; where that has changed nothing, the ledger is as before. */
async function withLedgerOf<T>(
  runner: MigrationRunner,
  change: Repointing,
  { uuid, applied }: NewServer,
  work: () => Promise<T>,
): Promise<T> {
  if (!change.isHome || applied === undefined) return await work();
  const { id } = runner;
  const { direction, formerUuid } = change;
  const epoch = await onLedger(runner, change, (ledger) => adoptSource(ledger, id, direction, uuid));
  try {
    return await work();
  } catch (error) {
    // Where it may have been committed the ledger stays: the same order, given again, ends it either way.
    if (!(await isUncommitted(runner, change, error))) throw error;
    const sourceUuid = applied.sourceUuid === "" ? "" : formerUuid;
    await onLedger(runner, change, (ledger) => returnSource(ledger, id, direction, { sourceUuid, epoch })).catch(
      (failed: unknown) => runner.log.warn({ error: messageOf(failed) }, "the ledger names the new server still"),
    );
    throw error;
  }
}

async function isUncommitted({ context, id }: MigrationRunner, change: Repointing, error: unknown): Promise<boolean> {
  if (isSwitchyardError(error, "STORE_OUTCOME_UNKNOWN")) return false;
  try {
    const { document } = await readMigration(context.store, id);
    return (change.end === "source" ? document.sourceUuid : document.targetUuid) === change.formerUuid;
  } catch {
    return isSwitchyardError(error, "STORE_UNAVAILABLE");
  }
}

async function onLedger<T>(
  runner: MigrationRunner,
  change: Repointing,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect(endpointOf(runner.context, change.isHome ? change.other : change.to));
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

interface NewServer {
  readonly uuid: string;
  readonly applied: AppliedHistory | undefined;
}

/**
 * Refuses where the server cannot take the place; answers what an operator should know besides.
 *
 * @throws {SwitchyardError} `MIGRATION_REPOINT_REFUSED`
 */
async function inspect(
  { context, document }: MigrationRunner,
  change: Repointing,
  { uuid, applied }: NewServer,
  objections: Objections,
): Promise<readonly string[]> {
  const otherUuid = change.end === "source" ? document.targetUuid : document.sourceUuid;
  await inspectProxies(context, change, { uuid, otherUuid }, objections);
  const same = uuid === change.formerUuid;
  const former = same ? { executed: undefined, note: undefined } : await inspectFormer(context, change, objections);
  if (change.isHome) await inspectHome(context, document, change, applied, former, objections);
  else await inspectOther(context, document, change, applied, former, objections);
  // What follows makes scratch tables: on a server that is a replica still they would stand ahead of what it gets later.
  refuseObjections(document.id, change, objections);
  await inspectSettings(context, document, change, objections);
  refuseObjections(document.id, change, objections);
  return former.note === undefined ? [] : [former.note];
}

const FENCE_PENDING_MS = 5000;

/**
 * The server that is not the home refuses writes of others, and the home refuses none: the last triggers of either may not
 * have reached a replica.
 */
async function setFences(runner: MigrationRunner, change: Repointing): Promise<void> {
  const { context, document } = runner;
  const token = document.fenceToken;
  if (token === undefined) return;
  const home = openHome(context, document, change.to);
  const fences = await home.inspect((view) => view.fences());
  const isFenced = (table: string): boolean =>
    fences.some((fence) => fence.table === table && fence.token === token && fence.complete);
  if (change.isHome ? fences.length === 0 : document.tables.every(isFenced)) return;
  const session = await home.open({ takeOver: "kill-holder" });
  try {
    if (change.isHome) return await session.dropFences(token);
    if (!(await session.lock("write", FENCE_PENDING_MS))) {
      throw new SwitchyardError("MIGRATION_REPOINT_REFUSED", {
        what: `the tables on "${change.to}" cannot be fenced against writes: others have them open`,
        changed: "Nothing was changed.",
        fix: "Nobody may use them there, as they live on the other server. End these transactions, then give the same order again.",
      });
    }
    await session.installFences(token);
    await session.unlock();
  } finally {
    await session.close();
  }
}

/** Whether the default backend is another one now. */
async function commit(
  runner: MigrationRunner,
  order: OrderDocument,
  change: Repointing,
  uuid: string,
): Promise<boolean> {
  const { context, id } = runner;
  const at = context.clock.now().toISOString();
  const reason = order.reason === undefined ? {} : { reason: order.reason };
  const what =
    `${change.end} repointed from ${change.from} (server_uuid ${change.formerUuid}) ` +
    `to ${change.to} (server_uuid ${uuid})`;
  let movedDefault = false;
  await changeRulesTogether(context.store, async (rules) => {
    movedDefault = rules.default === change.from && change.from !== change.to;
    const { document, revision } = await readMigration(context.store, id);
    const next = withHistory(repointed(document, change, uuid), { at, who: order.who, what, ...reason });
    const claims = await movedClaims(runner, document, change, uuid);
    const key = MIGRATIONS_PREFIX + id;
    const conditions: readonly Compare[] = [
      ...context.leadership(),
      { key, revision },
      ...claims.flatMap((claim) => claim.conditions),
    ];
    const writes: readonly StoreWrite[] = [
      { put: key, value: JSON.stringify(next) },
      ...claims.flatMap((claim) => claim.writes),
    ];
    return { rules: withRepointed(rules, change, await otherUnfinished(runner)), conditions, writes };
  });
  return movedDefault;
}

async function otherUnfinished({ context, id }: MigrationRunner): Promise<ReadonlySet<string>> {
  const { entries } = await context.store.list(MIGRATIONS_PREFIX);
  const open = entries.map(parseMigration).filter((one) => one.id !== id && !isFinished(one));
  return new Set(open.map((one) => one.id));
}

interface MovedClaim {
  readonly conditions: readonly Compare[];
  readonly writes: readonly StoreWrite[];
}

/** The claims of the migration's tables, on the new server instead of the former. */
async function movedClaims(
  { context, id }: MigrationRunner,
  { tables }: MigrationDocument,
  { formerUuid: from }: Repointing,
  to: string,
): Promise<readonly MovedClaim[]> {
  if (from === to) return [];
  const value = serializeClaim(id);
  return await Promise.all(
    tables.map(async (table): Promise<MovedClaim> => {
      const [former, key] = [`${CLAIMS_PREFIX}${from}/${table}`, `${CLAIMS_PREFIX}${to}/${table}`];
      const present = await context.store.get(key);
      if (present !== undefined && parseClaim(present).migration !== id) {
        throw new SwitchyardError("MIGRATION_TABLE_CLAIMED", {
          what: `${table} on the new server is being moved by migration "${parseClaim(present).migration}"`,
          changed: "The migration is where it was.",
          fix: "Complete or cancel that one first.",
        });
      }
      return {
        conditions: [{ key, revision: present?.revision ?? 0 }],
        writes: [{ delete: former }, { put: key, value }],
      };
    }),
  );
}
