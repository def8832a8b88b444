import { expect, test } from "vitest";
import { renamed } from "../../../src/replication/scratch-table.ts";

test("a definition that was tried under another name has no name twice, whatever the table is called", () => {
  const check = (name: string): string => `  CONSTRAINT \`${name}\` CHECK ((\`a\` > 1))`;
  const table = (name: string, ...checks: readonly string[]): string =>
    [`CREATE TABLE \`${name}\` (`, "  `a` int,", checks.map(check).join(",\n"), ") COMMENT='x'"].join("\n");
  const of = { from: "tried", to: "a$&`$$", before: table("a$&``$$", "a$&``$$_chk_2", "tried_chk_x") };
  expect(renamed(table("tried", "a$&``$$_chk_2", "own", "tried_chk_1", "tried_chk_2"), of)).toBe(
    table("a$&``$$", "a$&``$$_chk_2", "own", "a$&``$$_chk_3", "a$&``$$_chk_4"),
  );
});
