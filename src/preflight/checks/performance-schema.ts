import { CONNECT_ATTRIBUTES_BYTES_MIN } from "../../mysql/connect-attributes.ts";
import { bothServers, type Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

const INSTRUMENT = "wait/lock/metadata/sql/mdl";
const CONSUMERS = ["global_instrumentation", "thread_instrumentation", "events_transactions_current"] as const;

const ATTRIBUTES_SIZE = "performance_schema_session_connect_attrs_size";

/** A switch reads there who still uses the tables, and which connections a proxy has; without it, it would have to guess. */
export const performanceSchemaCheck: Check = {
  id: "performance-schema",
  title: "the performance schema shows who holds a table, and whose connections are whose",
  severities: ["error"],
  remedy: "Start the server with the performance schema, and enable the instruments that are named.",
  async run(context) {
    const findings: Finding[] = [];
    for (const server of bothServers(context)) findings.push(...(await look(server)));
    return findings;
  },
};

async function look(server: ServerView): Promise<Finding[]> {
  const on = (await server.variable("performance_schema")) === "ON";
  if (!on) {
    return [
      judge("performance-schema", false, {
        subject: server.subject,
        observed: "performance_schema=OFF",
        expected: "performance_schema=ON",
        fix: "Start the server with --performance-schema=ON.",
      }),
    ];
  }
  const off = await server.rows(
    `SELECT NAME name, 'setup_instruments' place FROM performance_schema.setup_instruments WHERE NAME = '${INSTRUMENT}' AND ENABLED = 'NO' ` +
      "UNION ALL SELECT NAME, 'setup_consumers' FROM performance_schema.setup_consumers WHERE ENABLED = 'NO' " +
      `AND NAME IN (${CONSUMERS.map((name) => `'${name}'`).join(", ")})`,
  );
  return [
    judge("performance-schema", off.length === 0, {
      subject: server.subject,
      observed: off.length === 0 ? "shows metadata locks" : `${off.map((row) => row["name"]).join(", ")} disabled`,
      expected: `${INSTRUMENT} and ${CONSUMERS.join(", ")} enabled`,
      fix: off
        .map((row) => `UPDATE performance_schema.${row["place"]} SET ENABLED='YES' WHERE NAME='${row["name"]}';`)
        .join(" "),
    }),
    await keepsAttributes(server),
  ];
}

async function keepsAttributes(server: ServerView): Promise<Finding> {
  const bytes = (await server.variable(ATTRIBUTES_SIZE)) ?? "";
  return judge("performance-schema", Number(bytes) >= CONNECT_ATTRIBUTES_BYTES_MIN, {
    subject: server.subject,
    observed: `${ATTRIBUTES_SIZE}=${bytes}`,
    expected: `${CONNECT_ATTRIBUTES_BYTES_MIN} or more`,
    fix: `Start the server with --performance-schema-session-connect-attrs-size=512, or without that setting.`,
  });
}
