import { describe, expect, test } from "vitest";
import type { SqlModes } from "../../../src/sql/statement.ts";
import { factsOf, PLAIN, tablesOf } from "./sql-facts.ts";

const QUERIES: readonly (readonly [sql: string, tables: string, why: string])[] = [
  ["select 1", "", "no table"],
  ["select 1 from dual", "", "DUAL is no table"],
  ["select * from `dual`", "dual", "but a quoted name is"],
  ["select * from shop.dual", "shop.dual", "and so is a qualified one"],
  ["SELECT c FROM sbtest1 WHERE id=5", "sbtest1", "the plain case"],
  ["select * from shop.orders", "shop.orders", "qualified"],
  ["select * from shop . orders", "shop.orders", "spaces around the dot"],
  ["select * from shop./**/orders", "shop.orders", "a comment after the dot"],
  ["select * from shop /* x */ . orders", "shop.orders", "a comment before the dot"],
  ["select * from .orders", "orders", "the leading dot of old ODBC"],
  ["select * from `shop`.`or``ders`", "shop.or`ders", "a quoted backquote"],
  ["select * from Shop.Orders", "Shop.Orders", "case is kept"],
  ["select * from shop.select", "shop.select", "any word may follow a dot"],
  ["select * from shop.1orders", "shop.1orders", "even one that begins with a digit"],
  ["select * from 1orders", "1orders", "a name may begin with a digit"],
  ["select * from 0xorders", "0xorders", "which is no hex literal"],
  ["select * from größe", "größe", "letters beyond ASCII"],
  ["select * from status, user, events", "status user events", "keywords that are not reserved"],
  ["select a.b.c from t", "t", "a qualified column names no table of its own"],
  ["select shop.orders.id from shop.orders", "shop.orders", "nor when it looks like one"],
  ["select `from` from t", "t", "a quoted keyword is a column"],
  ["select t.from from t", "t", "and so is one after a dot"],
  ["select ' FROM x' from t", "t", "a string is no clause"],
  ["select '\\' from x where a=\\'' from t", "t", "an escaped quote does not end a string"],
  ["select 'a''b from x' from t", "t", "nor does a doubled one"],
  ['select "from x" from t', "t", "double quotes are strings"],
  ["select 1 -- from x\nfrom t", "t", "a dash comment"],
  ["select 1 # from x\nfrom t", "t", "a hash comment"],
  ["select 1--from_x", "", "no comment without a space: minus minus a column"],
  ["select 1 /* from x */ from t", "t", "a block comment"],
  ["select 1 /*! from shop.orders*/", "shop.orders", "an executed comment"],
  ["select * /*!50000 from shop.orders*/", "shop.orders", "one with a version"],
  ["select * /*!080000 from shop.orders*/", "shop.orders", "six digits and a space"],
  ["select * /*!50000 from shop.orders /* plain */ , b */", "shop.orders b", "a comment inside"],
  ["select /*+ NO_INDEX(x) */ * from t", "t", "optimizer hints"],
  ["select /*+ QB_NAME(`a*/b`) */ * from t", "*", "a hint may hide its own end"],
  ["select * from a, b c, d as e", "a b d", "a list with aliases"],
  ["select * from a join b using (id) join c on a.x = c.x and c.y in (1,2), d", "a b c d", "joins, then a comma"],
  ["select * from a left outer join b on 1 natural join c cross join e inner join f", "a b c e f", "kinds of join"],
  ["select * from a straight_join b on a.x=b.x", "a b", "straight_join as a join"],
  ["select straight_join * from a", "a", "and as an option"],
  ["select * from (a, b) join (c join (d) on 1) on 1", "a b c d", "lists in parentheses"],
  ["select * from { oj a left outer join b on 1 }, c", "a b c", "ODBC's outer join"],
  ["select * from a partition (p0, p1) as x, b", "a b", "partitions"],
  ["select * from a use index (i, j) ignore key for order by (k), b", "a b", "index hints"],
  ["select * from a use index for join (i), b", "a b", "the JOIN of a hint is none"],
  ["select * from a force index for group by (i) join b", "a b", "and its GROUP ends no list"],
  ["select * from a where x in (select y from b where z = (select max(w) from c))", "a b c", "subqueries"],
  ["select (select count(*) from b) from a", "b a", "a subquery among the columns"],
  ["select * from (select * from a) as x (c1, c2), b", "a b", "a derived table with columns"],
  ["select * from a, lateral (select * from b where b.x = a.x) l", "a b", "lateral"],
  ["select * from (select 1 union all select 2 from b) x", "b", "a union inside"],
  ["select * from a union select * from b except (select * from c) intersect select * from d", "a b c d", "sets"],
  ["(select * from a) union (select * from b) order by 1", "a b", "parentheses first"],
  ["((select * from a))", "a", "twice"],
  ["select * from a union table b", "a b", "TABLE in a union"],
  ["table shop.orders order by id limit 3", "shop.orders", "TABLE as a statement"],
  ["select * from a where x in (table b)", "a b", "TABLE in a subquery"],
  ["values row(1,2), row(3,(select 1 from a))", "a", "VALUES as a statement"],
  ["select * from (values row(1), row(2)) v, b", "b", "VALUES as a derived table"],
  ["select extract(year from created) from t", "t", "the FROM of EXTRACT"],
  ["select trim(both 'x' from y), substring(z from 2 for 3) from t", "t", "and of TRIM and SUBSTRING"],
  ["select extract(year from (select max(d) from u)) from t", "u t", "with a subquery in it"],
  ["select * from a, json_table(a.doc, '$' columns (x int path '$.x')) as j, b", "a b", "JSON_TABLE"],
  ["select * from a where match(b) against ('x' with query expansion)", "a", "WITH that is no WITH"],
  ["select a, count(*) from t group by a with rollup having count(*) > 1", "t", "WITH ROLLUP"],
  ["select sum(a) over (partition by b order by c), rank() over w from t window w as (order by d)", "t", "windows"],
  ["select * from t order by a, b limit 3, 4", "t", "commas after the list of tables"],
  ["select * from t group by a, b", "t", "commas of GROUP BY"],
  ["select * from t for update of t skip locked", "t", "a locking clause"],
  ["select a into @x from t", "t", "INTO before FROM"],
  ["select * into outfile '/tmp/x' from t", "t", "INTO OUTFILE"],
  ["select cast(a as decimal(10,2)), convert(b using utf8mb4), a->>'$.x', b->'$[0]' from t", "t", "types and arrows"],
  ["select case when a then (select 1 from u) else 2 end from t", "u t", "CASE"],
  ["select * from t where a = ? and b = :c", "t", "parameters"],
  ["select interval(1,2), if(a,b,c), left(a,1), values(a), char(1,2) from t", "t", "keywords that are functions"],
  ["select st_astext(p), json_extract(d,'$'), uuid() from t", "t", "native functions"],
  ["select 1.5e3, .5, 1.from t", "t", "numbers, one of them right before FROM"],
  ["select x'4d', 0x4d, b'01', n'text', _utf8mb4'text' from t", "t", "literals with prefixes"],
  ["select @a, @`b c`, @'d', @@session.sql_mode, @@`version` from t", "t", "variables"],
  ["select * from a.b.c", "*", "a name of three parts is not known"],
  ["select * from ?", "*", "a parameter cannot be a table"],
  ["select * from", "*", "the list is missing"],
  ["select * from a,", "a *", "or ends too soon"],
  ["select (1 from t", "*", "a parenthesis that does not end"],
  ["select * from t)", "t *", "or was not opened"],
  ["select 'abc from t", "*", "a quote that does not end"],
  ["select 1 /* from t", "*", "a comment that does not end"],
  ["select * from unknown_function(1)", "*", "a table function that is not known"],
  ["select my_function(1) from t", "t *", "a function that may be stored"],
  ["select shop.my_function(1)", "*", "qualified"],
  ["select `abs`(1)", "*", "quoted"],
  ["select count(*) from t", "t", "a function that needs its parenthesis at once"],
  ["select count (*) from t", "t *", "and else may be a stored one"],
  ["select $tag$ from x $tag$", "x *", "a dollar quote is not told from a name"],
];

