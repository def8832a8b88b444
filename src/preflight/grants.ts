import { quoteId } from "../base/table-name.ts";
import { type GrantRole, type Requirement, requirementsOf } from "./requirements.ts";

/** Whom the statements are for. */
export interface GrantTarget {
  readonly user: string;
  readonly host: string;
  /** Schemas that have tables to move. */
  readonly schemas: readonly string[];
  /** Left out, a placeholder stands in its place. */
  readonly password?: string | undefined;
  /** Whether the server has `partial_revokes` on: then names of schemas in grants are no patterns. */
  readonly partialRevokes?: boolean | undefined;
}

/**
 * The statements that make an account for a role with exactly what it needs, in the order to run them. They can be
 * run again: the account is made only where it is missing.
 */
export function printGrants(role: GrantRole, target: GrantTarget): readonly string[] {
  const account = accountName(target);
  const password = quoteString(target.password ?? "<choose a password>");
  const grants = mergeByObject(requirementsOf(role), target);
  return [
    `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY ${password};`,
    ...[...grants].map(([object, privileges]) => `GRANT ${[...privileges].join(", ")} ON ${object} TO ${account};`),
  ];
}

/** What stands behind ON for each object that a requirement is about. */
export function grantObjects(requirement: Requirement, schemas: readonly string[], exact: boolean): readonly string[] {
  const { scope } = requirement;
  switch (scope.on) {
    case "server":
      return ["*.*"];
    case "schemas":
      return schemas.map((schema) => `${schemaPattern(schema, exact)}.*`);
    case "schema":
      return [`${schemaPattern(scope.schema, exact)}.*`];
    case "table":
      return [`${quoteId(scope.schema)}.${quoteId(scope.table)}`];
  }
}

function mergeByObject(requirements: readonly Requirement[], target: GrantTarget): Map<string, Set<string>> {
  const grants = new Map<string, Set<string>>();
  for (const requirement of requirements) {
    for (const object of grantObjects(requirement, target.schemas, target.partialRevokes === true)) {
      const privileges = grants.get(object) ?? new Set();
      for (const privilege of requirement.privileges) privileges.add(privilege);
      grants.set(object, privileges);
    }
  }
  return grants;
}

/** The name of a schema in a grant: `_` and `%` would match anything, unless partial revokes are on. */
function schemaPattern(schema: string, exact: boolean): string {
  return quoteId(exact ? schema : schema.replaceAll(/[\\%_]/g, "\\$&"));
}

/** `'user'@'host'`, quoted. */
export function accountName(account: { readonly user: string; readonly host: string }): string {
  return `${quoteString(account.user)}@${quoteString(account.host)}`;
}

/** A string for a statement that a person will read and run under any `sql_mode` without backslashes in it. */
function quoteString(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
