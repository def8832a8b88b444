import { quoteTable, quoteText, tableKey } from "../../base/table-name.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";

/** What the tools call their copy of a table, and gh-ost its log. */
const COPIES: readonly (readonly [suffix: string, tool: string])[] = [
  ["gho", "gh-ost"],
  ["ghc", "gh-ost"],
  ["new", "pt-online-schema-change or spirit"],
];

/**
 * A tool that changes a definition without locks fills a copy of the table and puts it in the table's place. A stream stops
 * there, and after a switch it would happen at the old home.
 */
export const schemaChangeToolsCheck: Check = {
  id: "schema-change-tools",
  title: "no tool is about to put another table in the place of one of these",
  severities: ["error", "warning"],
  remedy: "Let the tool end before the migration begins, or run it after; drop what one has left behind.",
  async run({ source, tables, targetTables }) {
    const schemas = [...new Set(tables.map(({ schema }) => quoteText(schema)))].join(", ");
    const rows = await source.rows(
      `SELECT TABLE_SCHEMA db, TABLE_NAME name FROM information_schema.TABLES WHERE TABLE_SCHEMA IN (${schemas}) AND TABLE_NAME LIKE '|_%' ESCAPE '|'`,
    );
    const findings: Finding[] = [];
    for (const table of tables) {
      for (const row of rows) {
        if ((row["db"] ?? "").toLowerCase() !== table.schema.toLowerCase()) continue;
        const tool = toolOf(table.table, row["name"] ?? "");
        if (tool === undefined) continue;
        const copy = { schema: row["db"] ?? "", table: row["name"] ?? "" };
        const facts = {
          subject: tableKey(table),
          observed: `${source.subject} has ${tableKey(copy)}, as ${tool} makes it while it changes the table`,
          expected: "no copy that may take its place",
          fix: `Let the tool end. Where none runs any more: DROP TABLE ${quoteTable(copy)};`,
        };
        // After the switch a tool that still runs would work on the old home.
        findings.push(judge("schema-change-tools", false, facts, targetTables === "present" ? "error" : "warning"));
      }
    }
    if (findings.length > 0) return findings;
    return [
      judge("schema-change-tools", true, {
        subject: source.subject,
        observed: "no table is named as a copy of one of these",
        expected: "none",
        fix: "",
      }),
    ];
  },
};

function toolOf(table: string, name: string): string | undefined {
  const bare = name.toLowerCase().replace(/^_+/, "");
  return COPIES.find(([suffix]) => bare === `${table.toLowerCase().replace(/^_+/, "")}_${suffix}`)?.[1];
}
