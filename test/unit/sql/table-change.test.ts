import { expect, test } from "vitest";
import { readTableChange } from "../../../src/sql/table-change.ts";

const MODES = { ansiQuotes: false, noBackslashEscapes: false };

/** What of a change must be looked at before another server makes it. */
function warnings(actions: string): readonly string[] {
  const change = readTableChange(`ALTER TABLE t ${actions}`, MODES);
  if (change === undefined) return ["unread"];
  const { zonedDefault, rearranges, retyped } = change;
  return [
    ...(zonedDefault ? ["zone"] : []),
    ...(rearranges ? ["moves"] : []),
    ...retyped.map(({ from, to }) => `${from} is ${to}`),
  ];
}

test.each([
  ["ADD d TIMESTAMP DEFAULT '2024-07-01 12:00:00'", ["zone"]],
  ["ADD d TIMESTAMP DEFAULT 20240701120000", ["zone"]],
  ["ADD d TIMESTAMP NOT NULL DEFAULT TIMESTAMP '2024-07-01 12:00:00'", ["zone"]],
  ["ADD (n INT, d TIMESTAMP DEFAULT _utf8mb4 '2024-07-01')", ["zone"]],
  ["ADD d TIMESTAMP DEFAULT '0000-00-00 00:00:00'", []],
  ["ADD d TIMESTAMP DEFAULT 0", []],
  ["ADD d TIMESTAMP NULL DEFAULT NULL COMMENT '2024-07-01'", []],
  ["ADD d TIMESTAMP DEFAULT CURRENT_TIMESTAMP", []],
  ["ADD d DATETIME DEFAULT '2024-07-01 12:00:00'", []],
  ["ADD d TIMESTAMP NULL, ADD n INT DEFAULT 5", []],
  ["RENAME COLUMN a TO b", ["moves"]],
  ["CHANGE a b INT", ["moves", "a is b"]],
  ["CHANGE COLUMN a A INT", ["a is A"]],
  ["MODIFY COLUMN `a` INT, MODIFY b INT FIRST", ["a is a", "b is b"]],
  ["DROP a, ADD a INT", ["moves"]],
  ["DROP a, DROP COLUMN b", []],
  ["DROP KEY a, ADD b INT", []],
])("what %s may make another thing of on another server is told: %j", (actions, expected) => {
  expect(warnings(actions)).toEqual(expected);
});
