import { describe, expect, test } from "vitest";
import { shownStatement } from "../../../src/sql/shown-statement.ts";
import type { SqlModes } from "../../../src/sql/statement.ts";
import { fc } from "../../support/seeded-properties.ts";

const MODES: SqlModes = { ansiQuotes: false, noBackslashEscapes: false };
const show = (text: string, modes: Partial<SqlModes> = {}): string =>
  shownStatement(Buffer.from(text), { ...MODES, ...modes });

describe("a statement that is shown", () => {
  test.each([
    ["SELECT GET_LOCK('nightly', 10)", "SELECT GET_LOCK(?, ?)"],
    ["SET PASSWORD = 'hunter2'", "SET PASSWORD = ?"],
    [
      "UPDATE `shop`.orders SET note=\"x\", n = -1.5e3 WHERE id IN (0x41, X'42', ?)",
      "UPDATE `shop`.orders SET note=?, n = -? WHERE id IN (?, X?, ?)",
    ],
    ["LOCK TABLES\n\torders  WRITE", "LOCK TABLES orders WRITE"],
    ["/* token=abc */ SELECT 1 -- hunter2", "SELECT ?"],
    ["SELECT 'it''s', 'a\\'b', N'c', _utf8mb4'd'", "SELECT ?, ?, N?, _utf8mb4?"],
    ["SELECT @a, @@sql_mode, @'b c'", "SELECT @a, @@sql_mode, @'b c'"],
    ["SELECT /*!80000 'hunter2', */ 2", "SELECT ?, ?"],
    ["SELECT 'hunter2", "SELECT …"],
    ["'hunter2", "(a text that cannot be read safely)"],
    ["SELECT $tag$hunter2$tag$", "SELECT …"],
    ["SELECT `a\nb\u200e`", "SELECT `a b `"],
    ["", ""],
  ])("%j is %j", (text, shown) => {
    expect(show(text)).toBe(shown);
  });

  test("does not trust quotes of a character set that may hide them", () => {
    expect(shownStatement(Buffer.from("SELECT '\xbf'", "latin1"), { ...MODES, charset: "unsafe" })).toBe(
      "(a text that cannot be read safely)",
    );
    expect(show("SELECT 'plain'", { charset: "unsafe" })).toBe("SELECT ?");
  });

  test("hides what stands in double quotes in either mode: the server's may be another by now", () => {
    expect([show('SELECT "secret"', { ansiQuotes: true }), show('SELECT "secret"')]).toEqual(["SELECT ?", "SELECT ?"]);
  });

  test("is short, however long it is", () => {
    expect(show(`SELECT ${"column_name, ".repeat(100_000)} 1`)).toMatch(/^SELECT column_name, .{120,150} …$/);
    expect(show(`SELECT '${"hunter2 ".repeat(1000)}', 1`)).toBe("SELECT …");
  });

  test("never holds a value, wherever its text is cut", () => {
    const value = fc.constantFrom(
      "'SECRET'",
      '"SECRET"',
      "'\\'SECRET'",
      "'''SECRET'",
      "/* SECRET */ 1",
      "# SECRET\n 2",
    );
    const piece = fc.oneof(value, fc.constantFrom("SELECT", "a.b", "`c`", ",", "(", ")", "@d", "x'41'", "--"));
    const text = fc.array(piece, { maxLength: 300 }).map((pieces) => pieces.join(" "));
    fc.assert(
      fc.property(text, fc.nat(2000), (whole, length) => {
        expect(show(whole.slice(0, length))).not.toContain("SECRET");
      }),
      { numRuns: 200 },
    );
  });
});
