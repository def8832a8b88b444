import type { Clock } from "../base/clock.ts";
import { SwitchyardError } from "../base/errors.ts";
import { silentLogger } from "../base/logger.ts";
import { quoteText } from "../base/table-name.ts";
import type { BackendConfig, Config } from "../config/config.ts";
import { takeGuardsOff } from "../cutover/guard-removal.ts";
import { MysqlHome } from "../cutover/mysql-home.ts";
import type { HomeSession } from "../cutover/ports.ts";
import { Connection } from "../mysql/connection.ts";
import { killConnection } from "../mysql/kill-connection.ts";
import { APPLIER_ATTRIBUTE, retireLedger } from "../replication/ledger.ts";
import { unsealLedger } from "../replication/ledger-seal.ts";
import { serverUuid } from "../replication/server-identity.ts";
import { dropSidecarRows, ensureSidecar } from "../replication/sidecar-format.ts";
import { isAtWork } from "./at-work.ts";
import type { StoreFacts } from "./facts.ts";
import type { DoctorFinding, OnServer, Repair } from "./finding.ts";
import { withStore } from "./store-source.ts";

/** What a repair works with. */
export interface RepairContext {
  readonly config: Config;
  readonly clock: Clock;
  /** The store as the diagnosis saw it. */
  readonly seen: StoreFacts;
  /** The store as it is now. */
  readonly readStore: () => Promise<StoreFacts>;
}

/** In our comment in the server's log, in place of an attempt. */
const DOCTOR_TOKEN = "doctor";
const GUARDS_TIMEOUT_MS = 10_000;

/**
 * Does what a finding offers, if all that it was judged by still holds: the store is read again once nobody else can work on the
 * migration on that server. Repeating it does nothing.
 *
 * @throws {SwitchyardError} `DOCTOR_FIX_REFUSED`, `DOCTOR_STORE_IN_USE`, `CUTOVER_SESSION_HELD`, `CUTOVER_SERVER_CHANGED`, and
 *   what store and servers throw
 */
export async function applyRepair(context: RepairContext, finding: DoctorFinding, repair: Repair): Promise<void> {
  switch (repair.kind) {
    case "store":
      return await inStore(context, finding, repair);
    case "drop-triggers":
      return await inSession(context, repair, repair.tables, (session) => dropTriggers(context, session, repair));
    case "install-fence":
      return await inSession(context, repair, repair.tables, (session) => installFence(context, session, repair));
    case "retire-ledger":
      return await inSession(context, repair, [], () =>
        onServer(context, repair, async (connection) => {
          await ensureSidecar(connection);
          await retireLedger(connection, repair.migration, repair.direction, repair.token);
        }),
      );
    case "unseal-ledger":
      return await inSession(context, repair, [], () =>
        onServer(context, repair, async (connection) => {
          const { attempt, token } = repair;
          await unsealLedger(connection, repair, { attempt, startToken: token === "" ? undefined : token });
        }),
      );
    case "drop-sidecar-rows":
      return await inSession(context, repair, [], () =>
        onServer(context, repair, async (connection) => {
          await requireNoApplier(connection, repair.migration);
          await dropSidecarRows(connection, repair.migration);
        }),
      );
    case "kill":
      return await onServer(context, repair, (connection) => kill(context, connection, repair));
  }
}

async function inStore(
  { config, clock }: RepairContext,
  { code, subject }: DoctorFinding,
  { conditions, writes }: Extract<Repair, { kind: "store" }>,
): Promise<void> {
  const { succeeded } = await withStore(config, clock, (store) => store.transact(conditions, writes));
  if (!succeeded) throw changed(`${code} of ${subject}`);
}

/** One session for a migration and server does all that is done to it; a controller at work has it, and is left alone. */
async function inSession(
  context: RepairContext,
  where: OnServer,
  tables: readonly string[],
  work: (session: HomeSession) => Promise<void>,
): Promise<void> {
  const home = new MysqlHome({
    endpoint: backendOf(context, where),
    migration: where.migration,
    tables,
    clock: context.clock,
    log: silentLogger,
    limits: context.config.limits,
  });
  const session = await home.open({ takeOver: "never", serverUuid: where.uuid });
  try {
    await requireUnchanged(context, where.migration);
    await work(session);
  } finally {
    await session.close();
  }
}

