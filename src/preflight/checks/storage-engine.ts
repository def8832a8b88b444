import { quoteTable, tableKey } from "../../base/table-name.ts";
import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

/** Without transactions neither a snapshot nor a position means anything. */
export const storageEngineCheck: Check = {
  id: "storage-engine",
  title: "every table is of InnoDB",
  severities: ["error"],
  remedy: "Convert the table to InnoDB.",
  async run({ source, tables }) {
    const findings = [];
    for (const table of tables) {
      const { engine } = await source.shape(table);
      findings.push(
        judge("storage-engine", engine.toLowerCase() === "innodb", {
          subject: tableKey(table),
          observed: `engine ${engine}`,
          expected: "InnoDB",
          fix: `ALTER TABLE ${quoteTable(table)} ENGINE=InnoDB;`,
        }),
      );
    }
    return findings;
  },
};
