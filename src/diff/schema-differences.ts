import { quoteText, type TableName, tableKey } from "../base/table-name.ts";
import type { Connection } from "../mysql/connection.ts";
import type { TableMapping } from "../table/table-mapping.ts";
import type { SchemaDifference } from "./diff-report.ts";

type InfoRow = Readonly<Record<string, string | null>>;

/** What is asked of each server; every row has a `name`, and counts as one with the row of that name on the other. */
function questions(table: TableName): readonly (readonly [what: string, sql: string])[] {
  const of = `table_schema = ${quoteText(table.schema)} AND table_name = ${quoteText(table.table)}`;
  return [
    [
      "table",
      "SELECT '' AS name, engine AS engine, table_collation AS collation, create_options AS options, " +
        `table_comment AS comment FROM information_schema.tables WHERE ${of}`,
    ],
    [
      "column",
      "SELECT column_name AS name, ordinal_position AS position, column_type AS type, collation_name AS collation, " +
        "is_nullable AS nullable, column_default AS dflt, extra AS extra, generation_expression AS expression, " +
        `column_comment AS comment FROM information_schema.columns WHERE ${of}`,
    ],
    [
      "key",
      // Sixteen columns with long names are more than what a server joins by default.
      "SELECT /*+ SET_VAR(group_concat_max_len = 1048576) */ index_name AS name, MAX(non_unique) AS non_unique, MAX(index_type) AS type, MAX(is_visible) AS visible, " +
        "GROUP_CONCAT(CONCAT_WS(' ', column_name, expression, sub_part, collation) ORDER BY seq_in_index) AS columns " +
        `FROM information_schema.statistics WHERE ${of} GROUP BY index_name`,
    ],
    [
      "check",
      "SELECT c.constraint_name AS name, c.check_clause AS clause, t.enforced AS enforced " +
        "FROM information_schema.check_constraints c JOIN information_schema.table_constraints t " +
        "ON t.constraint_schema = c.constraint_schema AND t.constraint_name = c.constraint_name " +
        `WHERE t.${of.replace(" AND ", " AND t.")} AND t.constraint_type = 'CHECK'`,
    ],
  ];
}

/**
 * How the definitions of a table differ between two servers, other than its mapping says: options, columns, keys and checks.
 */
export async function schemaDifferences(
  table: TableName,
  source: Connection,
  target: Connection,
  mapping?: TableMapping,
): Promise<SchemaDifference[]> {
  const found: SchemaDifference[] = [];
  for (const [what, sql] of questions(table)) {
    let [mine, theirs] = await Promise.all([byName(source, sql), byName(target, sql)]);
    if (mapping !== undefined) [mine, theirs] = [leftToSay(mapping, what, mine), leftToSay(mapping, what, theirs)];
    for (const name of new Set([...mine.keys(), ...theirs.keys()])) {
      const sides = { source: mine.get(name), target: theirs.get(name) };
      found.push(...unlike({ table: tableKey(table), what: name === "" ? what : `${what} ${name}` }, sides));
    }
  }
  return found;
}

/**
 * Without the columns that a mapping speaks of, and the order of those that are left; with keys by the names that the target
 * has for their columns. Checks are texts that name columns, and are the operator's where there is a mapping.
 */
function leftToSay(
  mapping: TableMapping,
  what: string,
  rows: ReadonlyMap<string, InfoRow>,
): ReadonlyMap<string, InfoRow> {
  const { rename = {}, add = [], drop = [], widen = [] } = mapping;
  const said = new Set([...Object.entries(rename).flat(), ...add, ...drop, ...widen].map((name) => name.toLowerCase()));
  const renamed = new Map(Object.entries(rename).map(([from, to]) => [from.toLowerCase(), to]));
  if (what === "check") return new Map();
  if (what === "column") {
    const left = [...rows].filter(([name]) => !said.has(name.toLowerCase()));
    return new Map(left.map(([name, row]) => [name, { ...row, position: null }]));
  }
  if (what !== "key") return rows;
  const across = (columns: string): string =>
    columns
      .split(",")
      .map((part) => part.replace(/^\S+/, (name) => renamed.get(name.toLowerCase()) ?? name))
      .join();
  return new Map([...rows].map(([name, row]) => [name, { ...row, columns: across(row["columns"] ?? "") }]));
}

async function byName(connection: Connection, sql: string): Promise<ReadonlyMap<string, InfoRow>> {
  const rows = await connection.rows(sql);
  return new Map(rows.map((row) => [row["name"] ?? "", row]));
}

/** Only what differs is told of an object that both sides have. */
function unlike(
  where: Pick<SchemaDifference, "table" | "what">,
  { source, target }: { readonly source: InfoRow | undefined; readonly target: InfoRow | undefined },
): SchemaDifference[] {
  if (source === undefined || target === undefined) {
    return [{ ...where, source: source ?? null, target: target ?? null }];
  }
  const fields = Object.keys(source).filter((field) => source[field] !== target[field]);
  if (fields.length === 0) return [];
  const only = (row: InfoRow): InfoRow => Object.fromEntries(fields.map((field) => [field, row[field] ?? null]));
  return [{ ...where, source: only(source), target: only(target) }];
}
