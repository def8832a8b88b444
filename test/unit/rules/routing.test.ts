import { describe, expect, test } from "vitest";
import { DecisionCache, scopeKey } from "../../../src/rules/decision-cache.ts";
import { type Decision, Routing, splitBySwitch } from "../../../src/rules/routing.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import { initialRules } from "../../../src/rules/rules-edits.ts";
import { factsOf, PLAIN } from "../sql/sql-facts.ts";

const HOLD = { token: "t1", ttlMs: 5000, oldHome: "old", newHome: "new" };

/** `shop.orders` and `shop.items` live on new, the rest on old; `shop.held` is about to move. */
const RULES: RulesDocument = {
  ...initialRules("old"),
  tables: {
    "shop.orders": { to: "new", migration: "first" },
    "shop.items": { to: "new", migration: "first" },
    "shop.back": { to: "old", migration: "first" },
  },
  armed: { second: { token: "t1", tables: ["shop.held"], newHome: "new" } },
  holds: { second: { ...HOLD, tables: ["shop.held"] } },
};

function decide(sql: string, rules = RULES, schema: string | undefined = "shop", lower: 0 | 1 | 2 = 0): Decision {
  return new Routing(rules, lower).decide(factsOf(sql), { schema });
}

/** `seen` reads a table that has moved, `waits` one that is held, `mixed` one of each home. */
const BEHIND: RulesDocument = {
  ...RULES,
  behind: {
    old: {
      views: { "shop.seen": ["shop.orders"], "shop.waits": ["shop.held"], "shop.mixed": ["shop.orders"] },
      triggers: { "shop.customers": ["shop.held"] },
      routines: { "shop.adds": ["shop.orders"], "shop.plain": [], "shop.reads": ["shop.customers"] },
    },
    new: { views: { "shop.mixed": ["shop.customers"] }, triggers: {}, routines: { "shop.reads": ["shop.orders"] } },
  },
};

describe("a statement goes where what is behind its names lives", () => {
  test.each<readonly [sql: string, expected: Partial<Decision>, why: string]>([
    ["select * from seen", { kind: "one", backend: "new", tables: ["shop.orders"] }, "a view"],
    ["select * from waits", { kind: "one", heldBy: ["second"], armedBy: ["second"] }, "which waits with its tables"],
    ["select * from mixed", { kind: "split" }, "a view that two servers define otherwise has the tables of both"],
    ["insert into customers values (1)", { kind: "one", heldBy: ["second"] }, "a trigger's tables are touched"],
    ["select * from customers", { kind: "one", heldBy: [] }, "but not by a read"],
    ["call adds(1)", { kind: "one", backend: "new" }, "a procedure"],
    ["call SHOP.Adds(1)", { kind: "one", backend: "new" }, "in other letters"],
    ["call adds((select max(id) from customers))", { kind: "split" }, "an argument that reads"],
    ["call plain()", { kind: "any", heldBy: [] }, "one that uses no table"],
    ["call reads()", { kind: "split" }, "a routine that two servers define otherwise"],
    ["call elsewhere.adds(1)", { kind: "everything", backend: undefined }, "a schema that nobody has looked into"],
    ["select adds(1), unheard_of(2)", { kind: "everything", backend: undefined }, "one of two is not known"],
    ["select shop . adds(1)", { kind: "everything" }, "a schema apart from the name is not put together"],
    ["select shop/* */.adds(1)", { kind: "everything" }, "nor one behind a comment"],
    ["select `shop`.`adds`(1) from items", { kind: "one", backend: "new" }, "but a quoted one is"],
  ])("%s: %j (%s)", (sql, expected) => {
    expect(decide(sql, BEHIND)).toMatchObject(expected);
  });

  test("a routine sees the session's temporary tables: what it touches is not known then", () => {
    const scope = { schema: "shop", temporaryTables: new Set(["shop.anything"]) };
    expect(new Routing(BEHIND, 0).decide(factsOf("call adds(1)"), scope)).toMatchObject({ kind: "everything" });
  });

  test("names are compared as the servers compare them", () => {
    expect(decide("select * from SEEN", BEHIND)).toMatchObject({ backend: "old" });
    expect(decide("select * from SEEN", BEHIND, "shop", 1)).toMatchObject({ backend: "new" });
  });
});

