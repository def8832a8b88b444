import { SwitchyardError } from "./errors.ts";

/** A table by schema and name, as the server spells both. */
export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/** `schema.table`, the form used in the rules, in the CLI and in messages. */
export function tableKey(name: TableName): string {
  return `${name.schema}.${name.table}`;
}

/** Reads `schema.table`; both parts must be there, and a dot inside a name is not supported. */
export function parseTableKey(text: string): TableName {
  const parts = text.trim().split(".");
  const [schema, table] = parts;
  if (parts.length !== 2 || !schema || !table) {
    throw new SwitchyardError("TABLE_NAME_INVALID", {
      what: `"${text}" does not name a table`,
      fix: "Write schema.table, for example shop.orders.",
    });
  }
  return { schema, table };
}

/** An identifier between backquotes, safe in any statement. */
export function quoteId(identifier: string): string {
  return `\`${identifier.replaceAll("`", "``")}\``;
}

/** The quoted, qualified name of a table. */
export function quoteTable(name: TableName): string {
  return `${quoteId(name.schema)}.${quoteId(name.table)}`;
}

/** A string literal, safe under any `sql_mode` (hexadecimal, with the character set named). */
export function quoteText(text: string): string {
  return text === "" ? "''" : `_utf8mb4 0x${Buffer.from(text, "utf8").toString("hex")}`;
}
