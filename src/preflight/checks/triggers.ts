import { quoteTable, tableKey } from "../../base/table-name.ts";
import { bothServers, type Check, type CheckContext } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import { tablesNamedIn } from "../names-in-text.ts";
import { DefinitionsOfServer } from "../read-behind.ts";
import { refusedLater, tooManyBehind } from "../refused-later.ts";

/** Triggers of ours begin so; they keep writes off an old home. */
const OURS = "switchyard_";

/** A trigger fires again when a stream writes the row that it has already changed elsewhere. */
export const triggersCheck: Check = {
  id: "triggers",
  title: "no trigger is on the tables, and none of another table uses them",
  severities: ["error", "warning"],
  remedy: "Drop the trigger, or leave the table out.",
  async run(context) {
    const findings: Finding[] = [];
    const moving = new Set(context.tables.map((table) => tableKey(table).toLowerCase()));
    for (const server of bothServers(context)) {
      const rows = await server.rows(
        "SELECT TRIGGER_SCHEMA db, TRIGGER_NAME name, EVENT_OBJECT_SCHEMA table_db, EVENT_OBJECT_TABLE table_name, " +
          "ACTION_STATEMENT body FROM information_schema.TRIGGERS " +
          "WHERE TRIGGER_SCHEMA NOT IN ('sys', 'mysql', '_switchyard')",
      );
      for (const row of rows) {
        const name = `${row["db"] ?? ""}.${row["name"] ?? ""}`;
        const on = `${row["table_db"] ?? ""}.${row["table_name"] ?? ""}`;
        const own = moving.has(on.toLowerCase());
        if (own && (row["name"] ?? "").startsWith(OURS)) continue;
        const used = own ? [on] : tablesNamedIn(row["body"] ?? "", row["db"] ?? "", context.tables);
        if (used.length === 0) continue;
        findings.push(
          judge("triggers", false, {
            subject: used.join(", "),
            observed: own ? `${server.subject} has trigger ${name} on it` : `trigger ${name} on ${on} uses it`,
            expected: "no trigger",
            fix: `DROP TRIGGER ${quoteTable({ schema: row["db"] ?? "", table: row["name"] ?? "" })}; or leave the table out. Moving triggers is not built yet.`,
          }),
        );
      }
    }
    findings.push(
      ...(await refusedTriggers(context, moving)),
      ...(await tooManyBehind(context, "triggers", ["triggers"])),
    );
    if (findings.length > 0) return findings;
    return [
      judge("triggers", true, {
        subject: "both servers",
        observed: "no trigger uses the tables",
        expected: "none",
        fix: "",
      }),
    ];
  },
};

/** Writes to tables of which it is not known what their triggers touch. */
async function refusedTriggers({ source }: CheckContext, moving: ReadonlySet<string>): Promise<readonly Finding[]> {
  const { triggers } = await DefinitionsOfServer.of(source);
  const unknown = triggers.filter((one) => one.unknown !== undefined && !moving.has(one.spelled.toLowerCase()));
  if (unknown.length === 0) return [];
  const names = unknown.slice(0, 5).map(({ spelled, unknown: why }) => `on ${spelled} (${why})`);
  const fix = "Make sure that nobody writes these tables through the proxy, or grant what lets the account look.";
  return [
    refusedLater("triggers", source, { observed: `triggers may use any table: ${names.join(", ")}`, fix }, "warning"),
  ];
}