describe("a statement goes where its tables live", () => {
  test.each<readonly [sql: string, expected: Partial<Decision>, why: string]>([
    ["select 1", { kind: "any", tables: [] }, "no table, any backend"],
    ["select * from customers", { kind: "one", backend: "old", tables: ["shop.customers"] }, "the default home"],
    ["select * from orders", { kind: "one", backend: "new", tables: ["shop.orders"] }, "by the session's schema"],
    ["select * from other.orders", { kind: "one", backend: "old" }, "another schema"],
    ["select * from back", { kind: "one", backend: "old" }, "moved back"],
    ["select * from orders join items", { kind: "one", backend: "new" }, "both moved"],
    [
      "select * from orders join customers",
      { kind: "split", homes: { "shop.orders": "new", "shop.customers": "old" } },
      "tables of two homes",
    ],
    [
      "select * from orders, information_schema.tables",
      { kind: "one", backend: "new" },
      "the server's own are anywhere",
    ],
    ["select * from Information_Schema.Tables", { kind: "any" }, "and choose none"],
    ["select * from orders, mysql.user", { kind: "split" }, "accounts are rows of one server"],
    ["select get_lock('a', 1)", { kind: "one", backend: "old" }, "locks by name live on the default home"],
    ["select get_lock('a', 1) from orders", { kind: "split" }, "and cannot be taken with a moved table"],
    ["select * from ORDERS", { kind: "one", backend: "old" }, "another case is another table"],
  ])("%s is %j (%s)", (sql, expected) => {
    expect(decide(sql)).toMatchObject(expected);
  });

  test("names are compared without case where the server does so", () => {
    expect(decide("select * from SHOP.Orders", RULES, undefined, 1)).toMatchObject({ kind: "one", backend: "new" });
    const upper = { ...RULES, tables: { "Shop.Orders": { to: "new", migration: "m" } } };
    expect(decide("select * from orders", upper, "shop", 2)).toMatchObject({ kind: "one", backend: "new" });
  });

  test("a name without a schema, in a session without one, is left to the server's error", () => {
    expect(new Routing(RULES, 0).decide(factsOf("select * from orders"), {})).toMatchObject({
      kind: "any",
      tables: [],
    });
  });

  test("a temporary table hides the table of the same name, and is not held", () => {
    const scope = { schema: "shop", temporaryTables: new Set(["shop.held", "shop.orders"]) };
    const decision = new Routing(RULES, 0).decide(factsOf("insert into held select * from orders, customers"), scope);
    expect(decision).toMatchObject({ kind: "one", backend: "old", tables: ["shop.customers"], heldBy: [] });
  });
});

describe("a statement that may touch everything", () => {
  test("goes to the default home while every table lives there", () => {
    expect(decide("call p()", initialRules("old"))).toMatchObject({ kind: "everything", backend: "old", heldBy: [] });
    const back = { ...RULES, tables: { "shop.back": { to: "old", migration: "m" } } };
    expect(decide("call p()", back)).toMatchObject({ kind: "everything", backend: "old" });
  });

  test("has no right server once a table lives elsewhere", () => {
    expect(decide("call p()")).toMatchObject({ kind: "everything", backend: undefined });
  });

  test("waits for every hold, whatever its tables", () => {
    expect(decide("select f(1)")).toMatchObject({ heldBy: ["second"], armedBy: ["second"] });
  });
});

describe("a snapshot or lock of one server as a whole", () => {
  const moved = { ...RULES, tables: { "shop.orders": { to: "new", migration: "first" } } };

  test.each<readonly [sql: string, rules: RulesDocument, schema: string | undefined, backend: string | undefined]>([
    ["start transaction with consistent snapshot", initialRules("old"), "shop", "old"],
    ["start transaction with consistent snapshot", moved, "shop", "new"],
    ["start transaction with consistent snapshot", moved, undefined, "new"],
    ["flush tables with read lock", moved, undefined, "new"],
    ["flush local tables", moved, "shop", "new"],
    // No table of this schema has ever been moved.
    ["start transaction with consistent snapshot", moved, "other", "old"],
    // Tables of the schema live on both: whichever server were taken, the other half would not be in the snapshot.
    ["start transaction with consistent snapshot", RULES, "shop", undefined],
    ["flush tables with read lock", RULES, undefined, undefined],
    // What else flushes is not about tables.
    ["flush privileges", moved, "shop", undefined],
  ])("%s", (sql, rules, schema, backend) => {
    const decision = decide(sql, rules, schema);
    expect(decision).toMatchObject({ kind: "everything", heldBy: Object.keys(rules.holds) });
    expect(decision.backend).toBe(backend);
  });
});

describe("holds", () => {
  test.each([
    ["select * from held", ["second"]],
    ["insert into customers select * from held", ["second"]],
    ["select * from customers", []],
    ["select 1", []],
  ])("%s waits for %j", (sql, expected) => {
    const decision = decide(sql);
    expect(decision.heldBy).toEqual(expected);
    expect(decision.armedBy).toEqual(expected);
    expect(new Routing(RULES, 0).holdsFor(decision)).toHaveLength(expected.length);
  });
});

