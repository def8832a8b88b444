import { bothServers, type Check } from "../check.ts";
import { exactTexts } from "../exact-texts.ts";
import { type Finding, judge } from "../finding.ts";
import { tablesNamedIn } from "../names-in-text.ts";

/** An event writes past every proxy, on the server that it is on. */
export const eventsCheck: Check = {
  id: "events",
  title: "no scheduled event uses the tables",
  severities: ["error", "warning"],
  remedy: "Disable the event, or leave the table out.",
  async run(context) {
    const findings: Finding[] = [];
    for (const server of bothServers(context)) {
      const rows = await exactTexts(
        server,
        await server.rows(
          "SELECT 'EVENT' kind, EVENT_SCHEMA own_db, EVENT_NAME own_name, EVENT_DEFINITION body, STATUS status " +
            "FROM information_schema.EVENTS",
        ),
      );
      for (const row of rows) {
        const used = tablesNamedIn(row["body"] ?? "", row["own_db"] ?? "", context.tables);
        if (used.length === 0) continue;
        findings.push(
          judge(
            "events",
            false,
            {
              subject: used.join(", "),
              observed: `event ${row["own_db"]}.${row["own_name"]} on ${server.subject} names it, ${(row["status"] ?? "").toLowerCase()}`,
              expected: "no event that uses the tables",
              fix: `ALTER EVENT ${row["own_db"]}.${row["own_name"]} DISABLE; or leave the table out. "check --print-objects" prints it for the target, disabled.`,
            },
            row["status"] === "ENABLED" ? "error" : "warning",
          ),
        );
      }
    }
    if (findings.length > 0) return findings;
    return [
      judge("events", true, {
        subject: "both servers",
        observed: "no event uses the tables",
        expected: "none",
        fix: "",
      }),
    ];
  },
};
