import { bothServers, type Check } from "../check.ts";
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
      const rows = await server.rows(
        "SELECT EVENT_SCHEMA db, EVENT_NAME name, EVENT_DEFINITION body, STATUS status FROM information_schema.EVENTS",
      );
      for (const row of rows) {
        const used = tablesNamedIn(row["body"] ?? "", row["db"] ?? "", context.tables);
        if (used.length === 0) continue;
        findings.push(
          judge(
            "events",
            false,
            {
              subject: used.join(", "),
              observed: `event ${row["db"]}.${row["name"]} on ${server.subject} names it, ${(row["status"] ?? "").toLowerCase()}`,
              expected: "no event that uses the tables",
              fix: `ALTER EVENT ${row["db"]}.${row["name"]} DISABLE; or leave the table out. Moving events is not built yet.`,
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
