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
  /** As 80020 for 8.0.20; left out, the newest. What an older server does not know is not printed for it. */
  readonly version?: number | undefined;
}

/** One statement for an administrator, with its reason. */
export interface GrantStatement {
  readonly statement: string;
  /** The roles that need it, of those asked for. */
  readonly roles: readonly string[];
  readonly why: string;
  /** Without it a check sees less, or a stream is slower; everything works. */
  readonly optional: boolean;
}

/**
 * The statements that make an account for a role with exactly what it needs, in the order to run them, each with its
 * reason. They can be run again: the account is made only where it is missing. None for a role that needs no account.
 */
export function grantStatements(role: GrantRole, target: GrantTarget): readonly GrantStatement[] {
  const requirements = requirementsOf(role, target.version);
  if (requirements.length === 0) return [];
  const account = accountName(target);
  const password = quoteString(target.password ?? "<choose a password>");
  const create = {
    statement: `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY ${password};`,
    roles: [role],
    why: "the account that Switchyard logs in as",
    optional: false,
  };
  const grants = requirements.flatMap((requirement) =>
    grantObjects(requirement, target.schemas, target.partialRevokes === true).map((object) => ({
      statement: `GRANT ${requirement.privileges.join(", ")} ON ${object} TO ${account};`,
      roles: role === "serve" ? requirement.roles : [role],
      why: requirement.why,
      optional: requirement.optional === true,
    })),
  );
  return [create, ...grants];
}

/** The statements of {@link grantStatements} alone. */
export function printGrants(role: GrantRole, target: GrantTarget): readonly string[] {
  return grantStatements(role, target).map(({ statement }) => statement);
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
