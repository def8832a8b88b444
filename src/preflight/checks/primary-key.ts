import { quoteTable, tableKey } from "../../base/table-name.ts";
import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

/** Rows are found again by their primary key: by the copy, the stream and the diff. */
export const primaryKeyCheck: Check = {
  id: "primary-key",
  title: "every table has a primary key",
  severities: ["error"],
  remedy: "Give the table a primary key.",
  async run({ source, tables }) {
    const findings = [];
    for (const table of tables) {
      const shape = await source.shape(table);
      const columns = shape.primaryKey.map((position) => shape.columns[position]?.name ?? "?");
      findings.push(
        judge("primary-key", columns.length > 0, {
          subject: tableKey(table),
          observed: columns.length > 0 ? `(${columns.join(", ")})` : "no primary key that can be seen",
          expected: "a primary key",
          fix: `ALTER TABLE ${quoteTable(table)} ADD COLUMN id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY; (an invisible key is hidden while show_gipk_in_create_table_and_information_schema=OFF)`,
        }),
      );
    }
    return findings;
  },
};