const CTES: readonly (readonly [sql: string, tables: string, why: string])[] = [
  ["with x as (select * from a) select * from x", "a", "its name is no table"],
  ["with x as (select * from a), y as (select * from x join b) select * from y, c", "a b c", "a later one uses it"],
  ["with x (c1, c2) as (select 1, 2) select * from x", "", "with columns"],
  ["with orders as (select * from orders) select * from orders", "orders", "inside it the name means the table"],
  ["with recursive x as (select 1 union all select n+1 from x) select * from x", "", "unless it is recursive"],
  ["with y as (select * from x), x as (select 1) select * from x", "x", "a later name is not known before"],
  ["with x as (select 1) select * from shop.x", "shop.x", "a qualified name is always a table"],
  ["select * from (with x as (select 1) select * from x) d, x", "x", "the name ends with its parentheses"],
  ["with x as (select 1) select * from (select * from x) d where a in (select b from x)", "", "but holds deeper down"],
  ["with X as (select 1) select * from x", "x", "another case may be another table"],
  ["with x as (select 1) update t join x set t.a = 1", "t!", "before UPDATE"],
  ["with x as (select 1) delete from t where a in (select * from x)", "t!", "before DELETE"],
  ["with x as (select 1) delete from x", "x!", "a table to delete from is never one"],
  ["with x as (select 1) delete t from t join x", "t!", "in a join it is"],
  [
    "with x as (select * from a) delete from q using b as q join x",
    "a b!",
    "the tables of its body stay, whatever USING replaces",
  ],
  ["insert into t with x as (select * from a) select * from x", "t! a", "after INSERT"],
  ["insert into x with x as (select * from a) select * from x", "x! a", "the table to insert into is never one"],
  ["explain with x as (select * from a) select * from x", "a", "after EXPLAIN"],
  ["with x as (with y as (select * from a) select * from y) select * from x, y", "a y", "nested"],
];

