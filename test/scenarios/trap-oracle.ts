import type { TestServer } from "../support/servers.ts";

/** What a server itself says of one table: its definition, and each row as text that tells every bit. */
export type TableDump = readonly string[];

interface Column {
  readonly name: string;
  readonly type: string;
}

const id = (name: string): string => `\`${name.replaceAll("`", "``")}\``;
const text = (value: string): string => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;

/** `schema.table` of every table in the trap's schema. */
export async function tablesIn(server: TestServer, schema: string): Promise<string[]> {
  const rows = await server.root(
    `SELECT TABLE_NAME t FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${text(schema)} AND TABLE_TYPE = 'BASE TABLE' ORDER BY BINARY TABLE_NAME`,
  );
  return rows.map((row) => `${schema}.${row["t"]}`);
}

/**
 * All tables of a schema as their server shows them: `SHOW CREATE TABLE`, the server's own checksum, and each row by the
 * functions that the server has for its types. None of Switchyard's code reads or prints a value.
 */
export async function dump(server: TestServer, schema: string, tables: readonly string[]): Promise<TableDump> {
  const lines: string[] = [];
  for (const key of tables) {
    const table = key.slice(schema.length + 1);
    const columns = await columnsOf(server, schema, table);
    const from = `${id(schema)}.${id(table)}`;
    const shown = columns.map((column) => `IFNULL(${shownAs(column)}, '~')`).join(", ");
    const rows = await server.root(
      `SET time_zone = '+00:00', group_concat_max_len = 16777216; SELECT CONCAT_WS(' ', ${shown}) AS line FROM ${from}`,
    );
    const [create] = await server.root(`SHOW CREATE TABLE ${from}`);
    // The counter of the next home is ahead on purpose.
    lines.push(`${key} ${String(create?.["Create Table"]).replace(/ AUTO_INCREMENT=\d+/, "")}`);
    lines.push(`${key} has ${rows.length} rows`);
    lines.push(...rows.map(({ line }) => `${key} ${line}`).sort());
    if (columns.some(({ type }) => type === "json")) continue;
    const [checksum] = await server.root(`CHECKSUM TABLE ${from} EXTENDED`);
    lines.push(`${key} checksum ${checksum?.["Checksum"]}`);
  }
  return lines;
}

async function columnsOf(server: TestServer, schema: string, table: string): Promise<Column[]> {
  const rows = await server.root(
    `SELECT COLUMN_NAME n, DATA_TYPE t FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${text(schema)} AND TABLE_NAME = ${text(table)} ORDER BY ORDINAL_POSITION`,
  );
  return rows.map((row) => ({ name: row["n"] ?? "", type: (row["t"] ?? "").toLowerCase() }));
}

/** Long values as length and SHA-2: the server computes both over the stored bytes. */
function shownAs({ name, type }: Column): string {
  const column = id(name);
  // All the digits of a float are seen only as a double; -0 keeps its sign.
  if (type === "float" || type === "double") return `CAST(${column} AS DOUBLE)`;
  if (type === "enum" || type === "set") return `CONCAT(CAST(${column} AS UNSIGNED), '=', HEX(${column}))`;
  if (type === "bit") return `CAST(${column} AS UNSIGNED)`;
  // Not its size: a DECIMAL inside has room for as many digits as the expression that made it, and no function tells.
  if (type === "json") {
    return `CONCAT(JSON_TYPE(${column}), ' ', ${typesInside(column)}, ' ', ${bytes(`CAST(${column} AS CHAR)`)})`;
  }
  if (SPATIAL.test(type)) {
    const wkb = `ST_AsWKB(${column}, 'axis-order=long-lat')`;
    return `CONCAT_WS(' ', ST_SRID(${column}), ST_GeometryType(${column}), ${bytes(wkb)}, ${bytes(column)})`;
  }
  if (type === "vector") return `CONCAT(VECTOR_DIM(${column}), ' ', ${bytes(column)})`;
  if (/text|blob|char|binary/.test(type)) return bytes(column);
  return `HEX(${column})`;
}

const SPATIAL = /^(?:multi)?(?:point|linestring|polygon)$|^geom/;

/** The types of all members and of all elements, at any depth. */
function typesInside(column: string): string {
  const list = (path: string): string => {
    const found = `JSON_TABLE(${column}, '${path}' COLUMNS (n FOR ORDINALITY, part JSON PATH '$')) parts`;
    return bytes(`(SELECT IFNULL(GROUP_CONCAT(JSON_TYPE(part) ORDER BY n), '') FROM ${found})`);
  };
  return `CONCAT(${list("$**.*")}, ' ', ${list("$**[*]")})`;
}

function bytes(value: string): string {
  return `IF(LENGTH(${value}) > 300, CONCAT(LENGTH(${value}), ' ', SHA2(${value}, 256)), HEX(${value}))`;
}
