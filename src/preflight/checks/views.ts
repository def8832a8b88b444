import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import { tablesOfView } from "../names-in-text.ts";

/** A view stays where it is: after a switch it would go on reading the old home. */
export const viewsCheck: Check = {
  id: "views",
  title: "no view reads the tables",
  severities: ["error"],
  remedy: "Drop the view, or leave the table out.",
  async run({ source, tables }) {
    const rows = await source.rows(
      "SELECT TABLE_SCHEMA db, TABLE_NAME name, VIEW_DEFINITION body FROM information_schema.VIEWS " +
        "WHERE TABLE_SCHEMA NOT IN ('sys', 'mysql', 'information_schema', 'performance_schema')",
    );
    const findings: Finding[] = [];
    for (const row of rows) {
      const used = tablesOfView(row["body"] ?? "", row["db"] ?? "", tables);
      if (used.length === 0) continue;
      findings.push(
        judge("views", false, {
          subject: used.join(", "),
          observed: `view ${row["db"]}.${row["name"]} reads it`,
          expected: "no view on the tables",
          fix: `DROP VIEW ${row["db"]}.${row["name"]}; or leave the table out. Moving views is not built yet.`,
        }),
      );
    }
    if (findings.length > 0) return findings;
    return [
      judge("views", true, {
        subject: source.subject,
        observed: `none of ${rows.length} views that can be seen`,
        expected: "none",
        fix: "",
      }),
    ];
  },
};
