import { SwitchyardError } from "../base/errors.ts";
import { type TableName, tableKey } from "../base/table-name.ts";

export interface ColumnShape {
  readonly name: string;
  /** `DATA_TYPE`, lower case: `int`, `varchar`, `enum`. */
  readonly dataType: string;
  /** `COLUMN_TYPE`: `int unsigned`, `enum('a','b')`. */
  readonly columnType: string;
  readonly unsigned: boolean;
  readonly nullable: boolean;
  /** For text only; `binary` for none of them. */
  readonly charset: string | undefined;
  readonly collation: string | undefined;
  /** Computed by the server, stored or not: never written. */
  readonly generated: boolean;
  readonly autoIncrement: boolean;
  /** Bytes that a string may have; 0 for other types. */
  readonly octets: number;
  /** Digits after the point: of a DECIMAL, or of the seconds of a temporal type. */
  readonly scale: number;
  /** True where a new row must say a value: there is no default, and NULL is not allowed. */
  readonly required?: true;
  /** True where a new row that says nothing gets NULL. */
  readonly nullDefault?: true;
}

export interface KeyShape {
  readonly name: string;
  /** Positions in {@link TableShape.columns}; -1 for an expression. */
  readonly columns: readonly number[];
  /** Whether only the beginning of some column counts. */
  readonly prefix: boolean;
  /** What counts of each column: the length of its beginning, or an expression; empty for the whole. Absent where all are whole. */
  readonly parts?: readonly string[];
  /** True where the index is invisible: rows are checked by it, and not read. */
  readonly hidden?: true;
}

export interface ForeignKeyShape {
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: TableName;
  readonly referencedColumns: readonly string[];
  readonly onUpdate: string;
  readonly onDelete: string;
}

/** What a stream, a diff or a check needs to know of a table, as of one moment. */
export interface TableShape {
  readonly name: TableName;
  readonly engine: string;
  readonly columns: readonly ColumnShape[];
  /** Positions of the primary key's columns, in key order; empty where there is none. */
  readonly primaryKey: readonly number[];
  /** As {@link KeyShape.parts}, of the primary key. */
  readonly primaryParts?: readonly string[];
  /** Unique keys other than the primary one. */
  readonly uniqueKeys: readonly KeyShape[];
  readonly foreignKeys: readonly ForeignKeyShape[];
}

/** A row of information_schema as text by column name. */
export type InfoRow = Readonly<Record<string, string | null>>;

/** The rows that {@link shapeQueries} asked for. */
export interface ShapeRows {
  readonly table: readonly InfoRow[];
  readonly columns: readonly InfoRow[];
  readonly keys: readonly InfoRow[];
  readonly foreignKeys: readonly InfoRow[];
}

/** @throws {SwitchyardError} `TABLE_MISSING` when there is no such base table. */
export function parseTableShape(name: TableName, rows: ShapeRows): TableShape {
  const [table] = rows.table;
  if (table === undefined || table["type"] !== "BASE TABLE" || rows.columns.length === 0) {
    throw new SwitchyardError("TABLE_MISSING", {
      what: `${tableKey(name)} ${table === undefined ? "does not exist, or the account may not see it" : "is not a table"}`,
      fix: "Check its name and spelling, and that the account has SELECT on it.",
    });
  }
  const columns = rows.columns.map(parseColumn);
  const position = new Map(columns.map((column, index) => [column.name.toLowerCase(), index]));
  const keys = parseKeys(rows.keys, position);
  const primary = keys.find((key) => key.name === "PRIMARY");
  return {
    name,
    engine: table["engine"] ?? "",
    columns,
    primaryKey: primary?.columns ?? [],
    ...(primary?.parts === undefined ? {} : { primaryParts: primary.parts }),
    uniqueKeys: keys.filter((key) => key !== primary),
    foreignKeys: parseForeignKeys(rows.foreignKeys),
  };
}

/** The columns that statements write: all but generated ones. */
export function storedColumns(shape: TableShape): readonly ColumnShape[] {
  return shape.columns.filter((column) => !column.generated);
}

function parseColumn(row: InfoRow): ColumnShape {
  const columnType = row["column_type"] ?? "";
  const extra = (row["extra"] ?? "").toUpperCase();
  const dataType = (row["data_type"] ?? "").toLowerCase();
  return {
    name: row["name"] ?? "",
    dataType,
    columnType,
    unsigned: /\bunsigned\b/i.test(columnType),
    nullable: row["nullable"] === "YES",
    charset: BINARY_TYPES.has(dataType) ? "binary" : (row["charset"] ?? undefined),
    collation: BINARY_TYPES.has(dataType) ? "binary" : (row["collation"] ?? undefined),
    generated: extra.includes("VIRTUAL GENERATED") || extra.includes("STORED GENERATED"),
    autoIncrement: extra.includes("AUTO_INCREMENT"),
    octets: Number(row["octets"] ?? 0),
    scale: Number(row["scale"] ?? row["digits"] ?? 0),
    ...defaultOf(
      row["dflt"] != null || /DEFAULT_GENERATED|AUTO_INCREMENT|VIRTUAL|STORED/.test(extra),
      row["nullable"] === "YES",
    ),
  };
}

function defaultOf(given: boolean, nullable: boolean): Pick<ColumnShape, "required" | "nullDefault"> {
  if (given) return {};
  return nullable ? { nullDefault: true } : { required: true };
}

const BINARY_TYPES: ReadonlySet<string> = new Set([
  "binary",
  "varbinary",
  "tinyblob",
  "blob",
  "mediumblob",
  "longblob",
]);

/** Only unique keys are kept; the rows come ordered by key and position in it. */
function parseKeys(rows: readonly InfoRow[], position: ReadonlyMap<string, number>): KeyShape[] {
  const keys = new Map<string, { name: string; columns: number[]; parts: string[]; prefix: boolean; hidden?: true }>();
  for (const row of rows) {
    if (row["non_unique"] !== "0") continue;
    const name = row["name"] ?? "";
    const key = keys.get(name) ?? { name, columns: [], parts: [], prefix: false };
    const column = row["col"];
    key.columns.push(column == null ? -1 : (position.get(column.toLowerCase()) ?? -1));
    key.parts.push(row["sub_part"] ?? row["expression"] ?? "");
    if (row["sub_part"] != null) key.prefix = true;
    if (row["visible"] === "NO") key.hidden = true;
    keys.set(name, key);
  }
  return [...keys.values()].map(({ parts, ...key }) => (parts.some((part) => part !== "") ? { ...key, parts } : key));
}

function parseForeignKeys(rows: readonly InfoRow[]): ForeignKeyShape[] {
  const keys = new Map<string, { shape: ForeignKeyShape; columns: string[]; referenced: string[] }>();
  for (const row of rows) {
    const name = row["name"] ?? "";
    let key = keys.get(name);
    if (key === undefined) {
      const columns: string[] = [];
      const referenced: string[] = [];
      const shape: ForeignKeyShape = {
        name,
        columns,
        references: { schema: row["ref_schema"] ?? "", table: row["ref_table"] ?? "" },
        referencedColumns: referenced,
        onUpdate: row["on_update"] ?? "",
        onDelete: row["on_delete"] ?? "",
      };
      key = { shape, columns, referenced };
      keys.set(name, key);
    }
    key.columns.push(row["col"] ?? "");
    key.referenced.push(row["ref_col"] ?? "");
  }
  return [...keys.values()].map((key) => key.shape);
}
