import { describe, expect, test } from "vitest";
import { analyzeSql } from "../../../src/sql/classifier.ts";
import { columnLiterals } from "../../../src/sql/column-literals.ts";
import { fc } from "../../support/seeded-properties.ts";
import { SQL_CORPUS } from "../../support/sql-corpus.ts";
import { factsOf, PLAIN } from "./sql-facts.ts";

/** `column=literal`, each as written; `<-` for what is inserted; `?n` for parameter n. */
function literalsOf(sql: string): string[] {
  const text = Buffer.from(sql);
  return columnLiterals(text, factsOf(sql), PLAIN).map(({ how, table, column, start, end, parameter }) => {
    const name = table === undefined ? column : `${table}.${column}`;
    const literal = parameter === undefined ? text.toString("utf8", start, end) : `?${parameter}`;
    return `${name}${how === "inserted" ? "<-" : "="}${literal}`;
  });
}

describe("literals that are set against a column", () => {
  test.each<readonly [string, readonly string[]]>([
    ["select * from t where id = 5", ["id=5"]],
    ["select * from t where 5 = id", ["id=5"]],
    ["select * from t where id = -5 and name = 'x' 'y'", ["id=-5", "name='x' 'y'"]],
    ['select * from t as o where o.id = 5 and `s`.`o`.`my col` = "z"', ["o.id=5", 'o.my col="z"']],
    ["select * from t where id = ? and a in (?, 7, ?)", ["id=?0", "a=?1", "a=7", "a=?2"]],
    [
      "select * from t where id in (1, _utf8mb4'b', 0xff, x'00', null)",
      ["id=1", "id=_utf8mb4'b'", "id=0xff", "id=x'00'", "id=null"],
    ],
    ["select * from t where (id = 1) or (status = 'open')", ["id=1", "status='open'"]],
    ["select * from t join u on u.id = 3 where t.a = u.b", ["u.id=3"]],
    ["delete from t where id = 5 order by id limit 1", ["id=5"]],
    ["update t set a = 1, b = 'x' where id = 5", ["id=5"]],
    ["update t set a = (select b from u where u.id = 2) where id = 5", ["u.id=2", "id=5"]],
    ["insert into t (id, `a`, b) values (1, 'x', now()), (2, default, ?)", ["id<-1", "a<-'x'", "id<-2", "b<-?0"]],
    ["insert into t (id) value (1)", ["id<-1"]],
    ["insert into t (a, b, c, d) values (1), (2, 3)", ["a<-1", "a<-2", "b<-3"]],
    ["insert into t set id = 1, a = 'x'", ["id<-1", "a<-'x'"]],
    ["replace into s.t (id, a) values (1, concat('a', 'b')), (f(2, 3), 4)", ["id<-1", "a<-4"]],
    ["insert into t (id, n) values (1, 2) on duplicate key update n = 3", ["id<-1", "n<-2"]],
    ["select * from t where id /* = 6 */ = 5 -- = 7", ["id=5"]],
    ["select case when side = 'D' then a = 1 else b = 2 end from t", ["side='D'", "a=1", "b=2"]],
    [
      "select * from t where a = _binary 0xff and b = _utf8mb4 x'41' and n'x' = c",
      ["a=_binary 0xff", "b=_utf8mb4 x'41'", "c=n'x'"],
    ],
    ["select * from t where x between 1 and 2 and a = 5", ["a=5"]],
    ["insert into t (id) values ((select a from u where b = 1)), (2)", ["b=1", "id<-2"]],
  ])("%s", (sql, expected) => {
    expect(literalsOf(sql)).toEqual(expected);
  });

  test.each([
    ["select * from t where id = 5 + 1", "the literal is part of a sum"],
    ["select * from t where a + id = 5", "the column is part of a sum"],
    ["select * from t where id <> 5", "it is another comparison"],
    ["select * from t where id >= 5 and a <= 6", "it is another comparison"],
    ["select * from t where lower(a) = 'x'", "a function stands between"],
    ["select * from t where a = 'x' collate utf8mb4_bin", "another collation compares"],
    ["select * from t where id = (select 5)", "it is a query"],
    ["select * from t where id in (select 5)", "it is a query"],
    ["select * from t where id = 5 in (1, 0)", "the literal is in the list or is not"],
    ["select * from t where id = 5 between 1 and 6", "the literal is in the range or is not"],
    ["select * from t where id = 'a' not like 'b'", "the literal is like it or is not"],
    ["select * from t where x between 1 and id = 5", "what BETWEEN says is compared"],
    ["select * from t where id not in (5)", "all others are meant"],
    ["select * from t where id in (5, a)", "the list holds more than literals"],
    ["select * from t where (a, b) = (1, 2)", "rows are compared"],
    ["insert into t values (1, 2)", "the columns are not named"],
    ["insert into t (id) select 5", "it is a query"],
    ["update t set id = 5", "it is an assignment"],
    ["select 'id = 5'", "it is a text"],
    ["select * from t where id = 'x", "a quote does not end"],
    ["select * from t where `` = 5", "a name has no characters"],
  ])("%s: none, because %s", (sql) => {
    expect(literalsOf(sql)).toEqual([]);
  });

  test("lie within their statement, in any text of several", () => {
    const pieces = fc.constantFrom(...SQL_CORPUS);
    fc.assert(
      fc.property(fc.array(pieces, { minLength: 1, maxLength: 3 }), (statements) => {
        const text = Buffer.from(statements.join(" ; "));
        for (const facts of analyzeSql(text, PLAIN)) {
          for (const { start, end } of columnLiterals(text, facts, PLAIN)) {
            expect(start >= facts.start && start < end && end <= facts.end).toBe(true);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("the place of a table in the text", () => {
  test.each([
    ["select * from t join s.u on 1", ["t", "s.u"]],
    ["update `a b` set x = 1", ["`a b`"]],
    ["select 'é' from t", ["t"]],
    ["insert into /* t */ s . t select * from u", ["s . t", "u"]],
  ])("of %s is where its name begins", (sql, names) => {
    const text = Buffer.from(sql);
    const at = factsOf(sql).tables.map((table) => table.at ?? -1);
    const expected = names.map((name) => text.lastIndexOf(Buffer.from(name)));
    expect(at).toEqual(expected);
  });
});
