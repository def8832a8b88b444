import { describe, expect, test } from "vitest";
import { COLUMN, type ColumnType } from "../../../src/binlog/column-type.ts";
import { exactCondition } from "../../../src/replication/row-condition.ts";
import { SqlWriter } from "../../../src/replication/sql-writer.ts";
import type { ColumnShape } from "../../../src/table/table-shape.ts";

function condition(dataType: string, type: ColumnType, value: Buffer, charset?: string): string {
  const column: ColumnShape = {
    ...{ name: "c", dataType, columnType: dataType, unsigned: false, nullable: true, charset, collation: charset },
    ...{ generated: false, autoIncrement: false, octets: 0, scale: 0 },
  };
  const out = new SqlWriter();
  exactCondition(column, "`c`", type)(out, value, 0, value.length);
  return out.take().toString();
}

const double = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
};
const typed = (type: number, rest: Partial<ColumnType> = {}): ColumnType => ({ type, ...rest }) as ColumnType;

describe("a value finds its row by every bit", () => {
  test("so a zero has its sign, and no other number asks for one", () => {
    const type = typed(COLUMN.DOUBLE);
    expect(condition("double", type, double(-0))).toBe("ABS(`c`)=0e0 AND CAST(`c` AS CHAR) LIKE '-%'");
    expect(condition("double", type, double(0))).toBe("ABS(`c`)=0e0 AND CAST(`c` AS CHAR) NOT LIKE '-%'");
    expect(condition("double", type, double(-1.5))).toBe("`c`=-1.5e0");
  });

  test("so a text is compared as bytes, and as itself only where that can be read in one way", () => {
    const type = typed(COLUMN.VARCHAR);
    const text = (value: string | Buffer, charset: string): string =>
      condition("varchar", type, Buffer.from(value as string), charset);
    expect(text("a b", "utf8mb4")).toBe("`c`='a b' AND CAST(`c` AS BINARY)=0x612062");
    expect(text("it's", "utf8mb4")).toBe("CAST(`c` AS BINARY)=0x69742773");
    expect(text(Buffer.from([0xff, 0x5c]), "gbk")).toBe("CAST(`c` AS BINARY)=0xff5c");
    expect(text("ab", "ucs2")).toBe("CAST(`c` AS BINARY)=0x6162");
    expect(text("", "utf8mb4")).toBe("`c`='' AND CAST(`c` AS BINARY)=''");
  });

  test("and a long one is not spelled a second time", () => {
    const spelled = condition("longblob", typed(COLUMN.BLOB), Buffer.alloc(5000, "x"), "binary");
    expect(spelled).toMatch(/^LENGTH\(`c`\)=5000 AND SHA2\(CAST\(`c` AS BINARY\),256\)='[0-9a-f]{64}'$/);
  });
});
