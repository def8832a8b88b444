import { quoteTable, quoteText, type TableName, tableKey } from "../../base/table-name.ts";
import { rowKey, rowKeyNames } from "../../table/row-key.ts";
import type { TableShape } from "../../table/table-shape.ts";
import type { Check, CheckContext } from "../check.ts";
import { type Finding, judge } from "../finding.ts";

const GIVE_ONE = "ADD COLUMN id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY";

/**
 * Rows are found again by their key: by the copy, the stream and the diff. Without one they are found by all of their values,
 * which every server and every table allows that has no rule against it.
 */
export const primaryKeyCheck: Check = {
  id: "primary-key",
  title: "every table has a primary or unique key, or may be without",
  severities: ["error", "warning"],
  remedy: "Give the table a primary key, or let the target have tables without.",
  async run(context) {
    const findings: Finding[] = [];
    for (const table of context.tables) {
      const shape = await context.source.shape(table);
      const refused = rowKey(shape) !== undefined ? [] : await obstacles(context, table);
      const cost = rowKey(shape) === undefined ? await costOf(context, table, shape) : "";
      findings.push(...(refused.length > 0 ? refused : [kept(table, shape, cost)]));
    }
    return findings;
  },
};

/** What a server reads in a second, roughly, to find a row by all of its values. */
const ROWS_A_SECOND = 1_000_000;
const BYTES_A_SECOND = 200 * 1024 * 1024;

/** What it takes to find a row that has no key, by the source's own guess of the table's size. */
async function costOf({ source }: CheckContext, table: TableName, shape: TableShape): Promise<string> {
  await source.rows("SET SESSION information_schema_stats_expiry = 0");
  const [size] = await source.rows(
    `SELECT table_rows AS n, data_length AS bytes FROM information_schema.tables WHERE table_schema = ${quoteText(table.schema)} ` +
      `AND table_name = ${quoteText(table.table)}`,
  );
  const rows = Number(size?.["n"] ?? 0);
  const seconds = Math.max(rows / ROWS_A_SECOND, Number(size?.["bytes"] ?? 0) / BYTES_A_SECOND);
  const reading = `the table, about ${rows} rows, is read in about ${seconds < 1 ? "a second or less" : `${Math.ceil(seconds)} s`}`;
  // See `findsRows` of the replication: the bytes of equal documents differ.
  return shape.columns.some(({ dataType }) => dataType === "json")
    ? `; with JSON for each row that changes or goes: ${reading}`
    : `; where no index helps once for each batch of changes: ${reading}`;
}

function kept(table: TableName, shape: TableShape, cost: string): Finding {
  const key = rowKey(shape);
  const names = rowKeyNames(shape).join(", ");
  const standIn = key === undefined || key.name === "PRIMARY" ? "" : `unique key ${key.name} `;
  return judge(
    "primary-key",
    key !== undefined,
    {
      subject: tableKey(table),
      observed: key === undefined ? `no key: a row is known by all of its values${cost}` : `${standIn}(${names})`,
      expected: "a key: without one a change may read the whole table, and a copy that is interrupted begins again",
      fix: `If the table is large or changes often: ALTER TABLE ${quoteTable(table)} ${GIVE_ONE};`,
    },
    "warning",
  );
}

/** What keeps a table without a key from being moved as it is. */
async function obstacles(context: CheckContext, table: TableName): Promise<readonly Finding[]> {
  const { source, target, targetTables } = context;
  const findings: Finding[] = [];
  const refuse = (subject: string, observed: string, expected: string, fix: string): void => {
    const fixed = `${fix}; or ALTER TABLE ${quoteTable(table)} ${GIVE_ONE};`;
    findings.push(judge("primary-key", false, { subject, observed, expected, fix: fixed }));
  };
  const hidden = "show_gipk_in_create_table_and_information_schema";
  for (const server of [source, target]) {
    if ((await server.variable(hidden)) === "OFF") {
      const observed = `no key that can be seen, and ${server.subject} hides those that it makes itself`;
      refuse(tableKey(table), observed, `${hidden}=ON`, `SET PERSIST ${hidden}=ON`);
    }
  }
  if (targetTables === "present") return findings;
  for (const [variable, what] of TARGET_RULES) {
    if ((await target.variable(variable)) !== "ON") continue;
    const observed = `no key, and ${target.subject} ${what}`;
    refuse(tableKey(table), observed, `${variable}=OFF`, `SET PERSIST ${variable}=OFF`);
  }
  return findings;
}

const TARGET_RULES = [
  ["sql_require_primary_key", "refuses tables without"],
  ["sql_generate_invisible_primary_key", "would give it another column"],
] as const;
