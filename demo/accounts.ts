import type { MysqlServer } from "../servers/mysql-server.ts";
import type { Deployment } from "./deployment.ts";
import { TABLES } from "./schema.ts";

/** The account of the applications: it exists on both homes, and may do what applications do. */
export const APPLICATION = { user: "shop_app", password: "demo-application" };

/** What an operator does on each server beforehand: runs the statements that `check --print-grants` prints for it. */
export async function createSwitchyardAccount(server: MysqlServer, switchyard: Deployment): Promise<void> {
  const statements = await switchyard.text([
    "check",
    "--print-grants",
    server.name,
    "--with-passwords",
    "--tables",
    TABLES.join(","),
  ]);
  await server.root(statements);
}

/** The applications' own account; an account that is to follow its tables must exist on both homes. */
export async function createApplicationAccount(server: MysqlServer): Promise<void> {
  const { user, password } = APPLICATION;
  await server.root(`CREATE USER '${user}'@'%' IDENTIFIED BY '${password}';
    GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO '${user}'@'%'`);
}
