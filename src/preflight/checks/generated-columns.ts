import { tableKey } from "../../base/table-name.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";

/** Generated columns are never copied: each server computes its own, by the same definition. */
export const generatedColumnsCheck: Check = {
  id: "generated-columns",
  title: "generated columns are computed alike on both servers",
  severities: ["error", "warning"],
  remedy: "Make a generated key column an ordinary one; elsewhere look at the diff of the table with care.",
  async run({ source, target, tables }) {
    const findings: Finding[] = [];
    const sameRelease = Math.floor(source.version / 100) === Math.floor(target.version / 100);
    for (const table of tables) {
      const shape = await source.shape(table);
      const generated = shape.columns.filter((column) => column.generated);
      const inKey = shape.primaryKey.filter((position) => shape.columns[position]?.generated === true);
      const names = generated.map((column) => column.name).join(", ");
      findings.push(
        judge("generated-columns", inKey.length === 0, {
          subject: tableKey(table),
          observed:
            inKey.length > 0 ? `the primary key has the generated column ${names}` : `generated: ${names || "none"}`,
          expected: "no generated column in the primary key",
          fix: "Make it an ordinary column, or leave the table out.",
        }),
      );
      if (generated.length === 0 || sameRelease) continue;
      findings.push(
        judge(
          "generated-columns",
          false,
          {
            subject: tableKey(table),
            observed: `${names}, computed by ${source.connection.serverVersion} and ${target.connection.serverVersion}`,
            expected: "servers of one release, which compute alike",
            fix: "Look at the diff of this table with care: it compares what both have computed.",
          },
          "warning",
        ),
      );
    }
    return findings;
  },
};
