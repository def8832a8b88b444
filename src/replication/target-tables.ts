import { SwitchyardError } from "../base/errors.ts";
import { quoteId, quoteTable, quoteText, type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { rowKey } from "../table/row-key.ts";
import { mappingOf, type TableMappings } from "../table/table-mapping.ts";
import type { FollowedDefinition } from "./copy-state.ts";
import { ddlComment, SIDECAR } from "./sidecar.ts";
import type { StreamName } from "./stream-session.ts";
import type { TableDefinition } from "./table-definitions.ts";
import { addClauses, clauseName, createSchema, cutDefinition, type TargetDefinition } from "./target-definition.ts";

/** How a statement of ours on the target is marked, for the stream that will follow the target one day. */
function marked(name: StreamName, sql: string): string {
  return `${ddlComment(name.migration, "copy")} ${sql}`;
}

/**
 * Creates schemas and tables on the target where they are missing, without secondary and foreign keys. A table that
 * is there already must be empty: its rows would mix with ours. One with a mapping is there already: its operator has made it.
 *
 * @throws {SwitchyardError} `REPLICATION_TARGET_NOT_EMPTY`, `TABLE_MISSING`
 */
export async function createTargetTables(
  source: Connection,
  target: Connection,
  name: StreamName,
  definitions: readonly TableDefinition[],
  mappings?: TableMappings,
): Promise<void> {
  for (const schema of new Set(definitions.map((one) => one.name.schema))) {
    const row = await source.one(
      "SELECT default_character_set_name AS charset, default_collation_name AS collation " +
        `FROM information_schema.schemata WHERE schema_name = ${quoteText(schema)}`,
    );
    const sql = createSchema(schema, row?.["charset"] ?? "utf8mb4", row?.["collation"] ?? "utf8mb4_0900_ai_ci");
    if (!(await schemaExists(target, schema))) await target.query(marked(name, sql));
  }
  for (const one of definitions) {
    const table = one.name;
    if (await tableExists(target, table)) {
      const row = await target.one(`SELECT 1 AS present FROM ${quoteTable(table)} LIMIT 1`);
      if (row !== undefined) throw notEmpty(table);
    } else if (mappingOf(mappings, table) !== undefined) {
      throw missing(table);
    } else {
      await target.query(marked(name, cut(one).create));
    }
  }
}

/**
 * Adds the secondary keys, then the foreign keys, that the target's tables lack, and notes that they have them. To be
 * called when every row has been copied and the stream has done with all that any snapshot held: before that, rows of
 * different moments lie side by side and may share a unique value for a while. A table with a mapping gets the keys that its
 * operator had given it. Each of `targets` is at work on another table.
 */
export async function buildKeys(
  targets: readonly [Connection, ...Connection[]],
  name: StreamName,
  tables: readonly FollowedDefinition[],
  onTable: (table: TableName) => void,
): Promise<void> {
  const [target] = targets;
  const definitions = tables.map((table) => cut({ ...table, ...table.made }));
  const left = [...definitions];
  const builders = targets.map(async (connection) => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      onTable(one.table);
      const sql = addClauses(one.table, one.keys, await presentNames(connection, one.table, "keys"));
      if (sql !== undefined) await connection.query(marked(name, sql));
    }
  });
  try {
    await Promise.all(builders);
  } catch (error) {
    // The others end what they have begun: a table that is being altered must not be met again.
    left.length = 0;
    await Promise.allSettled(builders);
    throw error;
  }
  for (const { table, foreignKeys } of definitions) {
    const sql = addClauses(table, foreignKeys, await presentNames(target, table, "foreignKeys"));
    if (sql !== undefined) await target.query(marked(name, sql));
  }
  await target.query(
    `UPDATE ${SIDECAR.shape} SET keyed = 1 WHERE migration = ${quoteText(name.migration)} ` +
      `AND direction = '${name.direction}'`,
  );
}

/**
 * Takes those keys off tables with a mapping that the others do not have either before they are copied. To be called once it is
 * recorded what they were, and before the first row is copied, or again after an interruption.
 */
export async function putKeysAside(
  target: Connection,
  name: StreamName,
  tables: readonly FollowedDefinition[],
): Promise<void> {
  const mapped = tables.flatMap((table) => (table.made === undefined ? [] : [cut({ ...table, ...table.made })]));
  // A key that a foreign key needs stays for as long as that is there.
  for (const what of ["foreignKeys", "keys"] as const) {
    for (const { table, [what]: clauses } of mapped) {
      const present = await presentNames(target, table, what);
      const names = clauses.map(clauseName).filter((key) => present.has(key));
      const drops = names.map((key) => `DROP ${what === "keys" ? "KEY" : "FOREIGN KEY"} ${quoteId(key)}`);
      if (drops.length > 0) await target.query(marked(name, `ALTER TABLE ${quoteTable(table)} ${drops.join(", ")}`));
    }
  }
}

/** What the rows are found by is there from the beginning: while the stream catches up, too. */
function cut({ name, definition, shape }: TableDefinition): TargetDefinition {
  const key = rowKey(shape);
  return cutDefinition(name, definition, key === undefined ? "all" : new Set([key.name]));
}

/** A foreign key and the index that the server makes for it have the same name. */
async function presentNames(
  target: Connection,
  table: TableName,
  what: "keys" | "foreignKeys",
): Promise<ReadonlySet<string>> {
  const where = `table_schema = ${quoteText(table.schema)} AND table_name = ${quoteText(table.table)}`;
  const rows = await target.rows(
    what === "keys"
      ? `SELECT DISTINCT index_name AS name FROM information_schema.statistics WHERE ${where}`
      : `SELECT constraint_name AS name FROM information_schema.table_constraints WHERE ${where} AND constraint_type = 'FOREIGN KEY'`,
  );
  return new Set(rows.map((row) => row["name"] ?? ""));
}

async function schemaExists(target: Connection, schema: string): Promise<boolean> {
  const sql = `SELECT 1 AS present FROM information_schema.schemata WHERE schema_name = ${quoteText(schema)}`;
  return (await target.one(sql)) !== undefined;
}

async function tableExists(target: Connection, { schema, table }: TableName): Promise<boolean> {
  const sql =
    `SELECT 1 AS present FROM information_schema.tables WHERE table_schema = ${quoteText(schema)} ` +
    `AND table_name = ${quoteText(table)}`;
  return (await target.one(sql)) !== undefined;
}

function notEmpty(table: TableName): SwitchyardError {
  return new SwitchyardError("REPLICATION_TARGET_NOT_EMPTY", {
    what: `${tableKey(table)} has rows on the target already`,
    changed: "Nothing was copied.",
    fix: "Empty or drop the table on the target, after making sure that nobody needs it there.",
  });
}

function missing(table: TableName): SwitchyardError {
  return new SwitchyardError("TABLE_MISSING", {
    what: `${tableKey(table)} has a mapping, and is not on the target`,
    changed: "Nothing was copied.",
    fix: "Make the table on the target as the mapping says, then resume.",
  });
}
