import { quoteId, quoteTable, type TableName } from "../base/table-name.ts";
import type { ServerView } from "./server-view.ts";

/** What SHOW CREATE TABLE prints, under the server's plainest settings for it. */
export async function showCreate(server: ServerView, table: TableName): Promise<string> {
  const [row] = await server.rows(`SHOW CREATE TABLE ${quoteTable(table)}`);
  return row?.["Create Table"] ?? "";
}

/** The definition with what may differ between equal tables left out: the counter, and foreign keys. */
export function comparable(definition: string): string {
  const lines = definition.split("\n").filter((line) => !/^\s*CONSTRAINT `(?:[^`]|``)+` FOREIGN KEY /.test(line));
  const open = lines.findLastIndex((line) => line.startsWith("  "));
  const last = lines[open];
  if (last !== undefined) lines[open] = last.replace(/,$/, "");
  return withoutCounter(lines.join("\n"));
}

/** The definition without the value of its counter. */
export function withoutCounter(definition: string): string {
  return definition.replace(/ AUTO_INCREMENT=\d+/, "");
}

/** The same definition for a table of another name. */
export function renamed(definition: string, from: TableName, to: TableName): string {
  const head = `CREATE TABLE ${quoteId(from.table)} (`;
  return definition.startsWith(head) ? `CREATE TABLE ${quoteTable(to)} (${definition.slice(head.length)}` : definition;
}
