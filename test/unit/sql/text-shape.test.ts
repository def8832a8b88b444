import { describe, expect, test } from "vitest";
import { isSwitchyardError } from "../../../src/base/errors.ts";
import { analyzeSql } from "../../../src/sql/classifier.ts";
import type { SqlModes } from "../../../src/sql/statement.ts";
import { TextShape } from "../../../src/sql/text-shape.ts";
import { fc } from "../../support/seeded-properties.ts";
import { SQL_CORPUS } from "../../support/sql-corpus.ts";
import { mutatedSql } from "../../support/sql-mutations.ts";

const BYTES_MAX = 4096;

/** The shape as text, with `N` and `S` for literals; undefined where there is none. */
function shapeOf(sql: string | Buffer, utf8 = true): string | undefined {
  const shape = new TextShape(BYTES_MAX);
  if (!shape.read(Buffer.from(sql as string), utf8)) return undefined;
  return Buffer.from(shape.copy()).toString("latin1").replaceAll("\x01", "N").replaceAll("\x02", "S");
}

const ON_ROWS = new Set(["select", "insert", "replace", "update", "delete"]);
const MODES: readonly SqlModes[] = [
  { ansiQuotes: false, noBackslashEscapes: false },
  { ansiQuotes: true, noBackslashEscapes: true, ignoreSpace: true, charset: "other" },
  { ansiQuotes: true, noBackslashEscapes: false, charset: "unsafe" },
];

/** All that is known of a text, but where in it things lie; undefined where it is not one statement on rows. */
function known(sql: Buffer, modes: SqlModes): string | undefined {
  try {
    const [only, more] = analyzeSql(sql, modes);
    if (only === undefined || more !== undefined || !ON_ROWS.has(only.kind)) return undefined;
    return JSON.stringify(only, (key, value) => (["start", "end", "at"].includes(key) ? undefined : value));
  } catch (error) {
    if (!isSwitchyardError(error)) throw error;
    return undefined;
  }
}

/** The same text with other literals: found by patterns of our own, so that some of what is changed is none. */
const WITH_OTHERS: readonly ((sql: string) => string)[] = [
  (sql) => sql.replace(/\d+/g, "7001"),
  (sql) => sql.replace(/\b\d+\b/g, "8"),
  (sql) => sql.replace(/'[^']*'/g, "'it''s; /* \" ` -- # (12, x'"),
  (sql) => sql.replace(/'[^']*'/g, "''").replace(/\d/g, "00"),
];

/** What begins, ends or hides literals, in any order behind the beginning of a statement on rows. */
const PIECES =
  "5|17|5|0x|1e|a|t|'|'|''|'x 5'|`|`|\"|\"|@|\\\\|/*|*/|/*!80000 |/* switchyard:route=5 */|/*+|-- |-|#|;|é|\n| | | |,|,|.|.|(|)|=|:=| join |from ";
const pieced: fc.Arbitrary<string> = fc
  .record({
    head: fc.constantFrom(
      "select ",
      "select * from ",
      "delete from ",
      "update t set a = ",
      "insert into t values (",
      "/",
    ),
    pieces: fc.array(fc.constantFrom(...PIECES.split("|")), { maxLength: 12 }),
  })
  .map(({ head, pieces }) => head + pieces.join(""));

/** Where what looks like a literal is none, or what looks like its end. */
const TRAPS = [
  "select @'5' := 1",
  "select 5 # it's\n from t where a = b # it's\n",
  "select 5 -- it's\n from t where a = b -- it's\n",
  "select 'a\\' from t, 'b'",
  "select * from db.5",
  "select * from 5",
  "select * from `a 5`, t",
  "select /*!50000 5 from t join */ u",
];

describe("the shape of a text", () => {
  test.each([
    ["SELECT c FROM t1 WHERE id=5012", "SELECT c FROM t1 WHERE id=N"],
    ["INSERT INTO `a 5`.t VALUES (1,'it''s',\t-2)", "INSERT INTO `a 5`.t VALUES (N,S,\t-2)"],
    ["SELECT 1e5, 0x10, 1.5, .5, 5t, t5, t.5, 12", "SELECT 1e5, 0x10, 1.5, .5, 5t, t5, t.5, N"],
    ["SELECT * FROM t WHERE a IN (1, 2)", "SELECT * FROM t WHERE a IN (N, N)"],
    ["SELECT \"a 5\" , '5'", 'SELECT "a 5" , S'],
  ])("of %s is %s", (sql, shape) => {
    expect(shapeOf(sql)).toBe(shape);
  });

  test.each([
    ["SELECT 1 /* 5 */", "a comment, which may be executed, or name a backend"],
    ["SELECT 1 -- 5", "a comment"],
    ["SELECT 1 # 5", "a comment"],
    ["SELECT @a", "a variable, whose name may be a string"],
    ["SELECT 'a\\'b'", "a backslash, which escapes or not"],
    ["SELECT `a\\`", "a backslash"],
    ["SELECT 'a", "a quote that does not end"],
    ["SELECT `a", "a quote that does not end"],
    ["SELECT \x01 FROM t", "a byte that stands for a literal"],
    ["SELECT `\x02`", "a byte that stands for a literal"],
    [`SELECT ${"1".repeat(BYTES_MAX)}`, "more bytes than are read"],
  ])("is none of %s: %s", (sql) => {
    expect(shapeOf(sql)).toBeUndefined();
  });

  test("knows bytes beyond ASCII only where none of them is part of a quote", () => {
    for (const sql of ["SELECT 'é', 5", "SELECT é, 5", "SELECT `é`, 5"]) {
      expect(shapeOf(sql)).toBeDefined();
      expect(shapeOf(sql, false)).toBeUndefined();
    }
  });

  test("is the same only of texts of which the same is known", () => {
    const byShape = new Map<string, { readonly sql: string; readonly facts: string | undefined }>();
    let shared = 0;
    const check = (sql: string): void => {
      for (const text of [sql, ...WITH_OTHERS.map((other) => other(sql))]) {
        for (const [index, modes] of MODES.entries()) {
          const bytes = Buffer.from(text);
          const shape = shapeOf(text, modes.charset === undefined);
          if (shape === undefined) continue;
          const facts = known(bytes, modes);
          const key = `${index} ${shape}`;
          const before = byShape.get(key);
          if (before === undefined) byShape.set(key, { sql: text, facts });
          else if (before.sql !== text) {
            shared += 1;
            expect(facts, `${before.sql}\n${text}`).toBe(before.facts);
          }
        }
      }
    };
    [...SQL_CORPUS, ...TRAPS].forEach(check);
    fc.assert(fc.property(mutatedSql, check));
    fc.assert(fc.property(pieced, check), { numRuns: 2000 });
    expect(shared).toBeGreaterThan(1000);
  });
});
