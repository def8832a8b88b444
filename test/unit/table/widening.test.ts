import { describe, expect, test } from "vitest";
import { fitTest } from "../../../src/table/narrowing.ts";
import { type ColumnShape, parseTableShape } from "../../../src/table/table-shape.ts";
import { widening } from "../../../src/table/widening.ts";
import { fc } from "../../support/seeded-properties.ts";

const BYTES: Readonly<Record<string, number>> = {
  tinytext: 255,
  text: 65_535,
  mediumtext: 16_777_215,
  longtext: 4_294_967_295,
  blob: 65_535,
};

function column(type: string, collation?: string): ColumnShape {
  const [columnType = "", ...facts] = type.split(", ");
  const dataType = columnType.replace(/[( ].*/, "");
  const text = /char|text|enum|set/.test(dataType);
  const shown = collation ?? (text ? "utf8mb4_0900_ai_ci" : null);
  const length = Number(/\((\d+)/.exec(columnType)?.[1] ?? 0);
  const octets =
    BYTES[dataType] ?? (text ? length * (shown?.startsWith("utf8mb3") ? 3 : 4) : /binary/.test(dataType) ? length : 0);
  const scale = dataType === "decimal" ? (/,(\d+)/.exec(columnType)?.[1] ?? "0") : null;
  const row = {
    ...{
      name: "c",
      data_type: dataType,
      column_type: columnType,
      nullable: facts.includes("null") ? "YES" : "NO",
      extra: "",
    },
    ...{ charset: shown?.split("_")[0] ?? null, collation: shown, octets: octets === 0 ? null : String(octets) },
    ...{ scale, digits: /time/.test(dataType) ? String(length) : null },
  };
  const table = [{ name: "t", engine: "InnoDB", collation: null, type: "BASE TABLE" }];
  const shape = parseTableShape({ schema: "s", table: "t" }, { table, columns: [row], keys: [], foreignKeys: [] });
  return shape.columns[0] as ColumnShape;
}

describe("a column carries every value of another", () => {
  test.each([
    ["int", "bigint", "numbers outside of -2147483648 to 2147483647"],
    ["int unsigned", "bigint", "numbers outside of 0 to 4294967295"],
    ["tinyint(1)", "tinyint", undefined],
    ["mediumint unsigned", "int", "numbers outside of 0 to 16777215"],
    ["decimal(10,2)", "decimal(12,4)", "numbers that take more than decimal(10,2)"],
    ["decimal(10,2) unsigned", "decimal(10,2)", "numbers that take more than decimal(10,2) unsigned"],
    ["float", "double", "numbers that FLOAT would round"],
    ["datetime", "datetime(6)", "fractions of seconds of more than 0 digits"],
    ["timestamp(3)", "timestamp(6)", "fractions of seconds of more than 3 digits"],
    ["time(1)", "time(2)", "fractions of seconds of more than 1 digits"],
    ["varchar(10)", "varchar(11)", "values longer than varchar(10)"],
    ["varchar(10)", "tinytext", "values longer than varchar(10)"],
    ["tinytext", "text", "values longer than tinytext"],
    ["char(3)", "char(4)", "values longer than char(3)"],
    ["varbinary(3)", "blob", "values longer than varbinary(3)"],
    ["enum('a','b')", "enum('a','b','c')", "labels that only the target has"],
    ["set('a')", "set('a','b')", "labels that only the target has"],
    ["int", "int, null", "NULL"],
    ["int", "bigint, null", "numbers outside of -2147483648 to 2147483647, or NULL"],
  ])("%s in %s; back: %s", (from, to, narrows) => {
    expect(widening(column(from), column(to))).toEqual({ narrows });
  });

  test("utf8mb3 in utf8mb4", () => {
    const [from, to] = [column("varchar(10)", "utf8mb3_bin"), column("varchar(10)")];
    expect(widening(from, to)).toEqual({ narrows: "characters beyond utf8mb3" });
    expect(widening(to, from)).toHaveProperty("refuse");
  });

  test.each([
    ["bigint", "int"],
    ["int", "int unsigned"],
    ["int unsigned", "int"],
    ["int(5) zerofill", "bigint(5) zerofill"],
    ["int", "decimal(20,0)"],
    ["int", "double"],
    ["decimal(10,2)", "decimal(11,4)"],
    ["decimal(10,2)", "decimal(12,2) unsigned"],
    ["decimal(10,2)", "double"],
    ["double", "float"],
    ["float(7,3)", "double"],
    ["datetime(6)", "datetime"],
    ["date", "datetime"],
    ["datetime", "timestamp"],
    ["varchar(10)", "varchar(9)"],
    ["varchar(300)", "tinytext"],
    ["tinytext", "varchar(300)"],
    ["text", "tinytext"],
    ["char(3)", "varchar(3)"],
    ["varchar(3)", "char(3)"],
    ["binary(3)", "binary(4)"],
    ["binary(3)", "varbinary(4)"],
    ["text", "blob"],
    ["enum('a','b')", "enum('b','a','c')"],
    ["enum('a','b')", "enum('a')"],
    ["enum('Open','shut')", "enum('open','shut')"],
    ["set('a','B')", "set('a','b')"],
    ["enum('a')", "varchar(9)"],
    ["set('a')", "enum('a')"],
    ["bit(1)", "bit(2)"],
    ["bit(1)", "tinyint"],
    ["year", "int"],
    ["json", "longtext"],
    ["int, null", "bigint"],
  ])("is not said of %s in %s", (from, to) => {
    expect(widening(column(from), column(to))).toHaveProperty("refuse");
  });

  test("is not said of another collation", () => {
    expect(widening(column("varchar(5)"), column("varchar(9)", "utf8mb4_bin"))).toHaveProperty("refuse");
    expect(widening(column("enum('a')"), column("enum('a','b')", "utf8mb4_bin"))).toHaveProperty("refuse");
  });
});

describe("on the way back", () => {
  test.each<readonly [narrow: string, wide: string, fits: readonly string[], not: readonly string[]]>([
    ["tinyint", "int", ["-128", "127", "0"], ["-129", "128"]],
    ["int unsigned", "bigint", ["0", "4294967295"], ["-1", "4294967296"]],
    ["bigint unsigned", "bigint unsigned", ["18446744073709551615"], []],
    ["decimal(4,2)", "decimal(9,4)", ["99.9900", "-99.9900", "0.0000"], ["100.0000", "1.0010", "-1.0001"]],
    ["decimal(4,2) unsigned", "decimal(9,4)", ["99.9900"], ["-1.0000"]],
    ["float", "double", ["0.5", "-0", "0.10000000149011612"], ["0.1", "1e300"]],
    ["datetime(2)", "datetime(6)", ["2024-01-01 00:00:00.120000"], ["2024-01-01 00:00:00.123000"]],
    ["time", "time(3)", ["-12:00:00.000"], ["12:00:00.001"]],
    ["varchar(2)", "varchar(9)", ["ab", "äö", "😀😀", ""], ["abc", "a  "]],
    ["tinytext", "text", ["x".repeat(255)], ["x".repeat(256), "ä".repeat(128)]],
    ["varbinary(2)", "blob", ["ab"], ["abc", "ä "]],
    ["enum('a','b')", "enum('a','b','c')", ["0", "2"], ["3"]],
    ["set('a','b')", "set('a','b','c')", ["0", "3"], ["4", "5"]],
  ])("%s takes of %s what it holds exactly", (narrow, wide, fits, not) => {
    const test = fitTest(column(wide), column(narrow));
    expect(fits.filter((value) => !test(Buffer.from(value)))).toEqual([]);
    expect(not.filter((value) => test(Buffer.from(value)))).toEqual([]);
  });

  test("utf8mb3 takes no characters of four bytes", () => {
    const test = fitTest(column("varchar(9)"), column("varchar(9)", "utf8mb3_bin"));
    expect(["€", "😀"].map((value) => test(Buffer.from(value)))).toEqual([true, false]);
  });

  test("every number that came from the source goes home", () => {
    fc.assert(
      fc.property(fc.integer({ min: -32_768, max: 32_767 }), (value) => {
        expect(fitTest(column("bigint"), column("smallint"))(Buffer.from(String(value)))).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(fitTest(column("double"), column("float"))(Buffer.from(String(value)))).toBe(true);
      }),
    );
  });
});
