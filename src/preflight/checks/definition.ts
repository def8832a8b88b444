import { messageOf } from "../../base/errors.ts";
import { quoteTable, type TableName, tableKey } from "../../base/table-name.ts";
import { isMysqlError } from "../../mysql/mysql-error.ts";
import { SIDECAR_SCHEMA } from "../../rules/sidecar-schema.ts";
import { mappingOf } from "../../table/table-mapping.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";
import { comparable, renamed, showCreate } from "../show-create.ts";

/**
 * The target makes the same table from the same text: tried for real, with a table in the sidecar schema that is
 * dropped at once. It proves character sets, row formats, tablespaces, partitions and encryption in one.
 */
export const definitionCheck: Check = {
  id: "definition",
  title: "the target makes the same tables from the same definitions",
  severities: ["error"],
  remedy: "Change the table, or the settings of the target, so that both servers make the same table of one text.",
  async run({ source, target, tables, mappings }) {
    const findings: Finding[] = [];
    const sidecar = await makeSidecar(target);
    if (sidecar !== undefined) {
      return [
        judge("definition", false, {
          subject: target.subject,
          observed: sidecar,
          expected: `a schema ${SIDECAR_SCHEMA} that tables can be made in`,
          fix: "Grant what check --print-grants prints.",
        }),
      ];
    }
    for (const table of tables) {
      if (mappingOf(mappings, table) !== undefined) {
        const subject = tableKey(table);
        findings.push(
          judge("definition", true, { subject, observed: "made by hand, see mapping", expected: "a mapping", fix: "" }),
        );
        continue;
      }
      const wanted = comparable(await showCreate(source, table));
      const difference = await tryDefinition(target, table, wanted);
      findings.push(
        judge("definition", difference === undefined, {
          subject: tableKey(table),
          observed: difference ?? `${target.subject} makes the same table`,
          expected: "the definition of the source, accepted and shown unchanged",
          fix: "Change the table on the source, or the settings of the target, so that both agree on its definition.",
        }),
      );
    }
    return findings;
  },
};

async function makeSidecar(target: ServerView): Promise<string | undefined> {
  try {
    await target.connection.exec(`CREATE DATABASE IF NOT EXISTS \`${SIDECAR_SCHEMA}\``);
    return undefined;
  } catch (error) {
    if (!isMysqlError(error)) throw error;
    return error.serverMessage;
  }
}

/** The mode in which the copy makes its tables: a definition may have a zero date as default. */
const COPY_MODE = "NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES";

/** What is different, or undefined. */
async function tryDefinition(target: ServerView, table: TableName, wanted: string): Promise<string | undefined> {
  const scratch = { schema: SIDECAR_SCHEMA, table: `preflight_${target.connection.threadId}` };
  try {
    await target.connection.exec(`SET SESSION sql_mode = '${COPY_MODE}'`);
    await target.connection.exec(renamed(wanted, table, scratch));
    const made = comparable(await showCreate(target, scratch));
    const [was, is] = [linesOf(wanted), linesOf(made)];
    const missing = was.filter((line) => !is.includes(line));
    const added = is.filter((line) => !was.includes(line));
    if (missing.length === 0 && added.length === 0) return undefined;
    return `instead of "${missing[0] ?? ""}" it makes "${added[0] ?? ""}"`;
  } catch (error) {
    if (!isMysqlError(error)) throw error;
    return `refused: ${messageOf(error).split("\n")[0] ?? ""}`;
  } finally {
    await target.connection.exec(`DROP TABLE IF EXISTS ${quoteTable(scratch)}`);
    await target.connection.exec("SET SESSION sql_mode = DEFAULT");
  }
}

/** All lines but the first, which has the name. */
function linesOf(definition: string): string[] {
  return definition
    .split("\n")
    .slice(1)
    .map((line) => line.trim().replace(/,$/, ""));
}
