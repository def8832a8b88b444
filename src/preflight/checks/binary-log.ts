import { bothServers, type Check, type CheckContext } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

/**
 * What the binary log must be like to be followed: rows, all of their columns, nothing left out. Partial updates of JSON
 * (`binlog_row_value_options`) are made whole from the columns before.
 */
const EXPECTED: readonly (readonly [variable: string, value: string])[] = [
  ["log_bin", "ON"],
  ["binlog_format", "ROW"],
  ["binlog_row_image", "FULL"],
];

/** Both servers need it: the target is the source of the way back. */
export const binaryLogCheck: Check = {
  id: "binary-log",
  title: "the binary log has full rows of every table",
  severities: ["error"],
  remedy: "Turn the binary log on, with `binlog_format=ROW`, `binlog_row_image=FULL` and no schema left out of it.",
  async run(context) {
    const findings = [];
    for (const server of bothServers(context)) {
      for (const [variable, value] of EXPECTED) findings.push(await setting(server, variable, value));
      findings.push(await filters(server, context));
    }
    return findings;
  },
};

async function setting(server: ServerView, variable: string, expected: string): Promise<Finding> {
  const observed = await server.variable(variable);
  // A release that has dropped binlog_format logs rows and nothing else.
  const good = observed === expected || (observed === undefined && variable === "binlog_format");
  return judge("binary-log", good, {
    subject: server.subject,
    observed: `${variable}=${observed ?? "unknown"}`,
    expected: `${variable}=${expected}`,
    fix:
      variable === "log_bin"
        ? "Start the server with --log-bin."
        : `SET PERSIST ${variable}=${expected}; and let sessions that are open end, since they keep the old value.`,
  });
}

/** `binlog_do_db` and `binlog_ignore_db` are no variables: only the status shows them. */
async function filters(server: ServerView, context: CheckContext): Promise<Finding> {
  const statement = server.version >= 80_400 ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS";
  const [row] = await server.rows(statement);
  const names = (column: string): string[] => (row?.[column] ?? "").split(",").filter((name) => name !== "");
  const only = names("Binlog_Do_DB");
  const ignored = names("Binlog_Ignore_DB");
  const schemas = [...new Set([...context.tables.map(({ schema }) => schema), "_switchyard"])];
  const lost = schemas.filter((schema) => ignored.includes(schema) || (only.length > 0 && !only.includes(schema)));
  return judge("binary-log", lost.length === 0, {
    subject: server.subject,
    observed: lost.length === 0 ? "no filter leaves out a schema" : `filters leave out ${lost.join(", ")}`,
    expected: "no filter on the schemas of the tables",
    fix: "Start the server without --binlog-do-db and --binlog-ignore-db.",
  });
}
