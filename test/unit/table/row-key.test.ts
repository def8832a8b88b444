import { describe, expect, test } from "vitest";
import { rowKey } from "../../../src/table/row-key.ts";
import { type InfoRow, parseTableShape } from "../../../src/table/table-shape.ts";

const column = (name: string, facts: InfoRow = {}): InfoRow => ({
  ...{ name, data_type: "int", column_type: "int", nullable: "NO", extra: "" },
  ...facts,
});
const part = (name: string, col: string | null, facts: InfoRow = {}): InfoRow => ({
  ...{ name, non_unique: "0", col, sub_part: null, visible: "YES" },
  ...facts,
});

function keyOf(...keys: InfoRow[]): string | undefined {
  const shape = parseTableShape(
    { schema: "s", table: "t" },
    {
      table: [{ name: "t", engine: "InnoDB", collation: null, type: "BASE TABLE" }],
      columns: [
        column("a"),
        column("b"),
        column("n", { nullable: "YES" }),
        column("g", { extra: "STORED GENERATED" }),
        column("c", { data_type: "varchar", column_type: "varchar(9)" }),
      ],
      keys,
      foreignKeys: [],
    },
  );
  const key = rowKey(shape);
  return key && `${key.name} ${key.columns.join()}`;
}

describe("rows are told apart", () => {
  test("by the primary key, whatever else is unique", () => {
    expect(keyOf(part("a", "a"), part("PRIMARY", "b"), part("PRIMARY", "c", { sub_part: "3" }))).toBe("PRIMARY 1,4");
  });

  test("by the unique key of the fewest columns where there is none", () => {
    expect(keyOf(part("two", "a"), part("two", "b"), part("x", "c"))).toBe("x 4");
    expect(keyOf(part("two", "b"), part("two", "a"), part("other", "a", { non_unique: "1" }))).toBe("two 1,0");
  });

  test.each([
    ["may hold NULL", [part("u", "a"), part("u", "n")]],
    ["is of an expression", [part("u", null)]],
    ["has a generated column", [part("u", "g")]],
    ["counts a beginning alone", [part("u", "c", { sub_part: "3" })]],
    ["the server is told not to read by", [part("u", "a", { visible: "NO" })]],
    ["is not unique", [part("u", "a", { non_unique: "1" })]],
  ] as const)("by no key that %s", (_why, keys) => {
    expect(keyOf(...keys)).toBeUndefined();
  });
});
