import type { TableName } from "../base/table-name.ts";
import { accountName } from "./grants.ts";
import { Privileges } from "./privileges.ts";
import type { ServerView } from "./server-view.ts";

/** Privileges by which an application can use a table. */
const USES_A_TABLE = [
  "SELECT",
  "INSERT",
  "UPDATE",
  "DELETE",
  "CREATE",
  "ALTER",
  "DROP",
  "INDEX",
  "TRIGGER",
  "REFERENCES",
];

/** More are not compared one by one. */
export const ACCOUNTS_MAX = 2000;

/** An account as `mysql.user` has it; a role is one too. */
export interface Account {
  readonly user: string;
  readonly host: string;
  readonly plugin: string;
  /** Hexadecimal, so that any bytes survive. */
  readonly hash: string;
  readonly locked: boolean;
  readonly expired: boolean;
  /** Requirement of TLS, empty for none. */
  readonly tls: string;
}

/** What one server says of one account. */
export interface AccountGrants {
  readonly account: Account;
  /** As SHOW GRANTS prints them, without roles expanded. */
  readonly lines: readonly string[];
  readonly privileges: Privileges;
  /** Roles that are active from the login on, `` `role`@`host` ``. */
  readonly defaultRoles: readonly string[];
}

/** All accounts but the server's own and ours. */
export async function readAccounts(server: ServerView): Promise<readonly Account[]> {
  const rows = await server.rows(
    "SELECT User user, Host host, plugin, HEX(authentication_string) hash, account_locked locked, " +
      "password_expired expired, ssl_type tls FROM mysql.user WHERE User NOT LIKE 'mysql.%' " +
      "AND CONCAT(User, '@', Host) <> CURRENT_USER() ORDER BY User, Host",
  );
  return rows.map((row) => ({
    user: row["user"] ?? "",
    host: row["host"] ?? "",
    plugin: row["plugin"] ?? "",
    hash: row["hash"] ?? "",
    locked: row["locked"] === "Y",
    expired: row["expired"] === "Y",
    tls: row["tls"] ?? "",
  }));
}

/** Reads the grants of accounts, one by one. */
export async function readGrants(server: ServerView, accounts: readonly Account[]): Promise<readonly AccountGrants[]> {
  const exact = (await server.variable("partial_revokes")) === "ON";
  const defaults = await readDefaultRoles(server);
  const grants: AccountGrants[] = [];
  for (const account of accounts) {
    const rows = await server.rows(`SHOW GRANTS FOR ${accountName(account)}`);
    const lines = rows.map((row) => Object.values(row)[0] ?? "");
    grants.push({
      account,
      lines,
      privileges: new Privileges(lines, exact),
      defaultRoles: defaults.get(keyOf(account)) ?? [],
    });
  }
  return grants;
}

async function readDefaultRoles(server: ServerView): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await server.rows(
    "SELECT CONCAT(USER, '@', HOST) account, DEFAULT_ROLE_USER user, DEFAULT_ROLE_HOST host FROM mysql.default_roles",
  );
  const roles = new Map<string, string[]>();
  for (const row of rows) {
    const role = roleKey({ user: row["user"] ?? "", host: row["host"] ?? "" });
    const account = row["account"] ?? "";
    roles.set(account, [...(roles.get(account) ?? []), role]);
  }
  return roles;
}

/** `user@host`, which names an account on either server. */
export function keyOf(account: { readonly user: string; readonly host: string }): string {
  return `${account.user}@${account.host}`;
}

/** As SHOW GRANTS writes a role. */
export function roleKey(account: { readonly user: string; readonly host: string }): string {
  const quote = (text: string): string => `\`${text.replaceAll("`", "``")}\``;
  return `${quote(account.user)}@${quote(account.host)}`;
}

/**
 * The accounts that can use one of the tables: by their own grants, or by a role, at any remove. Roles that give
 * such rights are among them.
 */
