import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

/** Names of tables mean the same on both servers. */
export const lowerCaseTableNamesCheck: Check = {
  id: "lower-case-table-names",
  title: "names of tables are compared alike",
  severities: ["error"],
  remedy: "Choose a target that was initialised with the source's `lower_case_table_names`.",
  async run({ source, target }) {
    const ofSource = await source.variable("lower_case_table_names");
    const ofTarget = await target.variable("lower_case_table_names");
    return [
      judge("lower-case-table-names", ofSource === ofTarget, {
        subject: target.subject,
        observed: `lower_case_table_names=${ofTarget ?? "unknown"}`,
        expected: `${ofSource ?? "unknown"}, as on the source`,
        fix: "Choose a target that was initialised with the same lower_case_table_names; it cannot be changed later.",
      }),
    ];
  },
};
