import { quoteTable } from "../../base/table-name.ts";
import { isMysqlError } from "../../mysql/mysql-error.ts";
import { SIDECAR_SCHEMA } from "../../rules/sidecar-schema.ts";
import { bothServers, type Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

/**
 * A trigger is what keeps writes off an old home. Whether the account may make one hangs on more than its grants, so
 * one is made for real, on a scratch table of the sidecar schema, and dropped with it.
 */
export const triggerPrivilegeCheck: Check = {
  id: "trigger-privilege",
  title: "the account may create triggers",
  severities: ["error"],
  remedy: "Run the GRANTs that are printed; where the server asks for SUPER, set `log_bin_trust_function_creators=ON`.",
  async run(context) {
    const findings: Finding[] = [];
    for (const server of bothServers(context)) {
      const refused = await tryTrigger(server);
      findings.push(
        judge("trigger-privilege", refused === undefined, {
          subject: server.subject,
          observed: refused ?? "made and dropped a trigger",
          expected: `a trigger in ${SIDECAR_SCHEMA}, made and dropped`,
          fix:
            "Grant what check --print-grants prints; where the server asks for SUPER because it writes a binary log: " +
            "SET PERSIST log_bin_trust_function_creators=ON;",
        }),
      );
    }
    return findings;
  },
};

async function tryTrigger(server: ServerView): Promise<string | undefined> {
  const name = `preflight_trigger_${server.connection.threadId}`;
  const table = quoteTable({ schema: SIDECAR_SCHEMA, table: name });
  try {
    await server.connection.exec(`CREATE DATABASE IF NOT EXISTS \`${SIDECAR_SCHEMA}\``);
    await server.connection.exec(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
    await server.connection.exec(`CREATE TRIGGER ${table} BEFORE INSERT ON ${table} FOR EACH ROW SET NEW.id = NEW.id`);
    return undefined;
  } catch (error) {
    if (!isMysqlError(error)) throw error;
    return `refused: ${error.serverMessage} (error ${error.errno})`;
  } finally {
    await dropQuietly(server, table);
  }
}

/** Where the account may not even create the table, it may not drop it either. */
async function dropQuietly(server: ServerView, table: string): Promise<void> {
  try {
    await server.connection.exec(`DROP TABLE IF EXISTS ${table}`);
  } catch (error) {
    if (!isMysqlError(error)) throw error;
  }
}
