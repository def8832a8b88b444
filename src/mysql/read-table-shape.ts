import type { TableName } from "../base/table-name.ts";
import { shapeQueries } from "../table/shape-queries.ts";
import { parseTableShape, type TableShape } from "../table/table-shape.ts";
import type { Connection } from "./connection.ts";

/**
 * Reads the shape of a table from information_schema. It also works while the connection holds the table locked.
 *
 * @throws {SwitchyardError} `TABLE_MISSING`
 */
export async function readTableShape(connection: Connection, name: TableName): Promise<TableShape> {
  const queries = shapeQueries(name);
  const [table, columns, keys, foreignKeys] = await Promise.all([
    connection.rows(queries.table),
    connection.rows(queries.columns),
    connection.rows(queries.keys),
    connection.rows(queries.foreignKeys),
  ]);
  return parseTableShape(name, { table, columns, keys, foreignKeys });
}
