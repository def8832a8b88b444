import { SwitchyardError } from "../base/errors.ts";
import { tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { pairColumns } from "../table/column-pairs.ts";
import { mappingOf, type TableMappings } from "../table/table-mapping.ts";
import type { TableShape } from "../table/table-shape.ts";
import type { CopiedTable, FollowedDefinition } from "./copy-state.ts";
import type { Direction } from "./direction.ts";
import { readDefinition, type TableDefinition } from "./table-definitions.ts";

/**
 * Finds out which column of the side that is written each column goes to, in tables that have a mapping. To be called
 * before anything of them is written, each time that a stream begins: the side that is written is read as it is now.
 *
 * @throws {SwitchyardError} `REPLICATION_MAPPING_UNFIT`, `TABLE_MISSING`
 */
export async function carryMapped(
  writer: Connection,
  tables: readonly CopiedTable[],
  mappings: TableMappings | undefined,
  direction: Direction,
): Promise<void> {
  for (const table of tables) {
    const mapping = mappingOf(mappings, table.name);
    if (mapping === undefined) continue;
    const found = await readTableShape(writer, table.name);
    // Keys that are put aside while rows are copied will be there again.
    const written = table.keyed || table.made === undefined ? found : withKeysOf(found, table.made.shape);
    const [source, target] = direction === "forward" ? [table.shape, written] : [written, table.shape];
    const { forward, backward, problems } = pairColumns(source, target, mapping);
    if (problems.length > 0) throw unfit(tableKey(table.name), problems);
    table.carried = direction === "forward" ? forward : backward;
  }
}

/** Names of columns stay, so that positions are those of the columns that are there. */
function withKeysOf(found: TableShape, made: TableShape): TableShape {
  const sameColumns = JSON.stringify(found.columns) === JSON.stringify(made.columns);
  return sameColumns ? { ...found, uniqueKeys: made.uniqueKeys } : found;
}

/**
 * Tables with a mapping as they are on the target, for {@link putKeysAside}: as an earlier beginning has found them, where
 * there was one.
 */
export async function addMade(
  writer: Connection,
  definitions: readonly TableDefinition[],
  mappings: TableMappings | undefined,
  before: readonly CopiedTable[],
): Promise<FollowedDefinition[]> {
  const found: FollowedDefinition[] = [];
  for (const one of definitions) {
    const known = before.find(({ key }) => key === tableKey(one.name))?.made;
    const mapped = mappingOf(mappings, one.name) !== undefined;
    found.push(mapped ? { ...one, made: known ?? (await readDefinition(writer, one.name)) } : one);
  }
  return found;
}

function unfit(table: string, problems: readonly string[]): SwitchyardError {
  return new SwitchyardError("REPLICATION_MAPPING_UNFIT", {
    what: `the definitions of ${table} on both servers are not what the migration's mapping says`,
    details: problems,
    changed: "Nothing was written to it.",
    fix: "Make the definitions what the mapping says, then resume; a migration with another mapping must be created anew.",
  });
}
