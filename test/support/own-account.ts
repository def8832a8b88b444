import type { Endpoint } from "../../src/mysql/endpoint.ts";
import { printGrants } from "../../src/preflight/grants.ts";
import type { GrantRole } from "../../src/preflight/requirements.ts";
import type { TestServer } from "./servers.ts";

/** The account of Switchyard's own code in tests. Nothing makes it but the statements that `--print-grants` prints. */
const OWN = { user: "switchyard", password: "own-account-secret" };

/** An application's account, for tests that write to the tables beside Switchyard. */
const CLIENT = { user: "shop_client", password: "client-secret" };

/**
 * Where and as whom Switchyard's code logs in to `server` for `role`: with exactly the rights that are printed for it
 * and for roles that the same test asked for before.
 */
export async function ownEndpoint(server: TestServer, role: GrantRole, schemas: readonly string[]): Promise<Endpoint> {
  await server.root(printGrants(role, { ...OWN, host: "%", schemas }).join("\n"));
  return server.endpoint(OWN.user, OWN.password);
}

/** Where and as whom an application logs in that may do anything with these schemas, and nothing else. */
export async function clientEndpoint(server: TestServer, schemas: readonly string[]): Promise<Endpoint> {
  const grants = schemas.map((schema) => `GRANT ALL ON \`${schema}\`.* TO '${CLIENT.user}'@'%'`);
  await server.root(
    [`CREATE USER IF NOT EXISTS '${CLIENT.user}'@'%' IDENTIFIED BY '${CLIENT.password}'`, ...grants].join(";"),
  );
  return server.endpoint(CLIENT.user, CLIENT.password);
}

/** The schemas of tables named as schema.table. */
export function schemasOf(tables: readonly string[]): readonly string[] {
  return [...new Set(tables.map((table) => table.split(".")[0] ?? ""))];
}
