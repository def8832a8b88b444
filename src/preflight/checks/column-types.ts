import { tableKey } from "../../base/table-name.ts";
import type { ColumnShape } from "../../table/table-shape.ts";
import type { Check } from "../check.ts";
import { judge } from "../finding.ts";

/** Types whose values the copy, the stream and the diff carry bit by bit. */
const CARRIED: ReadonlySet<string> = new Set(
  (
    "tinyint smallint mediumint int bigint decimal float double bit year date time datetime timestamp " +
    "char varchar binary varbinary tinytext text mediumtext longtext tinyblob blob mediumblob longblob " +
    "enum set json vector geometry point linestring polygon multipoint multilinestring multipolygon geomcollection"
  ).split(" "),
);

/** Any other type would be copied by luck, if at all. */
export const columnTypesCheck: Check = {
  id: "column-types",
  title: "every column is of a type that is carried exactly",
  severities: ["error"],
  remedy: "Leave the table out: columns of types that this release does not know are not moved.",
  async run({ source, tables }) {
    const findings = [];
    for (const table of tables) {
      const shape = await source.shape(table);
      const others = shape.columns.filter((column) => !isCarried(column));
      findings.push(
        judge("column-types", others.length === 0, {
          subject: tableKey(table),
          observed:
            others.length === 0
              ? `${shape.columns.length} columns, all carried`
              : others.map((column) => `${column.name} ${column.columnType}`).join(", "),
          expected: "a type that this release knows",
          fix: "Leave the table out; this release does not move columns of these types.",
        }),
      );
    }
    return findings;
  },
};

function isCarried(column: ColumnShape): boolean {
  return CARRIED.has(column.dataType);
}
