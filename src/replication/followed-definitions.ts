import { type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { mappingOf, type TableMappings } from "../table/table-mapping.ts";
import { loadCopyState } from "./copy-state.ts";
import type { StreamName } from "./stream-session.ts";
import { readDefinition, type TableDefinition } from "./table-definitions.ts";

/** A stream that does not copy, and its sessions on both servers. */
export interface Beginning {
  readonly name: StreamName;
  readonly tables: readonly TableName[];
  readonly mappings: TableMappings | undefined;
  /** On the server that is followed. */
  readonly observer: Connection;
  readonly writer: Connection;
}

/**
 * The definitions by which a stream that does not copy reads its first rows. It begins at a moment that has passed, the swap, and
 * somebody may have altered the tables since: clients on the server that is followed, which its log tells, and somebody past us on
 * the one that is written to, which nothing tells.
 *
 * The switch has found both alike, and has closed the stream that went the other way: that one has kept, on the server that is
 * followed, how it read the rows of the other until its last one. Where that is not there, the table that is written to is read.
 *
 * Where a mapping has both differ the table that is followed is read; the layout of each row is looked at all the same.
 */
export async function definitionsAtSwap(beginning: Beginning): Promise<readonly TableDefinition[]> {
  const { name, tables, mappings, observer, writer } = beginning;
  const direction = name.direction === "forward" ? "reverse" : "forward";
  const closed = await loadCopyState(observer, { migration: name.migration, direction }, tables);
  const definitions: TableDefinition[] = [];
  for (const table of tables) {
    const isMapped = mappingOf(mappings, table) !== undefined;
    const kept = isMapped ? undefined : closed?.tables.find(({ key }) => key === tableKey(table));
    definitions.push(
      kept === undefined
        ? await readDefinition(isMapped ? observer : writer, table)
        : { name: table, definition: kept.definition, shape: kept.shape },
    );
  }
  return definitions;
}
