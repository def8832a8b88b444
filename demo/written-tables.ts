/** A table that the clients write, as the ledger predicts it: every column of every row, as the server would print it. */
export interface WrittenTable {
  readonly table: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /** Columns of bytes, read and predicted in hexadecimal. */
  readonly binary: readonly string[];
  /** A column that grows by one with every write to a row; tells a lost write from a doubled one. */
  readonly counter?: string;
  /** Filled by the server with a number that the client learns from the acknowledgement. */
  readonly autoIncrement?: string;
}

export const WRITTEN_TABLES: readonly WrittenTable[] = [
  {
    table: "shop.orders",
    key: ["id"],
    columns: [
      "id",
      "customer_id",
      "client",
      "sequence",
      "number",
      "placed_at",
      "state",
      "total",
      "total_cents",
      "remark",
    ],
    binary: ["number"],
    autoIncrement: "id",
  },
  {
    table: "shop.order_items",
    key: ["order_id", "line"],
    columns: ["order_id", "line", "sku", "quantity", "price"],
    binary: [],
  },
  {
    table: "shop.stock",
    key: ["sku", "warehouse"],
    columns: ["sku", "warehouse", "quantity", "movements"],
    binary: [],
    counter: "movements",
  },
  {
    table: "shop.accounts",
    key: ["id"],
    columns: ["id", "owner", "balance", "transfers"],
    binary: [],
    counter: "transfers",
  },
  {
    table: "shop.transfers",
    key: ["id"],
    columns: ["id", "client", "sequence", "debit", "credit", "amount", "booked_at", "memo"],
    binary: [],
    autoIncrement: "id",
  },
  {
    table: "shop.carts",
    key: ["client", "token"],
    columns: ["client", "token", "sequence", "contents", "discount", "note", "saved_at"],
    binary: [],
  },
];

/** A row: each column's value as the server prints it. */
export type Values = Readonly<Record<string, string | null>>;

export function writtenTable(name: string): WrittenTable {
  const found = WRITTEN_TABLES.find((table) => table.table === name);
  if (found === undefined) throw new Error(`the ledger does not know table ${name}`);
  return found;
}

/** The key of a row as one text. */
export function keyText(table: WrittenTable, row: Values): string {
  return table.key.map((column) => row[column] ?? "").join("\u0000");
}

/** Reads all columns of all rows in a form that can be compared byte by byte. */
export function selectAll(table: WrittenTable): string {
  const columns = table.columns.map((column) =>
    table.binary.includes(column) ? `HEX(${column}) AS ${column}` : column,
  );
  return `SELECT ${columns.join(", ")} FROM ${table.table}`;
}
