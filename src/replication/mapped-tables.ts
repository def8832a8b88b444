import { SwitchyardError } from "../base/errors.ts";
import { tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import { pairColumns } from "../table/column-pairs.ts";
import { mappingOf, type TableMappings } from "../table/table-mapping.ts";
import type { CopiedTable } from "./copy-state.ts";
import type { Direction } from "./direction.ts";

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
    const written = await readTableShape(writer, table.name);
    const [source, target] = direction === "forward" ? [table.shape, written] : [written, table.shape];
    const { forward, backward, problems } = pairColumns(source, target, mapping);
    if (problems.length > 0) throw unfit(tableKey(table.name), problems);
    table.carried = direction === "forward" ? forward : backward;
  }
}

function unfit(table: string, problems: readonly string[]): SwitchyardError {
  return new SwitchyardError("REPLICATION_MAPPING_UNFIT", {
    what: `the definitions of ${table} on both servers are not what the migration's mapping says`,
    details: problems,
    changed: "Nothing was written to it.",
    fix: "Make the definitions what the mapping says, then resume; a migration with another mapping must be created anew.",
  });
}
