import { tableKey } from "../../base/table-name.ts";
import { mappingOf } from "../../table/table-mapping.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import { showCreate, withoutCounter } from "../show-create.ts";

/** Lines of a definition by which applications tell tables apart: columns, and keys that refuse rows or change others. */
const FELT = /^(?:`|PRIMARY KEY |UNIQUE KEY |CONSTRAINT .* FOREIGN KEY )/;

/**
 * Tables that have been copied may have got DDL since, on one side or on both. Applications would find another table after
 * the switch than before it.
 */
export const sameDefinitionCheck: Check = {
  id: "same-definition",
  title: "tables that have been copied are defined alike on both servers",
  severities: ["error", "warning"],
  remedy: "Bring the table's definition on the new home to that of the present one by ALTER TABLE.",
  async run({ source, target, tables, targetTables, mappings }) {
    const findings: Finding[] = [];
    for (const table of targetTables === "present" ? tables : []) {
      if (mappingOf(mappings, table) !== undefined) continue;
      const [here, there] = [await showCreate(source, table), await showCreate(target, table)].map(linesOf);
      const onlyHere = (here ?? []).filter((line) => !there?.includes(line));
      const onlyThere = (there ?? []).filter((line) => !here?.includes(line));
      const isMoved = columns(here).join() !== columns(there).join();
      if (onlyHere.length + onlyThere.length === 0 && !isMoved) continue;
      const felt = isMoved || [...onlyHere, ...onlyThere].some((line) => FELT.test(line));
      const facts = {
        subject: tableKey(table),
        observed:
          onlyHere.length + onlyThere.length === 0
            ? `${target.subject} has its columns in another order`
            : `${source.subject} has "${onlyHere[0] ?? ""}" where ${target.subject} has "${onlyThere[0] ?? ""}"`,
        expected: "the same columns and keys on both",
        fix: `Change the table on ${target.subject} to what SHOW CREATE TABLE says on ${source.subject}, then run a diff.`,
      };
      findings.push(judge("same-definition", false, facts, felt ? "error" : "warning"));
    }
    if (findings.length > 0) return findings;
    return [
      judge("same-definition", true, {
        subject: "both servers",
        observed: targetTables === "present" ? "the tables are defined alike" : "nothing has been copied yet",
        expected: "the same columns and keys on both",
        fix: "",
      }),
    ];
  },
};

/** All lines but the first, which has the name; keys may come in any order. */
function linesOf(definition: string): readonly string[] {
  return withoutCounter(definition)
    .split("\n")
    .slice(1)
    .map((line) => line.trim().replace(/,$/, ""));
}

function columns(lines: readonly string[] | undefined): readonly string[] {
  return (lines ?? []).filter((line) => line.startsWith("`"));
}
