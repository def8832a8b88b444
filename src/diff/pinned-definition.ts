import { SwitchyardError } from "../base/errors.ts";
import { type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import { readTableShape } from "../mysql/read-table-shape.ts";
import type { TableSide } from "./open-table.ts";

/**
 * Looks at a definition again once the table is open in the reader's transaction and nobody can change it: a column that was
 * renamed since the snapshot would be read under its new name without any error.
 *
 * @throws {SwitchyardError} `DIFF_TABLE_CHANGED`
 */
export async function requireSameDefinition(side: TableSide, observer: Connection): Promise<void> {
  const now = await readTableShape(observer, side.shape.name);
  if (JSON.stringify(now) !== JSON.stringify(side.shape)) {
    throw definitionChanged(side.shape.name, `server "${observer.endpoint.name}"`);
  }
}

export function definitionChanged(table: TableName, where: string, cause?: unknown): SwitchyardError {
  return new SwitchyardError("DIFF_TABLE_CHANGED", {
    what: `the definition of ${tableKey(table)} on ${where} changed while both sides were being compared`,
    changed: "Nothing was changed; the report is not made.",
    fix: "Start the diff again.",
    cause,
  });
}
