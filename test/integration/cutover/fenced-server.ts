import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { MysqlHome } from "../../../src/cutover/mysql-home.ts";
import type { HomeSession } from "../../../src/cutover/ports.ts";
import { DEFAULT_SWITCH_LIMITS } from "../../../src/cutover/switch-options.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { printGrants } from "../../../src/preflight/grants.ts";
import type { TestServer } from "../../support/servers.ts";

/** Switchyard's own account in these tests: with what is printed for the roles that a switch plays on a home. */
const MOVER = { user: "mover", password: "mover", host: "%", schemas: ["shop"] };
const ROLES = ["fence", "source-reader", "target-writer"] as const;

export const TABLES = ["shop.items", "shop.orders", "shop.parts"];

/** Accounts and tables for the tests of one server. `app` is an application's account. */
export async function prepareServer(server: TestServer): Promise<void> {
  for (const role of ROLES) await server.root(printGrants(role, MOVER).join("\n"));
  await server.root(
    "CREATE DATABASE shop; CREATE USER 'app'@'%' IDENTIFIED BY 'app'; GRANT ALL ON shop.* TO 'app'@'%'",
  );
  for (const table of TABLES) {
    await server.root(`CREATE TABLE ${table} (id INT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(40)) ENGINE=InnoDB`);
  }
  // The first statement on a table, and the first read of the server's own tables, cost more than those that follow.
  await server.root(`INSERT INTO shop.items (a) VALUES (1); INSERT INTO shop.orders (a) VALUES (1)`);
}

export function homeOn(server: TestServer, migration = "m1", tables = TABLES, clock = systemClock): MysqlHome {
  return new MysqlHome({
    endpoint: server.endpoint("mover", "mover"),
    migration,
    tables,
    clock,
    log: silentLogger,
    limits: DEFAULT_SWITCH_LIMITS,
  });
}

export function app(server: TestServer, attributes: Record<string, string> = {}): Promise<Connection> {
  return Connection.connect(server.endpoint("app", "app"), { attributes, localInfile: true });
}

/** Table locks on the test's tables that somebody waits for. */
export async function pendingLocks(server: TestServer): Promise<number> {
  const rows = await server.root(
    "SELECT COUNT(*) n FROM performance_schema.metadata_locks WHERE OBJECT_SCHEMA = 'shop' AND LOCK_STATUS = 'PENDING'",
  );
  return Number(rows[0]?.["n"]);
}

/** Statements that wait for a metadata lock. */
export async function waitingStatements(server: TestServer): Promise<number> {
  const [row] = await server.root(
    "SELECT COUNT(*) n FROM performance_schema.threads WHERE PROCESSLIST_STATE LIKE 'Waiting for % metadata lock'",
  );
  return Number(row?.["n"]);
}

/** The columns, keys and triggers of the test's tables, and of what else is beside them. */
export async function definitions(server: TestServer): Promise<unknown> {
  const columns = await server.root(
    "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_KEY, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' ORDER BY 1, 2",
  );
  const triggers = await server.root("SELECT COUNT(*) n FROM information_schema.TRIGGERS WHERE TRIGGER_NAME = 'late'");
  return { columns, triggers, orders: await server.root("SELECT COUNT(*) n FROM shop.orders") };
}

/** The server's error number of a statement that must fail. */
export async function errnoOf(work: Promise<unknown>): Promise<number | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return (error as { readonly errno?: number }).errno;
  }
}

export async function closeAll(...sessions: (HomeSession | Connection | undefined)[]): Promise<void> {
  await Promise.all(sessions.filter((session) => session !== undefined).map((session) => session.close()));
}

/** As journals name a server. */
export async function uuidOf(server: TestServer): Promise<string> {
  const [row] = await server.root("SELECT @@global.server_uuid uuid");
  return row?.["uuid"] ?? "";
}
