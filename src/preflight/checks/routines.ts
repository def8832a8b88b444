import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import { tablesNamedIn } from "../names-in-text.ts";

/** A routine runs on one server. One that uses the tables would go on using them at the old home. */
export const routinesCheck: Check = {
  id: "routines",
  title: "no stored routine uses the tables",
  severities: ["error", "warning"],
  remedy: "Drop the routine, or leave the table out.",
  async run({ source, tables }) {
    const rows = await source.rows(
      "SELECT ROUTINE_SCHEMA db, ROUTINE_NAME name, ROUTINE_TYPE kind, ROUTINE_DEFINITION body " +
        "FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA NOT IN ('sys', 'mysql')",
    );
    const findings: Finding[] = [];
    for (const row of rows) {
      const name = `${(row["kind"] ?? "").toLowerCase()} ${row["db"]}.${row["name"]}`;
      const used = tablesNamedIn(row["body"] ?? "", row["db"] ?? "", tables);
      if (used.length === 0) continue;
      findings.push(
        judge("routines", false, {
          subject: used.join(", "),
          observed: `${name} names it`,
          expected: "no routine that uses the tables",
          fix: `Drop ${name}, or leave the table out. Moving routines is not built yet.`,
        }),
      );
    }
    const others = rows.length - findings.length;
    if (others > 0) {
      findings.push(
        judge(
          "routines",
          false,
          {
            subject: source.subject,
            observed: `${others} routines that do not name the tables`,
            expected:
              "none: once tables live on another server, the proxy refuses CALL and functions that may be stored, since it cannot see what they touch",
            fix: "Make sure that the applications behind the proxy call none of them, or let them connect past the proxy.",
          },
          "warning",
        ),
      );
    }
    if (findings.length > 0) return findings;
    return [judge("routines", true, { subject: source.subject, observed: "no routine", expected: "none", fix: "" })];
  },
};
