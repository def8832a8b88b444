import { isSwitchyardError, messageOf } from "../../base/errors.ts";
import { tableKey } from "../../base/table-name.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";

/** Every table is there, as a base table, under exactly the name that was given. */
export const tablesExistCheck: Check = {
  id: "tables-exist",
  title: "the source has the tables",
  severities: ["error"],
  remedy: "Correct the name, or grant SELECT on the table.",
  async run({ source, tables }) {
    const findings: Finding[] = [];
    for (const table of tables) {
      let observed = "is a table";
      try {
        await source.shape(table);
      } catch (error) {
        if (!isSwitchyardError(error, "TABLE_MISSING")) throw error;
        observed = (messageOf(error).split("\n")[0] ?? "").replace("TABLE_MISSING: ", "");
      }
      findings.push(
        judge("tables-exist", observed === "is a table", {
          subject: tableKey(table),
          observed,
          expected: `a table on ${source.subject}`,
          fix: "Correct the name, or grant SELECT on it.",
        }),
      );
    }
    return findings;
  },
};