describe("a switch that would tear apart what is used together", () => {
  const seen = [
    ["shop.customers", "shop.orders"],
    ["shop.customers", "shop.log"],
    ["shop.items", "shop.orders"],
  ];

  test.each([
    [
      ["shop.customers"],
      [
        ["shop.customers", "shop.orders"],
        ["shop.customers", "shop.log"],
      ],
      "both sets are torn",
    ],
    [
      ["shop.customers", "shop.orders"],
      [
        ["shop.customers", "shop.log"],
        ["shop.items", "shop.orders"],
      ],
      "one is whole",
    ],
    [["shop.customers", "shop.orders", "shop.items", "shop.log"], [], "everything moves"],
    [["shop.other"], [], "the moving tables are in none"],
  ])("moving %j tears %j (%s)", (tables, expected) => {
    expect(splitBySwitch(seen, tables, initialRules("old"), "new")).toEqual(expected);
  });

  test("is judged by the tables behind a view", () => {
    expect(splitBySwitch([["shop.seen", "shop.orders"]], ["shop.orders"], BEHIND, "third")).toEqual([]);
    expect(splitBySwitch([["shop.seen", "shop.items"]], ["shop.orders"], BEHIND, "third")).toHaveLength(1);
  });

  test("is judged by where the other tables live now", () => {
    const rules = { ...initialRules("old"), tables: { "shop.orders": { to: "new", migration: "m" } } };
    expect(splitBySwitch([["shop.items", "shop.orders"]], ["shop.items"], rules, "new")).toEqual([]);
    expect(splitBySwitch([["shop.items", "shop.orders"]], ["shop.orders"], rules, "old")).toEqual([]);
  });
});

