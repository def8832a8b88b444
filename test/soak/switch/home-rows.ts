import type { TestServer } from "../../support/servers.ts";
import { toolLines } from "../../support/tool-lines.ts";

/** The rows that a statement gives, each as one text, as MySQL's own client prints them. */
export async function printedRows(server: TestServer, sql: string): Promise<readonly string[]> {
  const place = [`--socket=${server.socket}`, `--user=${server.rootUser}`];
  const args = [...place, "--batch", "--quick", "--skip-column-names", `--execute=${sql}`];
  const rows: string[] = [];
  for await (const row of toolLines("mysql", args, "utf8")) rows.push(row);
  return rows;
}

/** In what the rows of two homes differ, at most `max` of them; both are in the order of their keys. */
export function differences(
  table: string,
  rows: { readonly old: readonly string[]; readonly new: readonly string[] },
  max: number,
): readonly string[] {
  const [onOld, onNew] = [new Set(rows.old), new Set(rows.new)];
  const only = (home: string, own: readonly string[], other: ReadonlySet<string>): string[] =>
    own.filter((row) => !other.has(row)).map((row) => `${table}: only on ${home}: ${row.replaceAll("\t", " ")}`);
  const found = [...only("old", rows.old, onNew), ...only("new", rows.new, onOld)];
  if (found.length === 0 && rows.old.length !== rows.new.length) {
    found.push(`${table}: ${rows.old.length} rows on old, ${rows.new.length} on new`);
  }
  return found.slice(0, max);
}
