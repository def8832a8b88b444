import { describe, expect, test } from "vitest";
import { namesBehind, type Touched } from "../../../src/preflight/names-behind.ts";
import { Privileges } from "../../../src/preflight/privileges.ts";
import { DefinitionsOfServer } from "../../../src/preflight/read-behind.ts";
import type { ServerView } from "../../../src/preflight/server-view.ts";
import { bytesOf, NAMES_BYTES_MAX } from "../../../src/rules/behind-limits.ts";
import { type Decision, Routing } from "../../../src/rules/routing.ts";
import { parseRules, serializeRules } from "../../../src/rules/rules-codec.ts";
import type { NamesBehind, RulesDocument } from "../../../src/rules/rules-document.ts";
import { initialRules } from "../../../src/rules/rules-edits.ts";
import { factsOf } from "../sql/sql-facts.ts";

const MOVED = "shop.Orders";

function rulesWith(behind: Readonly<Record<string, NamesBehind>>): RulesDocument {
  const rules = { ...initialRules("old"), tables: { [MOVED]: { to: "new", migration: "m" } }, behind };
  return parseRules(serializeRules(rules));
}

function decide(sql: string, behind: Readonly<Record<string, NamesBehind>>): Decision {
  return new Routing(rulesWith(behind), 0).decide(factsOf(sql), { schema: "shop" });
}

interface Objects {
  readonly tables?: readonly string[];
  readonly views?: Readonly<Record<string, string>>;
  readonly triggers?: Readonly<Record<string, string | null>>;
  readonly routines?: Readonly<Record<string, string | null>>;
  readonly grants?: string;
}

/** A server with these objects, as its information_schema tells of them. */
async function read(objects: Objects): Promise<DefinitionsOfServer> {
  const { tables = [], views = {}, triggers = {}, routines = {} } = objects;
  const row = (key: string, body?: string | null) => {
    const [db = "", name = ""] = key.split(".");
    return { db, name, body: body ?? null, mode: "" };
  };
  const rows = (sql: string) => {
    if (sql.includes(".SCHEMATA")) return ["shop", "sys", "information_schema", "orders"].map((db) => ({ db }));
    if (sql.includes(".TABLES")) return [...tables, ...Object.keys(views)].map((key) => row(key));
    const bodies = sql.includes(".VIEWS") ? views : sql.includes(".TRIGGERS") ? triggers : routines;
    return sql.includes("session_variables") ? [] : Object.entries(bodies).map(([key, body]) => row(key, body));
  };
  const { grants = "GRANT SELECT, SHOW DATABASES, SHOW_ROUTINE ON *.* TO `a`@`%`" } = objects;
  const server = {
    version: 80_400,
    rows: (sql: string) => Promise.resolve(rows(sql)),
    privileges: () => Promise.resolve(new Privileges([grants], false)),
  };
  return await DefinitionsOfServer.read(server as unknown as ServerView, [MOVED]);
}

async function behind(objects: Objects): Promise<NamesBehind> {
  return (await read(objects)).behind([MOVED]);
}

describe("once the old tables have been dropped", () => {
  test("a view of one with capitals, left on the old home, still has the home of the table", async () => {
    const views = { "shop.v": "select `o`.`id` AS `id` from `shop`.`Orders` `o`" };
    const both = { old: await behind({ views }), new: await behind({ views, tables: [MOVED] }) };
    expect(decide("select * from v", both)).toMatchObject({ kind: "one", backend: "new", tables: [MOVED] });
  });

  test("a routine that names one by itself has it too", async () => {
    const routines = { "shop.p": "SELECT * FROM Orders" };
    expect(decide("call p()", { old: await behind({ routines }) })).toMatchObject({ kind: "one", backend: "new" });
  });
});

describe("what shows the server itself chooses no home", () => {
  test("in a view and in a routine", async () => {
    const views = {
      "shop.v": "select `sys`.`format_bytes`(1) AS `a` from (`shop`.`Orders` join `information_schema`.`TABLES`)",
    };
    const routines = { "shop.p": "SELECT sys.version_major(), COUNT(*) FROM Orders, performance_schema.threads" };
    const found = await behind({ views, routines, tables: [MOVED] });
    expect(found).toMatchObject({ views: { "shop.v": [MOVED] }, routines: { "shop.p": [MOVED] } });
  });

  test("but a procedure of it that executes what it is given may touch anything", async () => {
    const routines = { "shop.p": "CALL sys.execute_prepared_stmt('SELECT 1')" };
    expect(decide("call p()", { old: await behind({ routines }) })).toMatchObject({ kind: "everything" });
  });

  test("nor where an older controller has listed it", () => {
    const names = { views: { "shop.v": [MOVED, "sys.version"] }, triggers: {}, routines: {} };
    expect(decide("select * from v", { old: names })).toMatchObject({ kind: "one", backend: "new" });
  });
});