export function usersOf(grants: readonly AccountGrants[], tables: readonly TableName[]): readonly AccountGrants[] {
  const found = new Set(grants.filter(({ privileges }) => usesAny(privileges, tables)));
  for (;;) {
    const roles = new Set([...found].map(({ account }) => roleKey(account)));
    const more = grants.filter((one) => !found.has(one) && one.privileges.roles.some((role) => roles.has(role)));
    if (more.length === 0) return grants.filter((one) => found.has(one));
    for (const one of more) found.add(one);
  }
}

function usesAny(privileges: Privileges, tables: readonly TableName[]): boolean {
  return tables.some(({ schema, table }) => USES_A_TABLE.some((name) => privileges.onTable(name, schema, table)));
}

/** What the target lacks so that the account can use the tables there as it does on the source. */
export interface MissingAccess {
  /** Statements that add it, in order. */
  readonly statements: readonly string[];
  /** For people: what is missing. */
  readonly what: string;
}

/**
 * Compares an account of the source with the one of the same name on the target. Rights that it has beyond the
 * tables are left alone; rights that the target gives in another form count.
 */
export function missingAccess(
  source: AccountGrants,
  target: AccountGrants | undefined,
  tables: readonly TableName[],
): MissingAccess | undefined {
  const name = accountName(source.account);
  const create = target === undefined ? [createUser(source.account)] : [];
  const lacking = tables.flatMap(({ schema, table }) =>
    USES_A_TABLE.filter(
      (privilege) =>
        source.privileges.onTable(privilege, schema, table) &&
        target?.privileges.onTable(privilege, schema, table) !== true,
    ).map((privilege) => ({ privilege, object: `${schema}.${table}` })),
  );
  const roles = source.privileges.roles.filter((role) => target?.privileges.roles.includes(role) !== true);
  const columns = source.lines.filter((line) => isOfColumns(line) && target?.lines.includes(line) !== true);
  const defaults = source.defaultRoles.filter((role) => target?.defaultRoles.includes(role) !== true);
  if (create.length + lacking.length + roles.length + columns.length + defaults.length === 0) return undefined;
  const statements = [
    ...create,
    ...grantsOf(source, lacking.length > 0, tables),
    ...columns.map((line) => `${line};`),
    ...roles.map((role) => `GRANT ${role} TO ${name};`),
    ...(defaults.length > 0 ? [`SET DEFAULT ROLE ${source.defaultRoles.join(", ")} TO ${name};`] : []),
  ];
  return { statements, what: describe(target === undefined, lacking, roles, columns, defaults) };
}

/** The source's own lines that reach one of the tables. */
function grantsOf(source: AccountGrants, any: boolean, tables: readonly TableName[]): string[] {
  if (!any) return [];
  return source.lines
    .filter((line) => !isOfColumns(line) && usesAny(new Privileges([line], false), tables))
    .map((line) => `${line};`);
}

/** `GRANT SELECT (a, b) ON …`: compared as text. */
function isOfColumns(line: string): boolean {
  return /^GRANT [^`]*\(/.test(line);
}

function describe(
  missing: boolean,
  lacking: readonly { readonly privilege: string; readonly object: string }[],
  roles: readonly string[],
  columns: readonly string[],
  defaults: readonly string[],
): string {
  if (missing) return "does not exist";
  const objects = new Map<string, string[]>();
  for (const { privilege, object } of lacking) objects.set(object, [...(objects.get(object) ?? []), privilege]);
  return [
    ...[...objects].map(([object, privileges]) => `lacks ${privileges.join(", ")} on ${object}`),
    ...(roles.length > 0 ? [`lacks the roles ${roles.join(", ")}`] : []),
    ...(columns.length > 0 ? ["lacks privileges on columns"] : []),
    ...(defaults.length > 0 ? [`does not have ${defaults.join(", ")} by default`] : []),
  ].join("; ");
}

/** Makes the account with the very same hash, so that the same password opens it. */
function createUser(account: Account): string {
  const hash = account.hash === "" ? "" : ` AS 0x${account.hash}`;
  const tls = { ANY: " REQUIRE SSL", X509: " REQUIRE X509" }[account.tls] ?? "";
  const locked = account.locked ? " ACCOUNT LOCK" : "";
  return `CREATE USER ${accountName(account)} IDENTIFIED WITH '${account.plugin}'${hash}${tls}${locked};`;
}
