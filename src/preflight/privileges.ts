/** One line of SHOW GRANTS, taken apart. */
interface GrantLine {
  readonly revoke: boolean;
  /** Upper case; `ALL PRIVILEGES` as such. Column privileges are left out: they do not cover a table. */
  readonly privileges: ReadonlySet<string>;
  /** `*` for all; else a pattern, or a name where patterns are off. */
  readonly schema: string;
  readonly table: string;
}

/** Privileges that ALL PRIVILEGES on a schema or a table stands for. */
const ALL_OF_A_SCHEMA: ReadonlySet<string> = new Set([
  "SELECT",
  "INSERT",
  "UPDATE",
  "DELETE",
  "CREATE",
  "DROP",
  "REFERENCES",
  "INDEX",
  "ALTER",
  "CREATE TEMPORARY TABLES",
  "LOCK TABLES",
  "CREATE VIEW",
  "SHOW VIEW",
  "CREATE ROUTINE",
  "ALTER ROUTINE",
  "EXECUTE",
  "EVENT",
  "TRIGGER",
]);

/**
 * What an account may do, read from the lines of SHOW GRANTS: at the level of the server, of schemas (whose names
 * may be patterns), and of tables, with partial revokes.
 */
export class Privileges {
  readonly lines: readonly string[];
  /** Names of the roles that the account was granted, as written. */
  readonly roles: readonly string[];
  readonly #grants: readonly GrantLine[];
  readonly #exact: boolean;

  /** @param exactSchemas whether `partial_revokes` is on: then the names of schemas are no patterns */
  constructor(lines: readonly string[], exactSchemas: boolean) {
    this.lines = lines;
    this.#exact = exactSchemas;
    this.#grants = lines.flatMap((line) => parseGrant(line) ?? []);
    this.roles = lines.flatMap((line) => parseRoles(line));
  }

  /** Whether the privilege holds for the whole server. */
  global(privilege: string): boolean {
    return this.#grants.some((grant) => !grant.revoke && grant.schema === "*" && covers(grant, privilege, true));
  }

  /** Whether the privilege holds for every table of a schema. */
  onSchema(privilege: string, schema: string): boolean {
    if (this.global(privilege) && !this.#revoked(privilege, schema)) return true;
    return this.#grants.some(
      (grant) =>
        !grant.revoke &&
        grant.schema !== "*" &&
        grant.table === "*" &&
        this.#matches(grant.schema, schema) &&
        covers(grant, privilege, false),
    );
  }

  /** Whether the privilege holds for a table. */
  onTable(privilege: string, schema: string, table: string): boolean {
    if (this.onSchema(privilege, schema)) return true;
    return this.#grants.some(
      (grant) => !grant.revoke && grant.schema === schema && grant.table === table && covers(grant, privilege, false),
    );
  }

  #revoked(privilege: string, schema: string): boolean {
    return this.#grants.some((grant) => grant.revoke && grant.schema === schema && covers(grant, privilege, false));
  }

  #matches(pattern: string, schema: string): boolean {
    return this.#exact ? pattern === schema : patternMatches(pattern, schema);
  }
}

function covers(grant: GrantLine, privilege: string, global: boolean): boolean {
  if (grant.privileges.has(privilege)) return true;
  if (!grant.privileges.has("ALL PRIVILEGES")) return false;
  return global || ALL_OF_A_SCHEMA.has(privilege);
}

/** The server's wildcards in the schema of a grant: `%` any characters, `_` one, `\` takes the next as it is. */
export function patternMatches(pattern: string, name: string): boolean {
  let expression = "";
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern.charAt(i);
    if (character === "%") expression += "[^]*";
    else if (character === "_") expression += "[^]";
    else {
      const literal = character === "\\" && i + 1 < pattern.length ? pattern.charAt(++i) : character;
      expression += literal.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    }
  }
  return new RegExp(`^${expression}$`, "u").test(name);
}

const IDENTIFIER = "(\\*|`(?:[^`]|``)*`)";
const GRANT = new RegExp(`^(GRANT|REVOKE) (.+) ON (?:TABLE )?${IDENTIFIER}\\.${IDENTIFIER} (?:TO|FROM) `, "s");

function parseGrant(line: string): GrantLine | undefined {
  const match = GRANT.exec(line);
  if (match === null) return undefined;
  const [, verb = "", list = "", schema = "", table = ""] = match;
  return {
    revoke: verb === "REVOKE",
    privileges: new Set(splitPrivileges(list)),
    schema: unquote(schema),
    table: unquote(table),
  };
}

/** `SELECT, INSERT (a, b), UPDATE`: those with a list of columns are left out. */
function splitPrivileges(list: string): string[] {
  return list
    .replaceAll(/[A-Z ]+\((?:[^)`]|`(?:[^`]|``)*`)*\)/g, "")
    .split(",")
    .map((privilege) => privilege.trim().toUpperCase())
    .filter((privilege) => privilege !== "");
}

/** `GRANT `r`@`%`,`s`@`%` TO …` */
function parseRoles(line: string): string[] {
  const match = /^GRANT (`(?:[^`]|``)*`@`(?:[^`]|``)*`(?:,`(?:[^`]|``)*`@`(?:[^`]|``)*`)*) TO /.exec(line);
  return match?.[1]?.match(/`(?:[^`]|``)*`@`(?:[^`]|``)*`/g) ?? [];
}

function unquote(identifier: string): string {
  return identifier === "*" ? identifier : identifier.slice(1, -1).replaceAll("``", "`");
}