describe("what the account cannot look into is refused and never guessed", () => {
  const hidden = {
    tables: [MOVED, "shop.log"],
    views: { "shop.v": "select `shop`.`f`(1) AS `a`", "shop.w": "" },
    triggers: { "shop.log": "CALL hidden_one()" },
    routines: { "shop.f": null, "shop.hidden_one": null },
    grants: "GRANT SELECT, SHOW VIEW, TRIGGER ON `shop`.* TO `a`@`%`",
  };

  test.each(["select * from v", "select * from w", "insert into log values (1)", "call f()", "select f(1)"])(
    "%s",
    async (sql) => {
      expect(decide(sql, { old: await behind(hidden) })).toMatchObject({ kind: "everything", backend: undefined });
    },
  );

  test("a read of a table fires no trigger", async () => {
    expect(decide("select * from log", { old: await behind(hidden) })).toMatchObject({ kind: "one", backend: "old" });
  });

  test("a routine that one server shows and another hides is not known", async () => {
    const seen = await behind({ routines: { "shop.p": "SELECT 1 FROM Orders" }, tables: [MOVED] });
    expect(decide("call p()", { new: seen })).toMatchObject({ kind: "one" });
    expect(decide("call p()", { new: seen, old: await behind(hidden) })).toMatchObject({ kind: "everything" });
  });

  test("nor is one that is dynamic on one of them, nor a name whose procedure is clear and whose function is not", async () => {
    const clear = await behind({ routines: { "shop.p": "SELECT 1 FROM Orders" }, tables: [MOVED] });
    const dynamic = await behind({ routines: { "shop.p": "EXECUTE s" } });
    expect(decide("call p()", { new: clear, old: dynamic })).toMatchObject({ kind: "everything" });
    const two = await behind({ routines: { "shop.p": "SELECT 1", "shop.P": "EXECUTE s" } });
    expect(decide("call p()", { old: two })).toMatchObject({ kind: "everything" });
  });
});

const touched = (spelled: string, tables: readonly string[], more: Partial<Touched> = {}): Touched => ({
  spelled,
  tables,
  leaves: [],
  ...more,
});
const many = (count: number, of: (at: number) => Touched): Touched[] =>
  Array.from({ length: count }, (_, at) => of(at));
const NONE = { views: [], triggers: [], routines: [], seesRoutines: true };

describe("a server with many names", () => {
  test("two thousand routines that use no moved table can still be called", () => {
    const routines = [
      ...many(2000, (at) => touched(`shop.report_of_customers_${at}`, [`shop.customers${at % 50}`])),
      ...many(500, (at) => touched(`shop.text_function_${at}`, [])),
      touched("shop.adds", [MOVED], { leaves: ["@n"] }),
    ];
    const old = namesBehind({ ...NONE, routines }, [MOVED]);
    expect(old.tooLarge).toBeUndefined();
    expect(decide("call report_of_customers_1999()", { old })).toMatchObject({ kind: "one", backend: "old" });
    expect(decide("select text_function_499(id) from Orders", { old })).toMatchObject({ kind: "one", backend: "new" });
    expect(decide("call adds()", { old })).toMatchObject({ kind: "one", backend: "new" });
    const routing = new Routing(rulesWith({ old }), 0);
    const leftBy = (name: string) => routing.leftBy([{ name }], "shop");
    expect([leftBy("Report_Of_Customers_7"), leftBy("adds")]).toEqual([[], ["@n"]]);
    // One that was created later is not harmless for that.
    expect(decide("call report_of_customers_2000()", { old })).toMatchObject({ kind: "everything" });
    expect(leftBy("report_of_customers_2000")).toBeUndefined();
  });

  test("more routines than fit: those on moved tables stay known, of the others none is taken for harmless", () => {
    const routines = [...many(9000, (at) => touched(`shop.report_of_${at}`, [])), touched("shop.adds", [MOVED])];
    const old = namesBehind({ ...NONE, routines }, [MOVED]);
    expect(old.tooLarge).toEqual(["routines"]);
    expect(bytesOf(old)).toBeLessThan(NAMES_BYTES_MAX);
    expect(decide("call adds()", { old })).toMatchObject({ kind: "one", backend: "new" });
    expect(decide("call report_of_1()", { old })).toMatchObject({ kind: "everything", backend: undefined });
  });

  test.each<readonly [part: string, all: Partial<typeof NONE> & object]>([
    ["views", { views: many(6000, (at) => touched(`shop.view_${at}`, [MOVED])) as never[] }],
    ["triggers", { triggers: many(6000, (at) => touched(`shop.t${at}`, [], { leaves: ["@marked"] })) as never[] }],
  ])("more %s than fit: only what is sure to be a table is read, and nothing is written", (_, all) => {
    const old = namesBehind({ ...NONE, ...all }, [MOVED]);
    expect(bytesOf(old)).toBeLessThan(NAMES_BYTES_MAX);
    expect(decide("select * from Orders", { old })).toMatchObject({ kind: "one", backend: "new" });
    expect(decide("select * from view_1", { old })).toMatchObject({ kind: "everything", backend: undefined });
    expect(decide("insert into Orders values (1)", { old })).toMatchObject({ kind: "everything" });
    const left = new Routing(rulesWith({ old }), 0).leftByTriggers(factsOf("insert into Orders values (1)"), "shop");
    expect(left).not.toEqual([]);
  });
});
