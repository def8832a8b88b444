import { SIDECAR_SCHEMA } from "../rules/sidecar-schema.ts";

/**
 * What an account is used for. `serve` is all of it, as one account per backend does in a `serve` process. `proxy`
 * needs nothing: it logs in to the servers as its clients do.
 */
export const GRANT_ROLES = ["source-reader", "target-writer", "fence", "diff", "proxy", "check", "serve"] as const;

export type GrantRole = (typeof GRANT_ROLES)[number];

/** Where a privilege must hold. `schemas` stands for each schema that has a table to move. */
export type RequirementScope =
  | { readonly on: "server" }
  | { readonly on: "schemas" }
  | { readonly on: "schema"; readonly schema: string }
  | { readonly on: "table"; readonly schema: string; readonly table: string };

export interface Requirement {
  readonly privileges: readonly string[];
  readonly scope: RequirementScope;
  readonly roles: readonly Exclude<GrantRole, "serve">[];
  /** What cannot be done without it. */
  readonly why: string;
  /** Without it a check sees less, a stream is slower, or clients are refused more than need be; nothing is unsafe. */
  readonly optional?: boolean;
  /** The first version whose servers know these privileges, as 80020 for 8.0.20; left out, every supported one does. */
  readonly since?: number;
}

/** Tables of `mysql` that the check of accounts reads. */
export const ACCOUNT_TABLES = ["user", "default_roles"] as const;

/**
 * All that Switchyard needs, found by running it with less. Each privilege says who needs it, so that an operator who
 * wants an account per task can have it, and one who asks why can be told.
 */
export const REQUIREMENTS: readonly Requirement[] = [
  {
    privileges: ["SELECT"],
    scope: { on: "schemas" },
    roles: ["source-reader", "target-writer", "fence", "diff", "check"],
    why: "to read the rows and definitions of the tables",
  },
  {
    privileges: ["LOCK TABLES"],
    scope: { on: "schemas" },
    roles: ["source-reader", "fence", "diff"],
    why: "to take a snapshot at a known position, and to stop writes during a switch",
  },
  {
    privileges: ["INSERT", "UPDATE", "DELETE"],
    scope: { on: "schemas" },
    roles: ["target-writer"],
    why: "to write the rows of the tables",
  },
  {
    privileges: ["REPLICATION_APPLIER"],
    scope: { on: "server" },
    roles: ["target-writer"],
    why: "to apply changes as row events, several times as fast as by statements; whoever has it can write to any table",
    optional: true,
    since: 80_018,
  },
  {
    privileges: ["CREATE", "ALTER", "DROP", "REFERENCES"],
    scope: { on: "schemas" },
    roles: ["target-writer"],
    why: "to create the tables, and to drop them when the migration is cancelled",
  },
  {
    privileges: ["TRIGGER"],
    scope: { on: "schemas" },
    roles: ["fence", "check"],
    why: "to see the tables' triggers, and to keep writes off the old home after a switch",
  },
  {
    privileges: ["SHOW VIEW", "EVENT"],
    scope: { on: "schemas" },
    roles: ["check"],
    why: "to find views and events that use the tables; a view that cannot be read is refused once tables live on several servers",
    optional: true,
  },
  {
    privileges: ["REPLICATION SLAVE", "REPLICATION CLIENT"],
    scope: { on: "server" },
    roles: ["source-reader"],
    why: "to follow the binary log",
  },
  {
    privileges: ["CONNECTION_ADMIN"],
    scope: { on: "server" },
    roles: ["fence"],
    why: "to end connections of a proxy that has vanished, and transactions that stand in the way of a switch",
  },
  {
    privileges: ["PROCESS"],
    scope: { on: "server" },
    roles: ["check", "fence"],
    why: "to see foreign keys of every schema, and who holds the tables",
  },
  {
    privileges: ["XA_RECOVER_ADMIN"],
    scope: { on: "server" },
    roles: ["check"],
    why: "to see prepared distributed transactions",
  },
  {
    privileges: ["SHOW DATABASES"],
    scope: { on: "server" },
    roles: ["check"],
    why: "to know of every schema that might use the tables; without it stored routines are refused as without SHOW_ROUTINE",
    optional: true,
  },
  {
    privileges: ["SHOW_ROUTINE"],
    scope: { on: "server" },
    roles: ["check"],
    why: "to find routines that use the tables; without it every CALL and stored function is refused once tables live on several servers",
    optional: true,
    since: 80_020,
  },
  {
    privileges: ["SELECT"],
    scope: { on: "schema", schema: "performance_schema" },
    roles: ["source-reader", "fence", "diff", "check"],
    why: "to see who holds the tables and whose connections are whose",
  },
  {
    privileges: ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "LOCK TABLES", "TRIGGER"],
    scope: { on: "schema", schema: SIDECAR_SCHEMA },
    roles: ["source-reader", "target-writer", "fence", "check"],
    why: "to keep positions beside the rows that they are of",
  },
  ...ACCOUNT_TABLES.map(
    (table): Requirement => ({
      privileges: ["SELECT"],
      scope: { on: "table", schema: "mysql", table },
      roles: ["check"],
      why: "to compare the accounts of both servers",
      optional: true,
    }),
  ),
];

/** The oldest server that Switchyard works with, as 80020 for 8.0.20. */
export const OLDEST_VERSION = 80_000;

/** Newer than every server: what is printed where nothing is known of the server's version. */
export const NEWEST_VERSION = Number.MAX_SAFE_INTEGER;

/** What a role needs on a server of this version; `serve` needs everything. */
export function requirementsOf(role: GrantRole, version = NEWEST_VERSION): readonly Requirement[] {
  const known = REQUIREMENTS.filter(({ since }) => since === undefined || version >= since);
  return role === "serve" ? known : known.filter(({ roles }) => roles.includes(role));
}
