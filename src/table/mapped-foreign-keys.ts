import { tableKey } from "../base/table-name.ts";
import { mappingOf, type TableMapping, type TableMappings } from "./table-mapping.ts";
import type { ForeignKeyShape, TableShape } from "./table-shape.ts";

/**
 * How the foreign keys of a table with a mapping differ from those of its source, one line each: one that only one side has
 * lets the other side take rows that it must refuse, and its cascades would be missing in a log.
 */
export function mappedForeignKeys(source: TableShape, target: TableShape, mappings: TableMappings): string[] {
  const renamed = (key: ForeignKeyShape): ForeignKeyShape => ({
    ...key,
    columns: across(mappingOf(mappings, source.name), key.columns),
    referencedColumns: across(mappingOf(mappings, key.references), key.referencedColumns),
  });
  const mine = new Map(source.foreignKeys.map((key) => [identity(renamed(key)), key.name]));
  const theirs = new Map(target.foreignKeys.map((key) => [identity(key), key.name]));
  const only = (some: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>, where: string): string[] =>
    [...some].filter(([key]) => !others.has(key)).map(([, name]) => `foreign key ${name} is on the ${where} alone`);
  return [...only(mine, theirs, "source"), ...only(theirs, mine, "target")];
}

function across(mapping: TableMapping | undefined, columns: readonly string[]): readonly string[] {
  const renames = new Map(Object.entries(mapping?.rename ?? {}).map(([from, to]) => [from.toLowerCase(), to]));
  return columns.map((column) => renames.get(column.toLowerCase()) ?? column);
}

/** Without its name, which counts for nothing. */
function identity(key: ForeignKeyShape): string {
  const columns = [key.columns, key.referencedColumns].map((names) => names.map((name) => name.toLowerCase()));
  return JSON.stringify([tableKey(key.references), columns, key.onUpdate, key.onDelete]);
}