describe("the tables of a query", () => {
  test.each(QUERIES)("%s → %s (%s)", (sql, tables) => {
    expect(tablesOf(sql)).toBe(tables);
  });
});

describe("common table expressions hide tables only where they are in scope", () => {
  test.each(CTES)("%s → %s (%s)", (sql, tables) => {
    expect(tablesOf(sql)).toBe(tables);
  });
});

describe("the modes of a session change the reading", () => {
  test.each<readonly [string, string, Partial<SqlModes>, string]>([
    ['select "a" from "shop"."orders"', "shop.orders", { ansiQuotes: true }, "ANSI_QUOTES makes names"],
    ['select "a"" from x" from t', "t", { ansiQuotes: true }, "with doubled quotes"],
    ["select 'a\\' from t", "t", { noBackslashEscapes: true }, "a backslash is a character"],
    ["select '\\' from t -- '", "", {}, "and else hides the quote"],
    ["select count (*) from t", "t", { ignoreSpace: true }, "IGNORE_SPACE"],
    ["select * from caf\u00e9", "café *", { charset: "other" as const }, "a name in an unknown character set"],
    ["select 'caf\u00e9' from t", "t", { charset: "other" as const }, "a string may hold anything"],
    ["select 'caf\u00e9' from t", "t *", { charset: "unsafe" as const }, "unless its bytes may be quotes"],
    ["select 'cafe' from t", "t", { charset: "unsafe" as const }, "which ASCII never is"],
    [
      "select 1 /*!99999 from a */ from b",
      "b",
      { serverVersions: { oldest: 80000, newest: 90704 } },
      "a comment for a later server is one",
    ],
    [
      "select 1 /*!80030 from a */",
      "a",
      { serverVersions: { oldest: 80046, newest: 90704 } },
      "one for every server is executed",
    ],
    [
      "select 1 /*!90000 from a */",
      "a *",
      { serverVersions: { oldest: 80046, newest: 90704 } },
      "one that some execute is in doubt",
    ],
    [
      "select 1 /*!99999 /* */ from a */ from b",
      "b",
      { serverVersions: { oldest: 80000, newest: 90704 } },
      "a comment that is not executed may hold another",
    ],
    ["select 1 /*!500001 from a*/", "a *", {}, "six digits with a space after: a version far ahead"],
    ["select 1 /*!500001from a*/", "*", {}, "six digits without one are read in two ways"],
  ])("%s → %s (%s)", (sql, tables, modes) => {
    expect(tablesOf(sql, { ...PLAIN, ...modes })).toBe(tables);
  });
});

test("a text nested deeper than is followed touches everything", () => {
  const sql = `select ${"(".repeat(600)}1${")".repeat(600)}`;
  expect(factsOf(sql).touchesEverything).toBe(true);
});
