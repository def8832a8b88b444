import { SwitchyardError } from "../base/errors.ts";
import { quoteTable, type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { shapeQueries } from "../table/shape-queries.ts";
import { parseTableShape, type TableShape } from "../table/table-shape.ts";

/** A table as the source defines it. */
export interface TableDefinition {
  readonly name: TableName;
  /** `SHOW CREATE TABLE`, under an empty `sql_mode`. */
  readonly definition: string;
  readonly shape: TableShape;
}

/** Reads text and shape. @throws {SwitchyardError} `TABLE_MISSING` */
export async function readDefinition(connection: Connection, name: TableName): Promise<TableDefinition> {
  const queries = shapeQueries(name);
  const shape = parseTableShape(name, {
    table: await connection.rows(queries.table),
    columns: await connection.rows(queries.columns),
    keys: await connection.rows(queries.keys),
    foreignKeys: await connection.rows(queries.foreignKeys),
  });
  return { name, definition: await showCreate(connection, name), shape };
}

export async function readDefinitions(
  connection: Connection,
  names: readonly TableName[],
): Promise<readonly TableDefinition[]> {
  const definitions: TableDefinition[] = [];
  for (const name of names) definitions.push(await readDefinition(connection, name));
  return definitions;
}

/** The text alone, one round trip: for use while the table is locked. */
export async function showCreate(connection: Connection, name: TableName): Promise<string> {
  const row = await connection.one(`SHOW CREATE TABLE ${quoteTable(name)}`);
  return row?.["Create Table"] ?? "";
}

/** Whether two definitions are the same but for the counter, which moves with every insert. */
export function sameDefinition(a: string, b: string): boolean {
  return withoutCounter(a) === withoutCounter(b);
}

export function withoutCounter(definition: string): string {
  return definition.replace(/(\n\)[^\n]*?) AUTO_INCREMENT=\d+/, "$1");
}

export function definitionChanged(name: TableName, when: string): SwitchyardError {
  return new SwitchyardError("REPLICATION_TABLE_CHANGED", {
    what: `the definition of ${tableKey(name)} changed ${when}`,
    changed: "The chunk under way was not kept.",
    fix: "Undo the change on the source, or cancel the migration and create it again.",
  });
}
