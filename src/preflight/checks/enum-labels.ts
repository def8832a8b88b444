import { quoteId, quoteTable, type TableName, tableKey } from "../../base/table-name.ts";
import { isMysqlError } from "../../mysql/mysql-error.ts";
import { SIDECAR_SCHEMA } from "../../rules/sidecar-schema.ts";
import { enumLabels } from "../../table/enum-labels.ts";
import type { ColumnShape } from "../../table/table-shape.ts";
import type { Check } from "../check.ts";
import { type Finding, judge } from "../finding.ts";
import type { ServerView } from "../server-view.ts";

const BEYOND_THREE_BYTES = /[\u{10000}-\u{10FFFF}]/u;

/**
 * A server shows definitions in utf8mb3, so a label with a character of four bytes is shown with `?` in its place, to SHOW
 * CREATE TABLE and to information_schema alike, and a table that is made from what it shows has other labels.
 *
 * A column whose definition has a `?` is asked for its true labels: in a scratch table of the sidecar schema, made of this
 * one column, which is dropped again.
 */
export const enumLabelsCheck: Check = {
  id: "enum-labels",
  title: "labels of ENUM and SET columns are shown by the server as they are",
  severities: ["error"],
  remedy: "Rename the label, or leave the table out.",
  async run({ source, tables }) {
    const findings: Finding[] = [];
    for (const table of tables) {
      const { columns } = await source.shape(table);
      const doubtful = columns.filter(
        ({ dataType, columnType }) => (dataType === "enum" || dataType === "set") && columnType.includes("?"),
      );
      const hidden: string[] = [];
      for (const column of doubtful) hidden.push(...(await hiddenLabels(source, table, column)));
      findings.push(
        judge("enum-labels", hidden.length === 0, {
          subject: tableKey(table),
          observed: hidden.length === 0 ? "shown as they are" : `not shown as they are: ${hidden.join(", ")}`,
          expected: "labels without characters that take four bytes in utf8mb4, such as emoji",
          fix: "Leave the table out, or change the labels with ALTER TABLE … MODIFY; the target would get a ? in their place.",
        }),
      );
    }
    return findings;
  },
};

/** Labels of a column that the server cannot show, each with the column's name. */
async function hiddenLabels(server: ServerView, table: TableName, column: ColumnShape): Promise<string[]> {
  const { connection } = server;
  const scratch = quoteTable({ schema: SIDECAR_SCHEMA, table: `preflight_labels_${connection.threadId}` });
  const numbers = enumLabels(column.columnType).map((_, index) =>
    column.dataType === "set" ? `(${(1n << BigInt(index)).toString()})` : `(${index + 1})`,
  );
  try {
    await connection.exec(`CREATE DATABASE IF NOT EXISTS \`${SIDECAR_SCHEMA}\``);
    await connection.exec(
      `CREATE TABLE ${scratch} AS SELECT ${quoteId(column.name)} AS label FROM ${quoteTable(table)} LIMIT 0`,
    );
    await connection.exec(`INSERT INTO ${scratch} (label) VALUES ${numbers.join(",")}`);
    const rows = await server.rows(`SELECT HEX(CONVERT(label USING utf8mb4)) AS label FROM ${scratch}`);
    return rows
      .map((row) => Buffer.from(row["label"] ?? "", "hex").toString("utf8"))
      .filter((label) => BEYOND_THREE_BYTES.test(label))
      .map((label) => `${column.name} '${label}'`);
  } finally {
    await connection.exec(`DROP TABLE IF EXISTS ${scratch}`).catch((error: unknown) => {
      if (!isMysqlError(error)) throw error;
    });
  }
}
