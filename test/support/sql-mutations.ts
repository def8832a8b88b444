import { fc } from "./seeded-properties.ts";

/** Statements that a server with the oracle's tables executes, one for each thing that can hold a table. */
export const SEEDS: readonly string[] = [
  "select * from orders",
  "select o.id from shop.orders o join items using (id) where o.a in (1,2)",
  "select * from orders o left join (items i cross join status s) on o.id = i.id, x1",
  "select extract(year from d) from orders where a = (select max(b) from items)",
  "select trim(leading 'x' from 'xy'), substring('abc' from 2 for 1) from status",
  "with recursive n as (select 1 as id union all select id + 1 from n where id < 3) select * from n join orders using (id)",
  "with orders as (select * from orders), z (q) as (select id from orders) select * from z, t",
  "select * from (select * from items) as q (c1, c2, c3, c4), lateral (select * from status where status.id = c1) l",
  "select * from orders use index for join (i) ignore index for order by (i) join items force key for group by (i)",
  "select * from json_table('[1,2]', '$[*]' columns (id int path '$')) j join orders using (id)",
  "(select id from orders) union (select id from items) order by 1 limit 2",
  "select id from orders union all table_",
  "table orders",
  "values row(1,2), row(3,(select max(id) from items))",
  "select * from { oj orders o left outer join items i on o.id = i.id }",
  "select id, sum(a) over w from orders window w as (partition by b order by d) limit 1, 2",
  "select a, count(*) from orders group by a, b with rollup having count(*) > 0",
  "select case when exists (table items) then 1 else (select 2 from dual) end from orders for update of orders",
  "insert into orders (id, a) values (1, 2) as new(m, n) on duplicate key update a = n",
  "insert into orders select * from items on duplicate key update orders.a = 1, orders.b = 2",
  "insert into orders set id = 5, a = (select count(*) from status)",
  "insert ignore into items table orders",
  "replace into t (id, a) select id, a from x1 where id in (select id from items)",
  "update orders o, items i join status s using (id) set o.a = i.a, o.b = s.b where o.id = i.id",
  "update (orders join items using (id)) set orders.a = 1, items.b = 2",
  "update low_priority ignore orders as q set q.a = (select max(b) from items) order by q.id, q.a limit 1",
  "delete from orders where id in (select id from items) order by id, a limit 3",
  "delete o, i.* from orders o join items i using (id)",
  "delete from o, items using orders as o join items using (id)",
  "with z as (select 1 as id) update orders join z using (id) set orders.a = 1",
  "with z as (select id from items) delete from orders where id in (select id from z)",
  "do sleep(0), (select max(id) from orders)",
  "set @v = (select max(id) from orders), @w = 2",
  "explain format=tree select * from orders join items",
  "select f(1), abs (2), count(*) from orders",
  "select `a`, 'from items', \"join status\" from `orders` -- from t\n",
  "select /*+ join_order(o, i) */ * from orders o, items i",
  "select 1 /*!50000 , (select max(id) from items) */ from orders /*!99999 , t */",
  "select * from orders where a = 0x41 or b = x'41' or d = '2020-01-01' or a = 1e1 or a = .5 or a = 1.",
];

const BLANKS = [" ", "\n", "/**/", "/* ' */", "/*!80000 */", "-- '\n", "# `\n", "\t", "/*!*/", "/*+ x */", " /* ; */ "];
const PIECES = [
  ...[
    ",",
    "(",
    ")",
    ".",
    "*",
    "as",
    "from",
    "join",
    "on 1",
    "where 1",
    "union",
    "select 1",
    "table t",
    "with",
    "using",
  ],
  ...[
    "items",
    "shop.status",
    "`x1`",
    '"t"',
    "t",
    "o",
    "dual",
    "lateral",
    "for",
    "into @v",
    "f(1)",
    "'",
    '"',
    "`",
    "\\",
  ],
  ...["/*!", "*/", "/*!99999 ", "--", "#", "@v", "1", "'from t'", "natural", "straight_join", "index", "partition (p)"],
  ...[
    "select * from t",
    "(select max(id) from t)",
    "exists (table t)",
    ", t",
    "join t",
    "1.",
    "1e",
    "x'41'",
    "$q",
    ".t",
  ],
];

interface Change {
  readonly at: number;
  readonly kind: "insert" | "delete" | "repeat" | "replace" | "swap" | "splice";
  readonly piece: string;
  readonly other: string;
}

const CHANGE: fc.Arbitrary<Change> = fc.record({
  at: fc.nat({ max: 60 }),
  kind: fc.constantFrom("insert", "delete", "repeat", "replace", "swap", "splice"),
  piece: fc.constantFrom(...PIECES),
  other: fc.constantFrom(...SEEDS),
});

/** Statements near to the seeds: pieces put in, left out, repeated, exchanged, and blanks of every kind between. */
export const mutatedSql: fc.Arbitrary<string> = fc
  .record({
    seed: fc.constantFrom(...SEEDS),
    changes: fc.array(CHANGE, { maxLength: 3 }),
    blanks: fc.array(fc.constantFrom(...BLANKS), { minLength: 1, maxLength: 6 }),
    spread: fc.boolean(),
  })
  .map(({ seed, changes, blanks, spread }) => {
    const pieces = seed.match(/'[^']*'|"[^"]*"|`[^`]*`|\w+|\s+|[^\w\s]/g) ?? [];
    const words = pieces.filter((piece) => piece.trim() !== "");
    for (const change of changes) apply(words, change);
    return words.map((word, i) => word + (spread ? (blanks[i % blanks.length] ?? " ") : " ")).join("");
  });

function apply(words: string[], { at, kind, piece, other }: Change): void {
  const place = at % (words.length + 1);
  switch (kind) {
    case "insert":
      words.splice(place, 0, piece);
      break;
    case "delete":
      words.splice(place, 1);
      break;
    case "repeat":
      words.splice(place, 0, words[place] ?? "");
      break;
    case "replace":
      words.splice(place, 1, piece);
      break;
    case "swap":
      words.splice(place, 2, words[place + 1] ?? "", words[place] ?? "");
      break;
    case "splice":
      words.splice(place, words.length, ...(other.match(/'[^']*'|"[^"]*"|`[^`]*`|\w+|[^\w\s]/g) ?? []).slice(at % 7));
      break;
  }
}
