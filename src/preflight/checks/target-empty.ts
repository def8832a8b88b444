import { isSwitchyardError } from "../../base/errors.ts";
import { quoteTable, type TableName, tableKey } from "../../base/table-name.ts";
import { mappingOf } from "../../table/table-mapping.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";
import { comparable, showCreate } from "../show-create.ts";

/** Rows that are there already would be taken for ours, and dropped or overwritten. */
export const targetEmptyCheck: Check = {
  id: "target-empty",
  title: "the target has no such tables, or empty ones of the same definition",
  severities: ["error"],
  remedy: "Drop the target's table of that name if nobody needs it.",
  async run({ source, target, tables, targetTables, mappings }) {
    const findings: Finding[] = [];
    if (targetTables === "present") return [alreadyCopied(target)];
    for (const table of tables) {
      // Whether and how it is there is the concern of the check of mappings.
      if (mappingOf(mappings, table) !== undefined) continue;
      const observed = await stateOf(source, target, table);
      findings.push(
        judge("target-empty", observed === "no such table" || observed === "an empty table of the same definition", {
          subject: tableKey(table),
          observed,
          expected: `no such table on ${target.subject}, or an empty one of the same definition`,
          fix: `Look at what it is, and if nobody needs it, drop it there: DROP TABLE ${quoteTable(table)};`,
        }),
      );
    }
    return findings.length > 0 ? findings : [mappedOnly(target)];
  },
};

function mappedOnly(target: ServerView): Finding {
  return judge("target-empty", true, {
    subject: target.subject,
    observed: "all tables have mappings",
    expected: "tables that their operator has made",
    fix: "",
  });
}

function alreadyCopied(target: ServerView): Finding {
  return judge("target-empty", true, {
    subject: target.subject,
    observed: "has the tables of this migration",
    expected: "the copied tables",
    fix: "",
  });
}

async function stateOf(source: ServerView, target: ServerView, table: TableName): Promise<string> {
  const [row] = await target.rows(`SELECT TABLE_TYPE kind FROM information_schema.TABLES WHERE ${ofTable(table)}`);
  if (row === undefined) return "no such table";
  if (row["kind"] !== "BASE TABLE") return `a ${(row["kind"] ?? "thing").toLowerCase()} of that name`;
  const [first] = await target.rows(`SELECT 1 FROM ${quoteTable(table)} LIMIT 1`);
  if (first !== undefined) return "a table with rows";
  const same = comparable(await showCreate(source, table)) === comparable(await showCreate(target, table));
  return same && (await sameForeignKeys(source, target, table))
    ? "an empty table of the same definition"
    : "an empty table of another definition";
}

async function sameForeignKeys(source: ServerView, target: ServerView, table: TableName): Promise<boolean> {
  try {
    const [a, b] = await Promise.all([source.shape(table), target.shape(table)]);
    return JSON.stringify(a.foreignKeys) === JSON.stringify(b.foreignKeys);
  } catch (error) {
    if (isSwitchyardError(error, "TABLE_MISSING")) return false;
    throw error;
  }
}

function ofTable(table: TableName): string {
  const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
  return `TABLE_SCHEMA = ${text(table.schema)} AND TABLE_NAME = ${text(table.table)}`;
}
