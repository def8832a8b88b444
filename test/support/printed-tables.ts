import { COLUMN, type ColumnType } from "../../src/binlog/column-type.ts";
import { TABLE_FLAG } from "../../src/binlog/event-types.ts";
import type { TableMap } from "../../src/binlog/table-map.ts";
import { decodeTableMetadata, type TableMetadata } from "../../src/binlog/table-metadata.ts";
import { quoted } from "./printed-values.ts";

/** The collations that our tests use, by the numbers that the server gives them. */
const COLLATIONS: Readonly<Record<number, string>> = {
  8: "CHARSET latin1 COLLATE latin1_swedish_ci",
  33: "CHARSET utf8mb3 COLLATE utf8mb3_general_ci",
  47: "CHARSET latin1 COLLATE latin1_bin",
  54: "CHARSET utf16 COLLATE utf16_general_ci",
  255: "CHARSET utf8mb4 COLLATE utf8mb4_0900_ai_ci",
};
const BINARY = 63;
const GEOMETRIES = ["GEOMETRY", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON"];
const BLOBS = ["", "TINY", "", "MEDIUM", "LONG"];
const CHARSET_BYTES: Readonly<Record<number, number>> = { 33: 3, 54: 4, 255: 4 };

const PLAIN: Readonly<Record<number, string>> = {
  [COLUMN.TINY]: "TINYINT",
  [COLUMN.SHORT]: "SMALLINT",
  [COLUMN.INT24]: "MEDIUMINT",
  [COLUMN.LONG]: "INT",
  [COLUMN.LONGLONG]: "BIGINT",
  [COLUMN.FLOAT]: "FLOAT",
  [COLUMN.DOUBLE]: "DOUBLE",
  [COLUMN.YEAR]: "YEAR",
  [COLUMN.DATE]: "DATE",
  [COLUMN.JSON]: "JSON",
};

/** A table map as `mysqlbinlog --print-table-metadata` prints it. */
export function tableLines(table: TableMap): string[] {
  const metadata = decodeTableMetadata(table.columns, table.metadata);
  const generated = (table.flags & TABLE_FLAG.GENERATED_INVISIBLE_PRIMARY_KEY) !== 0 ? 1 : 0;
  const lines = [
    `table \`${table.schema}\`.\`${table.table}\` ${table.tableId} has_generated_invisible_primary_key=${generated}`,
    ...table.columns.map((column, i) => `  ${columnText(table, metadata, column, i)}`),
  ];
  if (generated === 1) {
    // mysqlbinlog knows the name and the rest of this column, whatever the metadata tell.
    lines[1] = "  `my_row_id` BIGINT UNSIGNED NOT NULL INVISIBLE AUTO_INCREMENT";
    lines.push("  Primary Key(my_row_id)");
  } else if (metadata.primaryKey !== undefined) {
    const parts = metadata.primaryKey.map(({ column, prefixLength }) => {
      const name = table.names?.[column] ?? String(column);
      return prefixLength > 0 ? `${name}(${prefixLength})` : name;
    });
    lines.push(`  Primary Key(${parts.join(", ")})`);
  }
  return lines;
}

function columnText(table: TableMap, metadata: TableMetadata, column: ColumnType, i: number): string {
  const words = [typeText(table, metadata, column, i)];
  const name = table.names?.[i];
  if (name !== undefined) words.unshift(`\`${name}\``);
  if (table.unsigned?.[i] === true && column.type !== COLUMN.YEAR) words.push("UNSIGNED");
  if (((table.nullable[i >> 3] ?? 0) & (1 << (i & 7))) === 0) words.push("NOT NULL");
  const collation = metadata.labelCollations?.[i] ?? table.collations?.[i];
  if (collation !== undefined && collation !== BINARY) words.push(COLLATIONS[collation] ?? `collation ${collation}`);
  if (metadata.visible?.[i] === false) words.push("INVISIBLE");
  return words.join(" ");
}

function typeText(table: TableMap, metadata: TableMetadata, column: ColumnType, i: number): string {
  const { type, meta } = column;
  const collation = table.collations?.[i];
  const isBinary = collation === BINARY;
  const characters = meta / (CHARSET_BYTES[collation ?? 0] ?? 1);
  const labels = metadata.labels?.[i] ?? [];
  switch (type) {
    case COLUMN.NEWDECIMAL:
      return `DECIMAL(${meta >> 8},${meta & 255})`;
    case COLUMN.BIT:
      return `BIT(${meta})`;
    case COLUMN.TIME2:
      return meta > 0 ? `TIME(${meta})` : "TIME";
    case COLUMN.DATETIME2:
      return meta > 0 ? `DATETIME(${meta})` : "DATETIME";
    case COLUMN.TIMESTAMP2:
      return meta > 0 ? `TIMESTAMP(${meta})` : "TIMESTAMP";
    case COLUMN.STRING:
      return isBinary ? `BINARY(${meta})` : `CHAR(${characters})`;
    case COLUMN.VARCHAR:
      return isBinary ? `VARBINARY(${meta})` : `VARCHAR(${characters})`;
    case COLUMN.BLOB:
      return `${BLOBS[meta]}${isBinary ? "BLOB" : "TEXT"}`;
    case COLUMN.ENUM:
    case COLUMN.SET: {
      const name = type === COLUMN.ENUM ? "ENUM" : "SET";
      return labels.length > 0 ? `${name}(${labels.map((label) => quoted(label)).join(", ")})` : name;
    }
    case COLUMN.GEOMETRY:
      return GEOMETRIES[metadata.geometryTypes?.[i] ?? 0] ?? "GEOMCOLLECTION";
    case COLUMN.VECTOR:
      return `VECTOR(${metadata.vectorDimensions?.[i]})`;
    default:
      return PLAIN[type] ?? `type ${type}`;
  }
}
