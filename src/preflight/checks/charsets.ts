import { quoteText, tableKey } from "../../base/table-name.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";

/** Text means the same, and sorts the same, only under a character set and collation that both servers have. */
export const charsetsCheck: Check = {
  id: "charsets",
  title: "the target has every character set and collation of the tables",
  severities: ["error"],
  remedy: "Convert the columns to a collation that both servers have, or choose a target that has it.",
  async run({ source, target, tables }) {
    const known = new Set(
      (await target.rows("SELECT COLLATION_NAME name FROM information_schema.COLLATIONS")).map((row) => row["name"]),
    );
    const findings: Finding[] = [];
    for (const table of tables) {
      const shape = await source.shape(table);
      const [row] = await source.rows(
        `SELECT TABLE_COLLATION name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${quoteText(table.schema)} ` +
          `AND TABLE_NAME = ${quoteText(table.table)}`,
      );
      const used = new Set(shape.columns.flatMap((column) => column.collation ?? []));
      if (row?.["name"] != null) used.add(row["name"]);
      const missing = [...used].filter((collation) => !known.has(collation));
      findings.push(
        judge("charsets", missing.length === 0, {
          subject: tableKey(table),
          observed: missing.length === 0 ? [...used].sort().join(", ") : `missing on the target: ${missing.join(", ")}`,
          expected: "collations that the target has",
          fix: "Convert the columns to a collation that both servers have, or choose a target that has it.",
        }),
      );
    }
    return findings;
  },
};