async function dropTriggers(
  { clock }: RepairContext,
  session: HomeSession,
  repair: Extract<Repair, { kind: "drop-triggers" }>,
): Promise<void> {
  if (repair.of === "fence") return await session.dropFences(DOCTOR_TOKEN);
  if (await takeGuardsOff(session, DOCTOR_TOKEN, { clock, timeoutMs: GUARDS_TIMEOUT_MS })) return;
  throw new SwitchyardError("DOCTOR_FIX_REFUSED", {
    what: `some guard triggers on ${repair.tables.join(", ")} could not be dropped: transactions came without a pause`,
    changed: "Those of the quieter tables are gone; the others let the proxies' clients write.",
    fix: "Run the command again when they are quieter.",
  });
}

async function installFence(
  { config }: RepairContext,
  session: HomeSession,
  repair: Extract<Repair, { kind: "install-fence" }>,
): Promise<void> {
  if (!(await session.lock("write", config.limits.fenceWaitMs))) {
    const holders = await session.holders();
    throw new SwitchyardError("DOCTOR_FIX_REFUSED", {
      what: `${repair.tables.join(", ")} on ${repair.backend} could not be locked within ${config.limits.fenceWaitMs} ms`,
      details: holders.map(({ connectionId, user, host }) => `connection ${connectionId} ${user}@${host} holds them`),
      changed: "Nothing was changed.",
      fix: "These sessions go past the proxies: end them, then run the command again.",
    });
  }
  await session.installFences(repair.token);
  await session.unlock();
}

async function kill(
  context: RepairContext,
  connection: Connection,
  { connectionId, lock, migration }: Extract<Repair, { kind: "kill" }>,
): Promise<void> {
  const still =
    lock === undefined
      ? "SELECT PROCESSLIST_ID id FROM performance_schema.session_connect_attrs " +
        `WHERE ATTR_NAME = '${APPLIER_ATTRIBUTE}' AND PROCESSLIST_ID = ${Number(connectionId)}`
      : `SELECT IS_USED_LOCK(${quoteText(lock)}) id`;
  const [row] = await connection.rows(still);
  if (row?.["id"] !== connectionId) return;
  // Whoever begins an attempt writes it into the journal before it opens a session: this read shows it, or the session is older.
  const now = await requireUnchanged(context, migration);
  if (isAtWork(now, migration)) throw changed(`migration ${migration}`);
  if (!(await killConnection(connection, connectionId)))
    throw changed(`connection ${connectionId}, whose commit is being written,`);
}

/** The store may know nothing of a migration that another installation has on the same server. */
async function requireNoApplier(connection: Connection, migration: string): Promise<void> {
  const appliers = await connection.rows(
    "SELECT 1 FROM performance_schema.session_connect_attrs " +
      `WHERE ATTR_NAME = '${APPLIER_ATTRIBUTE}' AND LEFT(ATTR_VALUE, ${migration.length + 1}) = ${quoteText(`${migration}/`)}`,
  );
  if (appliers.length > 0) throw changed(`migration ${migration}`);
}

async function onServer(
  context: RepairContext,
  where: OnServer,
  work: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await Connection.connect(backendOf(context, where), {
    attributes: { switchyard_role: "doctor" },
  });
  try {
    if ((await serverUuid(connection)) !== where.uuid) throw changed(`backend ${where.backend}`);
    await work(connection);
  } finally {
    await connection.close();
  }
}

/** @throws {SwitchyardError} `DOCTOR_FIX_REFUSED` where rules or journal are not those that the diagnosis went by */
async function requireUnchanged({ seen, readStore }: RepairContext, migration: string): Promise<StoreFacts> {
  const now = await readStore();
  const revisions = (store: StoreFacts): string =>
    `${store.rules?.revision} ${store.migrations.find(({ document }) => document.id === migration)?.revision}`;
  if (revisions(now) !== revisions(seen)) throw changed(`migration ${migration}`);
  return now;
}

function backendOf({ config }: RepairContext, { backend }: OnServer): BackendConfig {
  const found = config.backends[backend];
  if (found !== undefined) return found;
  throw new SwitchyardError("INTERNAL_INVARIANT", {
    what: `a repair names backend ${backend}, which is not configured`,
  });
}

function changed(what: string): SwitchyardError {
  return new SwitchyardError("DOCTOR_FIX_REFUSED", {
    what: `${what} has changed since it was looked at`,
    changed: "Nothing was changed.",
    fix: "Run `switchyard doctor` again.",
  });
}
