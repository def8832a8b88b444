import { describe, expect, test } from "vitest";
import { digitsAreNumbers, fiveDigitsAreNumbers } from "../../../src/table/enum-labels.ts";
import { keyKinds } from "../../../src/table/key-order.ts";
import { type InfoRow, parseTableShape, storedColumns } from "../../../src/table/table-shape.ts";

const name = { schema: "s", table: "t" };
const table: InfoRow[] = [{ name: "t", engine: "InnoDB", collation: "utf8mb4_0900_ai_ci", type: "BASE TABLE" }];

function column(facts: Partial<Record<string, string | null>>): InfoRow {
  return {
    name: "c",
    data_type: "int",
    column_type: "int",
    nullable: "YES",
    charset: null,
    collation: null,
    extra: "",
    octets: null,
    scale: null,
    digits: null,
    ...facts,
  };
}

describe("the shape of a table", () => {
  test("knows generated columns from those with computed defaults, which are written", () => {
    const shape = parseTableShape(name, {
      table,
      columns: [
        column({ name: "a", column_type: "int unsigned", extra: "auto_increment" }),
        column({ name: "b", extra: "VIRTUAL GENERATED" }),
        column({ name: "c", extra: "STORED GENERATED INVISIBLE" }),
        column({ name: "d", extra: "DEFAULT_GENERATED on update CURRENT_TIMESTAMP" }),
      ],
      keys: [],
      foreignKeys: [],
    });
    expect(storedColumns(shape).map((one) => one.name)).toEqual(["a", "d"]);
    expect(shape.columns[0]).toMatchObject({ unsigned: true, autoIncrement: true });
  });

  test("has its keys in key order, unique ones apart, names compared without case", () => {
    const shape = parseTableShape(name, {
      table,
      columns: [column({ name: "A" }), column({ name: "b" })],
      keys: [
        { name: "PRIMARY", non_unique: "0", col: "b", sub_part: null },
        { name: "PRIMARY", non_unique: "0", col: "a", sub_part: null },
        { name: "k", non_unique: "1", col: "a", sub_part: null },
        { name: "u", non_unique: "0", col: null, sub_part: null },
      ],
      foreignKeys: [
        {
          name: "f",
          col: "a",
          ref_schema: "s",
          ref_table: "p",
          ref_col: "x",
          on_update: "CASCADE",
          on_delete: "NO ACTION",
        },
        {
          name: "f",
          col: "b",
          ref_schema: "s",
          ref_table: "p",
          ref_col: "y",
          on_update: "CASCADE",
          on_delete: "NO ACTION",
        },
      ],
    });
    expect(shape.primaryKey).toEqual([1, 0]);
    expect(shape.uniqueKeys).toEqual([{ name: "u", columns: [-1], prefix: false }]);
    expect(shape.foreignKeys).toHaveLength(1);
    expect(shape.foreignKeys[0]).toMatchObject({ columns: ["a", "b"], referencedColumns: ["x", "y"] });
  });

  test("is refused for what is no table", () => {
    const rows = { columns: [column({})], keys: [], foreignKeys: [] };
    expect(() => parseTableShape(name, { ...rows, table: [] })).toThrow("TABLE_MISSING");
    expect(() => parseTableShape(name, { ...rows, table: [{ type: "VIEW" }] })).toThrow("TABLE_MISSING");
  });
});

describe("keys that only the server can order", () => {
  const kindsOf = (facts: Partial<Record<string, string | null>>): unknown =>
    keyKinds(
      parseTableShape(name, {
        table,
        columns: [column(facts)],
        keys: [{ name: "PRIMARY", non_unique: "0", col: "c", sub_part: null }],
        foreignKeys: [],
      }),
    );
  test.each<[Partial<Record<string, string | null>>, string]>([
    [{ data_type: "varchar", collation: "utf8mb4_0900_ai_ci" }, "case and accents do not count"],
    [{ data_type: "varchar", collation: "gbk_bin" }, "its order is not that of its bytes"],
    [{ data_type: "double" }, "a float has no exact text"],
    [{ data_type: "enum", collation: "utf8mb4_bin" }, "ordered by number, shown as text"],
    [{ data_type: "bit" }, "shown as bytes"],
    [{ extra: "STORED GENERATED" }, "not part of what is copied"],
  ])("%o: %s", (facts) => {
    expect(kindsOf(facts)).toBeUndefined();
  });

  test("and those that we can", () => {
    expect(kindsOf({ data_type: "varchar", collation: "utf8mb4_bin", charset: "utf8mb4" })).toEqual([
      { kind: "bytes", padded: true, fill: 0, charset: "utf8mb4" },
    ]);
    expect(kindsOf({ data_type: "binary", octets: "16" })).toEqual([
      { kind: "bytes", padded: false, fill: 16, charset: "binary" },
    ]);
  });
});

describe("digits as text for an ENUM", () => {
  test.each<[string, boolean]>([
    ["enum('new','paid')", true],
    ["enum('a1','2x','')", true],
    ["enum('''','\\n')", true],
    ["enum('1','10')", false],
    ["enum('³')", false],
    ["enum('a','0')", false],
  ])("%s: %s", (type, safe) => {
    expect(digitsAreNumbers(type)).toBe(safe);
  });
});

describe("five digits are a label's number", () => {
  test.each([
    ["enum('10','9','','0')", true],
    ["enum('00000')", false],
    ["enum('a','１２３４５')", false],
    ["enum('①②③④⑤')", false],
    ["enum('1-2345')", false],
    ["enum('ž12345','x00001')", true],
  ])("%s: %s", (type, safe) => {
    expect(fiveDigitsAreNumbers(type)).toBe(safe);
  });
});
