import { describe, expect, test } from "vitest";
import { parseTableKey, quoteId, quoteText, tableKey } from "../../../src/base/table-name.ts";
import { fc } from "../../support/seeded-properties.ts";

describe("a table's name", () => {
  test.each([
    ["orders", "no schema"],
    [".orders", "empty schema"],
    ["shop.", "empty table"],
    ["a.b.c", "three parts"],
    ["", "nothing"],
  ])("%j is refused: %s", (text) => {
    expect(() => parseTableKey(text)).toThrow(/TABLE_NAME_INVALID/);
  });

  test("reads back as it was written", () => {
    const part = fc.stringMatching(/^[a-zA-Z0-9_$-]{1,20}$/);
    fc.assert(
      fc.property(part, part, (schema, table) => {
        expect(parseTableKey(tableKey({ schema, table }))).toEqual({ schema, table });
      }),
    );
  });

  test("a backquote in an identifier cannot end the quotation", () => {
    expect(quoteId("a`; drop table b; -- ")).toBe("`a``; drop table b; -- `");
  });

  test("a text literal holds no byte that a server could read as syntax", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(quoteText(text)).toMatch(/^(''|_utf8mb4 0x[0-9a-f]+)$/);
      }),
    );
  });
});