describe("the cache of decisions", () => {
  const scope = { schema: "shop" };
  const judge = (cache: DecisionCache, sql: string) =>
    cache.judge(Buffer.from(sql), scopeKey(PLAIN, "shop"), PLAIN, scope);
  /** A text is kept when it comes again. */
  const keep = (cache: DecisionCache, sql: string) => [judge(cache, sql), judge(cache, sql)][1];

  test("gives the same answer again without deciding anew", () => {
    const cache = new DecisionCache(new Routing(RULES, 0));
    keep(cache, "select * from orders");
    expect(judge(cache, "select * from orders")).toBe(judge(cache, "select * from orders"));
  });

  test("never gives a decision of rules that are no longer in force", () => {
    const cache = new DecisionCache(new Routing(initialRules("old"), 0));
    expect(keep(cache, "select * from orders")?.decisions[0]).toMatchObject({ backend: "old" });
    cache.use(new Routing(RULES, 0));
    expect(judge(cache, "select * from orders").decisions[0]).toMatchObject({ backend: "new" });
    cache.use(new Routing({ ...initialRules("old"), generation: 1 }, 0));
    expect(judge(cache, "select * from orders").decisions[0]).toMatchObject({ backend: "old" });
  });

  test("tells schemas and modes apart", () => {
    const cache = new DecisionCache(new Routing(RULES, 0));
    const text = Buffer.from('select * from "orders"');
    const ansi = { ...PLAIN, ansiQuotes: true };
    const other = { schema: "app" };
    for (let times = 0; times < 2; times++) cache.judge(text, scopeKey(ansi, "shop"), ansi, scope);
    expect(cache.judge(text, scopeKey(ansi, "shop"), ansi, scope).decisions[0]).toMatchObject({ backend: "new" });
    expect(cache.judge(text, scopeKey(ansi, "app"), ansi, other).decisions[0]).toMatchObject({ backend: "old" });
    expect(cache.judge(text, scopeKey(PLAIN, "shop"), PLAIN, scope).decisions[0]).toMatchObject({ kind: "everything" });
  });

  test("tells texts apart byte by byte", () => {
    const cache = new DecisionCache(new Routing(RULES, 0));
    const texts = [Buffer.from("select * from `\xe9`", "latin1"), Buffer.from("select * from `\xe8`", "latin1")];
    const judgeAll = () => texts.map((text) => cache.judge(text, scopeKey(PLAIN, "shop"), PLAIN, scope));
    const keys = [judgeAll(), judgeAll()][1] ?? [];
    expect(judgeAll()).toEqual(keys);
    expect(keys[0]).not.toBe(keys[1]);
  });

  test("is bounded in texts and in the length of one", () => {
    const cache = new DecisionCache(new Routing(RULES, 0), { textBytesMax: 100, textsMax: 10 });
    for (let i = 0; i < 1000; i++) keep(cache, `select ${i} from orders`);
    expect(cache.size).toBeGreaterThan(0);
    expect(cache.size).toBeLessThanOrEqual(20);
    const long = `select '${"x".repeat(200)}' from orders`;
    keep(cache, long);
    expect(judge(cache, long)).not.toBe(judge(cache, long));
    expect(judge(cache, long).decisions[0]).toMatchObject({ backend: "new" });
  });

  test("forgets nothing where rules change: what is judged anew takes the place that it had", () => {
    const cache = new DecisionCache(new Routing(RULES, 0), { textBytesMax: 100, textsMax: 10 });
    for (let i = 0; i < 20; i++) keep(cache, `select ${i} from orders`);
    const before = cache.size;
    cache.use(new Routing(initialRules("old"), 0));
    expect(judge(cache, "select 15 from orders").decisions[0]).toMatchObject({ backend: "old" });
    expect([before, cache.size]).toEqual([20, 20]);
  });

  test("is not filled by texts that come once, which would push out those that come often", () => {
    const cache = new DecisionCache(new Routing(RULES, 0), { textBytesMax: 100, textsMax: 10 });
    keep(cache, "select * from orders");
    const kept = judge(cache, "select * from orders");
    for (let i = 0; i < 1000; i++) judge(cache, `select ${i} from orders`);
    expect(cache.size).toBeLessThan(10);
    expect(judge(cache, "select * from orders")).toBe(kept);
  });

  describe("by shapes", () => {
    const shapeOf = (cache: DecisionCache, sql: string, schema = "shop") =>
      cache.judgeShape(Buffer.from(sql), scopeKey(PLAIN, schema), PLAIN, { schema });
    const byId = (id: number): string => `select * from orders where id = ${id}`;

    test("judges statements on rows once that differ in literals alone, and others each by itself", () => {
      const cache = new DecisionCache(new Routing(RULES, 0));
      for (const id of [1, 2]) shapeOf(cache, byId(id));
      expect(shapeOf(cache, byId(3))).toBe(shapeOf(cache, byId(40)));
      for (const id of [1, 2, 3])
        expect(shapeOf(cache, `kill ${id}`).facts[0]?.kill).toEqual({ what: "connection", id });
      for (const id of [1, 2, 3])
        expect(shapeOf(cache, `${byId(id)}; use app${id}`).facts[1]?.useSchema).toBe(`app${id}`);
    });

    test("never gives a decision of rules that are no longer in force, nor of another schema", () => {
      const cache = new DecisionCache(new Routing(initialRules("old"), 0));
      for (const id of [1, 2, 3]) expect(shapeOf(cache, byId(id)).decisions[0]).toMatchObject({ backend: "old" });
      cache.use(new Routing(RULES, 0));
      for (const id of [4, 5, 6]) expect(shapeOf(cache, byId(id)).decisions[0]).toMatchObject({ backend: "new" });
      for (const id of [7, 8, 9])
        expect(shapeOf(cache, byId(id), "app").decisions[0]).toMatchObject({ backend: "old" });
      for (const id of [7, 8, 9]) expect(shapeOf(cache, byId(id)).decisions[0]).toMatchObject({ backend: "new" });
    });

    test("is bounded, and keeps what comes often", () => {
      const cache = new DecisionCache(new Routing(RULES, 0), { textBytesMax: 100, textsMax: 10 });
      for (let table = 0; table < 200; table++) {
        for (let times = 0; times < 3; times++) shapeOf(cache, `select 1 from t${table}`);
        shapeOf(cache, byId(table));
      }
      expect(cache.size).toBeLessThanOrEqual(40);
      expect(shapeOf(cache, byId(-1 >>> 0))).toBe(shapeOf(cache, byId(5)));
    });

    test("is not asked where the session has temporary tables", () => {
      const cache = new DecisionCache(new Routing(RULES, 0));
      for (const id of [1, 2, 3]) shapeOf(cache, byId(id));
      const shadow = { schema: "shop", temporaryTables: new Set(["shop.orders"]) };
      const judgement = cache.judgeShape(Buffer.from(byId(4)), scopeKey(PLAIN, "shop"), PLAIN, shadow);
      expect(judgement.decisions[0]).toMatchObject({ kind: "any" });
    });
  });

  test("is not asked where the session has temporary tables", () => {
    const cache = new DecisionCache(new Routing(RULES, 0));
    keep(cache, "select * from orders");
    const shadow = { schema: "shop", temporaryTables: new Set(["shop.orders"]) };
    const judgement = cache.judge(Buffer.from("select * from orders"), scopeKey(PLAIN, "shop"), PLAIN, shadow);
    expect(judgement.decisions[0]).toMatchObject({ kind: "any" });
  });
});
