import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import type { Check } from "../../../src/preflight/check.ts";
import { columnTypesCheck } from "../../../src/preflight/checks/column-types.ts";
import { definitionCheck } from "../../../src/preflight/checks/definition.ts";
import { enumLabelsCheck } from "../../../src/preflight/checks/enum-labels.ts";
import { eventsCheck } from "../../../src/preflight/checks/events.ts";
import { foreignKeysCheck } from "../../../src/preflight/checks/foreign-keys.ts";
import { generatedColumnsCheck } from "../../../src/preflight/checks/generated-columns.ts";
import { mappingCheck } from "../../../src/preflight/checks/mapping.ts";
import { primaryKeyCheck } from "../../../src/preflight/checks/primary-key.ts";
import { routinesCheck } from "../../../src/preflight/checks/routines.ts";
import { sameDefinitionCheck } from "../../../src/preflight/checks/same-definition.ts";
import { schemaChangeToolsCheck } from "../../../src/preflight/checks/schema-change-tools.ts";
import { spatialSystemsCheck } from "../../../src/preflight/checks/spatial-systems.ts";
import { storageEngineCheck } from "../../../src/preflight/checks/storage-engine.ts";
import { tablesExistCheck } from "../../../src/preflight/checks/tables-exist.ts";
import { targetEmptyCheck } from "../../../src/preflight/checks/target-empty.ts";
import { triggersCheck } from "../../../src/preflight/checks/triggers.ts";
import { viewsCheck } from "../../../src/preflight/checks/views.ts";
import { visibilityCheck } from "../../../src/preflight/checks/visibility.ts";
import { objectDifferences } from "../../../src/preflight/object-differences.ts";
import { ACCOUNT, PreflightServers, problems } from "./preflight-servers.ts";

let servers: PreflightServers;

beforeAll(async () => {
  servers = await PreflightServers.start();
});

afterAll(async () => {
  await servers.stop();
});

afterEach(async () => {
  for (const server of [servers.source, servers.target]) {
    await server.root("SET foreign_key_checks=0; DROP DATABASE IF EXISTS other; DROP DATABASE IF EXISTS shop");
  }
  await servers.source.root("CREATE DATABASE shop");
});

const source = (sql: string) => servers.source.root(`USE shop; ${sql}`);
const run = (check: Check, tables?: readonly string[], targetTables?: "present") =>
  servers.run(check, tables, targetTables);

/** A check that is silent about one definition and speaks about another. */
async function compare(check: Check, good: string, bad: string, observed: string): Promise<void> {
  await source(good);
  expect(problems(await run(check))).toEqual([]);
  await source(`DROP TABLE orders; ${bad}`);
  expect(problems(await run(check)).join("\n")).toContain(observed);
}

const PLAIN = "CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(50))";

describe("a table", () => {
  test("that is not there, or is a view, is told by name", async () => {
    await source(`${PLAIN}; CREATE VIEW seen AS SELECT 1`);
    expect(problems(await run(tablesExistCheck))).toEqual([]);
    const missing = problems(await run(tablesExistCheck, ["shop.nothing", "shop.seen"]));
    expect(missing[0]).toContain("error shop.nothing: shop.nothing does not exist");
    expect(missing[1]).toContain("error shop.seen: shop.seen is not a table");
  });

  test("may be without a primary key: a warning where no unique one takes its place", async () => {
    const unique = "CREATE TABLE orders (id INT NOT NULL UNIQUE)";
    await compare(primaryKeyCheck, unique, "CREATE TABLE orders (id INT UNIQUE)", "warning shop.orders: no key: a row");
  });

  test("without a key is told with what it takes to find a row, for each one where it has JSON", async () => {
    const rows = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n";
    await source(`CREATE TABLE orders (n INT); INSERT INTO orders ${rows}; ANALYZE TABLE orders`);
    const plain = problems(await run(primaryKeyCheck)).join("\n");
    expect(plain).toMatch(
      /once for each batch of changes: the table, about 900 rows, is read in about a second or less/,
    );
    await source("ALTER TABLE orders ADD doc JSON");
    expect(problems(await run(primaryKeyCheck)).join("\n")).toContain("with JSON for each row that changes or goes");
  });

  test.each([
    ["sql_require_primary_key", "ON", "OFF", "refuses tables without"],
    ["sql_generate_invisible_primary_key", "ON", "OFF", "would give it another column"],
  ])("is refused without a key where the target has %s", async (variable, bad, good, why) => {
    await source("CREATE TABLE orders (id INT UNIQUE)");
    await servers.target.root(`SET GLOBAL ${variable}=${bad}`);
    const found = problems(await run(primaryKeyCheck)).join("\n");
    const later = problems(await run(primaryKeyCheck, undefined, "present")).join("\n");
    await servers.target.root(`SET GLOBAL ${variable}=${good}`);
    expect(found).toContain(`error shop.orders: no key, and target "${servers.target.name}" ${why}`);
    expect(later).not.toContain("error");
  });

  test("may have a primary key that only the server sees, as long as it shows it", async () => {
    await source("SET sql_generate_invisible_primary_key=ON; CREATE TABLE orders (id INT)");
    expect(problems(await run(primaryKeyCheck))).toEqual([]);
    await servers.source.root("SET GLOBAL show_gipk_in_create_table_and_information_schema=OFF");
    expect(problems(await run(primaryKeyCheck)).join("\n")).toContain("no key that can be seen");
    await servers.source.root("SET GLOBAL show_gipk_in_create_table_and_information_schema=ON");
  });

  test("must be of InnoDB", async () => {
    await compare(storageEngineCheck, PLAIN, `${PLAIN} ENGINE=MyISAM`, "engine MyISAM");
  });

  test("must have columns of types that are carried exactly", async () => {
    const many =
      "CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, a TINYINT, b SMALLINT, c MEDIUMINT, d INT, e DECIMAL(20,5), " +
      "f FLOAT, g DOUBLE, h BIT(7), i YEAR, j DATE, k TIME(3), l DATETIME(6), m TIMESTAMP(2) NULL, n CHAR(3), " +
      "o BINARY(4), p VARBINARY(9), q TINYTEXT, r LONGTEXT, s MEDIUMBLOB, t ENUM('x','y'), u SET('a','b'), v JSON, " +
      "w VECTOR(3), ge GEOMETRY, po POINT SRID 4326, ls LINESTRING, pg POLYGON, mp MULTIPOINT, ml MULTILINESTRING, " +
      "mg MULTIPOLYGON, gc GEOMETRYCOLLECTION)";
    await source(many);
    expect(problems(await run(columnTypesCheck))).toEqual([]);
    // No type of this server is unknown: one of a server to come is put into the shape that it gave.
    const { source: view, ...others } = await servers.context(["shop.orders"]);
    const shape = await view.shape({ schema: "shop", table: "orders" });
    const columns = shape.columns.map((column) => ({
      ...column,
      dataType: column.name === "w" ? "uuid" : column.dataType,
    }));
    const findings = await columnTypesCheck.run({
      ...others,
      source: Object.create(view, { shape: { value: async () => ({ ...shape, columns }) } }),
    });
    await servers.close();
    expect(problems(findings).join("\n")).toContain("w vector(3)");
  });

  test("with geometries needs the source's spatial reference systems on the target", async () => {
    const system = (name: string): string =>
      `CREATE OR REPLACE SPATIAL REFERENCE SYSTEM 990001 NAME '${name}' DEFINITION 'GEOGCS["${name}",DATUM["d",SPHEROID["s",6378137,298.25]],PRIMEM["Greenwich",0],UNIT["degree",0.017],AXIS["Lat",NORTH],AXIS["Lon",EAST]]'`;
    await source(`${PLAIN}; ${system("one")}`);
    expect(problems(await run(spatialSystemsCheck))).toEqual([]);
    await source("DROP TABLE orders; CREATE TABLE orders (id INT PRIMARY KEY, g POLYGON)");
    expect(problems(await run(spatialSystemsCheck)).join("\n")).toMatch(/^error .* missing: SRID 990001$/);
    await servers.target.root(system("two"));
    expect(problems(await run(spatialSystemsCheck)).join("\n")).toMatch(/^warning .* otherwise: SRID 990001$/);
    for (const server of [servers.source, servers.target]) await server.root("DROP SPATIAL REFERENCE SYSTEM 990001");
  });

  test("must have labels that the server shows as they are: it shows a ? for an emoji", async () => {
    await compare(
      enumLabelsCheck,
      "CREATE TABLE orders (id INT PRIMARY KEY, e ENUM('what?', 'yes'), s SET('?', 'b'))",
      "CREATE TABLE orders (id INT PRIMARY KEY, e ENUM('sad', '\u{1F600}'), `s t` SET('a', '\u{1F4A9}', 'c?') NOT NULL)",
      "e '\u{1F600}', s t '\u{1F4A9}'",
    );
    expect(await servers.source.root("SHOW TABLES IN _switchyard LIKE 'preflight%'")).toEqual([]);
  });

  test("may have generated columns, but not in its key", async () => {
    const key = "CREATE TABLE orders (id INT, twice INT AS (id * 2) STORED, PRIMARY KEY (twice))";
    const column = "CREATE TABLE orders (id INT PRIMARY KEY, twice INT AS (id * 2) VIRTUAL)";
    await compare(generatedColumnsCheck, column, key, "the primary key has the generated column twice");
  });
});

describe("a definition", () => {
  test.each([
    ["plain", PLAIN],
    [
      "with everything",
      "CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(20) DEFAULT 'x' COMMENT 'it''s', b INT AS (length(a)), UNIQUE KEY (a), KEY ((length(a))), FULLTEXT KEY (a), CONSTRAINT c CHECK (a <> '')) AUTO_INCREMENT=500 ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=4 COMMENT='t'",
    ],
    [
      "with partitions",
      "CREATE TABLE orders (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)",
    ],
    ["with a name that needs quotes", "CREATE TABLE orders (`id``s, (x)` INT PRIMARY KEY)"],
  ])("%s is made on the target and shown unchanged, and nothing is left behind", async (_name, sql) => {
    await source(sql);
    expect(problems(await run(definitionCheck))).toEqual([]);
    expect(await servers.target.root("SHOW TABLES FROM _switchyard")).toEqual([]);
  });

  test("that the target refuses is told with its words", async () => {
    await source("CREATE TABLESPACE ts ADD DATAFILE 'ts.ibd'; CREATE TABLE orders (id INT PRIMARY KEY) TABLESPACE ts");
    expect(problems(await run(definitionCheck)).join("\n")).toMatch(/refused: .*[Tt]ablespace/);
    await source("DROP TABLE orders; DROP TABLESPACE ts");
  });

  test("that the target changes is told with the line", async () => {
    await source(PLAIN);
    const context = await servers.context(["shop.orders"]);
    await context.target.rows("SET show_create_table_verbosity=ON");
    expect(problems(await definitionCheck.run(context)).join("\n")).toContain("it makes");
    await servers.close();
  });
});

describe("the target", () => {
  const onTarget = (sql: string) => servers.target.root(`CREATE DATABASE IF NOT EXISTS shop; USE shop; ${sql}`);

  test("may have an empty table of the same definition", async () => {
    await source(`${PLAIN}; INSERT INTO orders VALUES (1, 'x')`);
    expect(problems(await run(targetEmptyCheck))).toEqual([]);
    await onTarget(PLAIN);
    expect(problems(await run(targetEmptyCheck))).toEqual([]);
  });

  test.each([
    ["rows", `${PLAIN}; INSERT INTO orders VALUES (2, 'y')`, "a table with rows"],
    ["another definition", "CREATE TABLE orders (id BIGINT PRIMARY KEY)", "an empty table of another definition"],
    ["a view of the name", "CREATE VIEW orders AS SELECT 1 AS id", "a view of that name"],
  ])("is refused with %s", async (_name, sql, observed) => {
    await source(PLAIN);
    await onTarget(sql);
    expect(problems(await run(targetEmptyCheck))).toEqual([`error shop.orders: ${observed}`]);
  });

  test("may have rows once they were copied", async () => {
    await source(PLAIN);
    await onTarget(`${PLAIN}; INSERT INTO orders VALUES (2, 'y')`);
    expect(problems(await servers.run(targetEmptyCheck, ["shop.orders"], "present"))).toEqual([]);
  });
});

describe("foreign keys", () => {
  const PARENT = "CREATE TABLE orders (id INT PRIMARY KEY)";
  const CHILD =
    "CREATE TABLE items (id INT PRIMARY KEY, o INT, CONSTRAINT belongs FOREIGN KEY (o) REFERENCES orders (id) ON DELETE CASCADE)";

  test("within the tables are well, cascades included, where the server logs them", async () => {
    await source(`${PARENT}; ${CHILD}`);
    expect(problems(await run(foreignKeysCheck, ["shop.orders", "shop.items"]))).toEqual([]);
  });

  test("that lead out of the tables are refused, from either end", async () => {
    await source(`${PARENT}; ${CHILD}`);
    const observed = "belongs: shop.items references shop.orders";
    expect(problems(await run(foreignKeysCheck, ["shop.items"]))).toEqual([`error shop.items: ${observed}`]);
    expect(problems(await run(foreignKeysCheck, ["shop.orders"]))).toEqual([`error shop.orders: ${observed}`]);
  });

  test("from a schema that the account has no rights on are found, too", async () => {
    await source(PARENT);
    await servers.source.root(
      "CREATE DATABASE other; CREATE TABLE other.`odd-name` (id INT PRIMARY KEY, o INT, FOREIGN KEY (o) REFERENCES shop.orders (id))",
    );
    expect(problems(await run(foreignKeysCheck)).join("\n")).toContain("other.odd-name references shop.orders");
  });

  test("of a table whose name needs quotes are found", async () => {
    await source(
      "CREATE TABLE `odd-name` (id INT PRIMARY KEY); CREATE TABLE `größe` (id INT PRIMARY KEY, o INT, FOREIGN KEY (o) REFERENCES `odd-name` (id))",
    );
    expect(problems(await run(foreignKeysCheck, ["shop.odd-name"]))).toHaveLength(1);
    expect(problems(await run(foreignKeysCheck, ["shop.größe"]))).toHaveLength(1);
    expect(problems(await run(foreignKeysCheck, ["shop.odd-name", "shop.größe"]))).toEqual([]);
  });
});

describe("a table whose definition changes while it moves", () => {
  const target = (sql: string) => servers.target.root(`CREATE DATABASE IF NOT EXISTS shop; USE shop; ${sql}`);

  test("is found by the copy that a tool has begun, and by the tool's triggers", async () => {
    await source(`${PLAIN}; CREATE TABLE _other_gho (id INT); CREATE TABLE _orders_newer (id INT)`);
    expect(problems(await run(schemaChangeToolsCheck))).toEqual([]);
    await source("CREATE TABLE _orders_gho LIKE orders; CREATE TABLE __orders_new LIKE orders");
    const found = problems(await run(schemaChangeToolsCheck)).join("\n");
    expect(found).toContain('warning shop.orders: source "source" has shop._orders_gho, as gh-ost makes it');
    expect(found).toContain("shop.__orders_new, as pt-online-schema-change or spirit makes it");
    expect(problems(await run(schemaChangeToolsCheck, undefined, "present")).join("\n")).toContain("error shop.orders");
    await source("CREATE TRIGGER pt_osc_shop_orders_ins AFTER INSERT ON orders FOR EACH ROW SET @a = 1");
    expect(problems(await run(triggersCheck)).join("\n")).toContain("pt-online-schema-change changes the table");
  });

  test("is refused at a switch where the sides differ in what applications feel, and told of where they differ otherwise", async () => {
    const present = async (): Promise<string> =>
      problems(await run(sameDefinitionCheck, undefined, "present")).join("\n");
    await source(
      "CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b INT, KEY a (a), KEY b (b)) AUTO_INCREMENT = 9",
    );
    await target("CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, a INT, b INT, KEY b (b), KEY a (a))");
    expect(await present()).toBe("");
    await source("ALTER TABLE orders ADD KEY c (a, b)");
    expect(await present()).toContain('warning shop.orders: source "source" has "KEY `c` (`a`,`b`)"');
    await source("ALTER TABLE orders DROP KEY c, MODIFY a INT AFTER b");
    expect(await present()).toContain('error shop.orders: target "target" has its columns in another order');
    await source("ALTER TABLE orders ADD UNIQUE KEY u (a)");
    expect(await present()).toContain("error shop.orders");
    await source(
      "ALTER TABLE orders DROP KEY u, MODIFY a INT AFTER id, ADD CONSTRAINT b FOREIGN KEY (b) REFERENCES orders (id)",
    );
    expect(await present()).toContain('error shop.orders: source "source" has "CONSTRAINT `b` FOREIGN KEY (`b`)');
    await target("ALTER TABLE orders ADD CONSTRAINT b FOREIGN KEY (b) REFERENCES orders (id)");
    expect(await present()).toBe("");
    expect(problems(await run(sameDefinitionCheck))).toEqual([]);
  });
});

describe("what uses the tables from outside", () => {
  const OTHER = "CREATE DATABASE other; CREATE TABLE other.log (id INT PRIMARY KEY)";

  test("a trigger on a table is refused, save for our own fences", async () => {
    await source(PLAIN);
    expect(problems(await run(triggersCheck))).toEqual([]);
    await source("CREATE TRIGGER switchyard_m_1234_i BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'x'");
    expect(problems(await run(triggersCheck))).toEqual([]);
    await source("CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'x'");
    expect(problems(await run(triggersCheck))).toEqual([
      'error shop.orders: source "source" has trigger shop.stamp on it',
    ]);
  });

  test("a trigger that leaves our account alone may stay: the refusal says how, and the target must have the same by the switch", async () => {
    const log = "CREATE TABLE log (id INT PRIMARY KEY)";
    await source(`${PLAIN}; ${log}`);
    await source("CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'x' -- as ever");
    const fix = (await triggersCheck.run(await servers.context(["shop.orders"])))[0]?.fix ?? "";
    await servers.source.root(fix.slice(0, fix.indexOf("UNLOCK TABLES;") + 14));
    await servers.source.root("INSERT INTO shop.orders VALUES (1, 'y')");
    expect(await servers.source.root("SELECT note FROM shop.orders")).toEqual([{ note: "x" }]);
    const told = (found: string): string => `shop.orders: trigger shop.stamp uses it; ${found}`;
    expect(problems(await run(triggersCheck))).toEqual([`warning ${told("the target has none")}`]);
    const [shown] = await servers.source.root("SHOW CREATE TRIGGER shop.stamp");
    await servers.target.root(`CREATE DATABASE shop; USE shop; ${PLAIN}; SET sql_mode = '${shown?.["sql_mode"]}'`);
    const present = async (): Promise<string[]> => problems(await run(triggersCheck, undefined, "present"));
    expect(await present()).toEqual([`error ${told("the target has none")}`]);
    const create = `USE shop; SET sql_mode = '${shown?.["sql_mode"]}'; ${shown?.["SQL Original Statement"]}`;
    await servers.target.root(create.replace("'x'", "'z'"));
    expect(await present()).toEqual([`error ${told("the target's is defined otherwise")}`]);
    await servers.target.root(`DROP TRIGGER shop.stamp; ${create}`);
    expect(await present()).toEqual([]);
    await servers.target.root("CREATE TRIGGER shop.more AFTER INSERT ON shop.orders FOR EACH ROW SET @a = 1");
    expect((await present())[0]).toContain("has trigger shop.more on it, and the source has not");
    await source(
      "DROP TRIGGER stamp; CREATE TRIGGER stamp AFTER INSERT ON orders FOR EACH ROW INSERT INTO log VALUES (NEW.id)",
    );
    expect((await present())[0]).toBe(
      `error ${told("it also uses shop.log").replace("shop.orders: ", "shop.orders: ")}`,
    );
  });

  test("and views and routines that differ between two homes are told by name and property, our guards and what stays are not", async () => {
    const alike = `${PLAIN}; CREATE TABLE stays (id INT PRIMARY KEY);
      CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'it''s';
      CREATE VIEW notes AS SELECT note FROM orders;
      CREATE PROCEDURE close_one(IN one INT) UPDATE orders SET note = 'closed' WHERE id = one;
      CREATE FUNCTION total() RETURNS INT READS SQL DATA RETURN (SELECT COUNT(*) FROM orders)`;
    await source(
      `${alike}; CREATE TRIGGER switchyard_x_01020304_i BEFORE INSERT ON orders FOR EACH ROW SET NEW.id = 1; CREATE VIEW other AS SELECT * FROM stays`,
    );
    await servers.target.root(`CREATE DATABASE shop; USE shop; ${alike}`);
    const [here, there] = [servers.source, servers.target].map((one) => one.endpoint(ACCOUNT.user, ACCOUNT.password));
    const ends = { source: here as Endpoint, target: there as Endpoint };
    const differences = (home: "source" | "target" = "source") =>
      objectDifferences(ends, [{ schema: "shop", table: "orders" }], home);
    expect(await differences()).toEqual([]);

    await servers.target.root(`USE shop; DROP TRIGGER stamp; CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'it\\"s';
      CREATE OR REPLACE SQL SECURITY INVOKER VIEW notes AS SELECT note FROM orders; DROP FUNCTION total;
      DROP PROCEDURE close_one; CREATE PROCEDURE close_one(IN one BIGINT) UPDATE orders SET note = 'closed' WHERE id = one;
      CREATE TRIGGER more AFTER DELETE ON orders FOR EACH ROW SET @x = 1`);
    const found = await differences();
    expect(found.map(({ table, what, note }) => [table, what, note]).sort()).toEqual([
      ["shop.orders", "function shop.total", expect.stringContaining("check --print-objects")],
      ["shop.orders", "procedure shop.close_one", undefined],
      ["shop.orders", "trigger shop.more", undefined],
      ["shop.orders", "trigger shop.stamp", undefined],
      ["shop.orders", "view shop.notes", undefined],
    ]);
    const of = (what: string) => found.find((one) => one.what === what);
    expect(of("procedure shop.close_one")).toMatchObject({
      source: { parameters: "IN one int" },
      target: { parameters: "IN one bigint" },
    });
    expect(of("view shop.notes")).toMatchObject({ source: { security: "DEFINER" }, target: { security: "INVOKER" } });
    expect(of("trigger shop.more")).toMatchObject({ source: null, target: { moment: "AFTER DELETE" } });
    const back = await differences("target");
    expect(back.find(({ what }) => what === "trigger shop.more")?.note).toContain("by design");
  });

  test("a trigger whose text the server shows without its escapes is not to be made again from that text", async () => {
    await source(PLAIN);
    await source("CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'it''s'");
    const fix = (await triggersCheck.run(await servers.context(["shop.orders"])))[0]?.fix ?? "";
    expect(fix).toMatch(/has quotes that are not shown by the server.*docs\/triggers\.md/);
    expect(fix).not.toContain("LOCK TABLES");
    await source("DROP TRIGGER stamp; CREATE TABLE log (id INT PRIMARY KEY)");
    await source(
      "CREATE TRIGGER copy AFTER INSERT ON log FOR EACH ROW BEGIN DECLARE x TEXT DEFAULT 'it''s -- '; INSERT INTO orders VALUES (NEW.id, x); END",
    );
    expect(problems(await run(triggersCheck)).join("\n")).toContain("trigger shop.copy on shop.log uses it");
  });

  test("a trigger of another table that writes one is refused", async () => {
    await source(`${PLAIN}; CREATE TABLE log (id INT PRIMARY KEY)`);
    await source(
      "CREATE TRIGGER copy AFTER INSERT ON log FOR EACH ROW INSERT INTO `Orders` VALUES (NEW.id, 'from log')",
    );
    expect(problems(await run(triggersCheck)).join("\n")).toContain("trigger shop.copy on shop.log uses it");
  });

  test("a view moves along if all its tables do and the target has it; by the table, not by its name in a text", async () => {
    await source(
      `${PLAIN}; CREATE TABLE log (id INT PRIMARY KEY); CREATE VIEW v AS SELECT 'orders' AS orders FROM log`,
    );
    expect(problems(await run(viewsCheck))).toEqual([]);
    await source("CREATE VIEW w AS SELECT l.id FROM log l JOIN orders o USING (id)");
    expect(problems(await run(viewsCheck))).toEqual(["error shop.orders: view shop.w uses it; it also uses shop.log"]);
    await source("DROP VIEW w; CREATE VIEW w AS SELECT id FROM orders; CREATE VIEW above AS SELECT id FROM w");
    const both = ["view shop.above uses it; the target has none", "view shop.w uses it; the target has none"];
    expect(problems(await run(viewsCheck))).toEqual(both.map((what) => `warning shop.orders: ${what}`));
    expect(problems(await run(viewsCheck, ["shop.orders"], "present"))).toEqual(
      both.map((what) => `error shop.orders: ${what}`),
    );
    await servers.target.root(`CREATE DATABASE shop; USE shop; ${PLAIN};
      CREATE VIEW w AS SELECT id FROM orders; CREATE VIEW above AS SELECT id + 1 AS id FROM w`);
    expect(problems(await run(viewsCheck, ["shop.orders"], "present"))).toEqual([
      "error shop.orders: view shop.above uses it; the target's is defined otherwise",
    ]);
    await servers.target.root("ALTER VIEW shop.above AS SELECT id FROM shop.w");
    expect(problems(await run(viewsCheck, ["shop.orders"], "present"))).toEqual([]);
  });

  test("a view on what shows the server itself moves along; one that cannot be looked into is told of", async () => {
    await source(`${PLAIN}; CREATE VIEW v AS SELECT o.id, sys.format_bytes(t.TABLE_ROWS) AS n
      FROM orders o JOIN information_schema.TABLES t ON t.TABLE_NAME = o.note`);
    expect(problems(await run(viewsCheck))).toEqual(["warning shop.orders: view shop.v uses it; the target has none"]);
    await source("DROP VIEW v");
    await servers.source.root(`${OTHER}; CREATE VIEW other.w AS SELECT id FROM shop.orders;
      GRANT SELECT ON other.* TO switchyard@'%'`);
    const hidden = "1 views may use any table: other.w (its definition cannot be seen)";
    expect(problems(await run(viewsCheck))).toEqual([`warning source "source": ${hidden}`]);
    await servers.source.root("REVOKE SELECT ON other.* FROM switchyard@'%'");
  });

  test("a routine moves along if all its tables do; one whose text says not all of them is told of", async () => {
    await source(PLAIN);
    expect(problems(await run(routinesCheck))).toEqual([]);
    await servers.source.root(`${OTHER}; CREATE PROCEDURE other.harmless() SELECT 1`);
    expect(problems(await run(routinesCheck))).toEqual([]);
    await servers.source.root("CREATE PROCEDURE other.dynamic() BEGIN PREPARE s FROM 'SELECT 1'; EXECUTE s; END");
    expect(problems(await run(routinesCheck))).toEqual([
      'warning source "source": 1 routines may use tables that their texts do not name',
    ]);
    await servers.source.root("CREATE PROCEDURE other.total() SELECT COUNT(*) FROM shop.orders, other.log");
    expect(problems(await run(routinesCheck))).toContain(
      "error shop.orders: procedure other.total uses it; it also uses other.log",
    );
    await servers.source.root(`DROP PROCEDURE other.total;
      CREATE FUNCTION other.newest() RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) FROM shop.orders)`);
    expect(problems(await run(routinesCheck))).toContain(
      "warning shop.orders: function other.newest uses it; the target has none",
    );
  });

  test("an event that names one is refused while it is enabled", async () => {
    await source(PLAIN);
    expect(problems(await run(eventsCheck))).toEqual([]);
    await source("CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY DO DELETE FROM orders WHERE note = 'old'");
    expect(problems(await run(eventsCheck))).toEqual([
      'error shop.orders: event shop.tidy on source "source" names it, enabled',
    ]);
    await source("ALTER EVENT tidy DISABLE");
    expect(problems(await run(eventsCheck)).join("\n")).toContain("warning");
  });

  test("what the account cannot look into is said, until it may", async () => {
    await source(PLAIN);
    expect(problems(await run(visibilityCheck))).toEqual([]);
    await servers.source.root(OTHER);
    expect(problems(await run(visibilityCheck))).toEqual(['warning source "source": not looked into: other']);
    await servers.source.root("GRANT TRIGGER, EVENT, SHOW VIEW, SELECT ON other.* TO switchyard@'%'");
    expect(problems(await run(visibilityCheck))).toEqual([]);
    await servers.source.root("REVOKE TRIGGER, EVENT, SHOW VIEW, SELECT ON other.* FROM switchyard@'%'");
  });
});

describe("a table with a mapping", () => {
  const mapping = { rename: { note: "title" }, add: ["more"], widen: ["id"] };
  const columns = "(title VARCHAR(50), id BIGINT PRIMARY KEY, more INT NOT NULL DEFAULT 1)";
  const look = async (said: object = {}, backwards = false): Promise<string[]> => {
    const mappings = { "shop.orders": { ...mapping, ...said } };
    const when = backwards ? ("present" as const) : undefined;
    return problems(await servers.run(mappingCheck, ["shop.orders"], when, { mappings, backwards }));
  };

  test("is made on the target by its operator, empty, with what the mapping says and nothing else", async () => {
    await source(PLAIN);
    expect((await look())[0]).toContain("no such table on target");
    await servers.target.root(`CREATE DATABASE shop; CREATE TABLE shop.orders ${columns}`);
    expect(await look({ allowNarrowing: true })).toEqual([expect.stringMatching(/^warning .* id: numbers outside/)]);
    expect(await look({ add: [] })).toEqual([expect.stringContaining("more is on the target alone")]);
    await servers.target.root("INSERT INTO shop.orders (id) VALUES (1)");
    expect(await look({ allowNarrowing: true })).toEqual(["error shop.orders: a table with rows"]);
    const others = { mappings: { "shop.orders": mapping } };
    for (const check of [definitionCheck, targetEmptyCheck]) {
      expect(problems(await servers.run(check, ["shop.orders"], undefined, others))).toEqual([]);
    }
  });

  test("whose values may not fit on the way back is refused, unless that was said to be accepted", async () => {
    await source(PLAIN);
    await servers.target.root(`CREATE DATABASE shop; CREATE TABLE shop.orders ${columns}`);
    expect(await look()).toEqual([expect.stringMatching(/^error shop\.orders: .*id: numbers outside of -2147483648/)]);
  });

  test("has the same foreign keys on both sides, by the target's names", async () => {
    const own = "FOREIGN KEY (note) REFERENCES orders (id)";
    await source(`CREATE TABLE orders (id INT PRIMARY KEY, note INT, ${own})`);
    const made = "(title INT, id INT PRIMARY KEY, more INT NOT NULL DEFAULT 1)";
    await servers.target.root(`CREATE DATABASE shop; CREATE TABLE shop.orders ${made}`);
    expect(await look({ widen: [] })).toEqual([expect.stringContaining("is on the source alone")]);
    await servers.target.root("ALTER TABLE shop.orders ADD FOREIGN KEY other (title) REFERENCES shop.orders (id)");
    expect(await look({ widen: [] })).toEqual([]);
  });

  test("has unique keys of the same lengths and expressions on both sides", async () => {
    await source("CREATE TABLE orders (id VARCHAR(9), note INT, PRIMARY KEY (id(3)), UNIQUE KEY u ((LOWER(id))))");
    const made = "(title INT, id VARCHAR(9), more INT, PRIMARY KEY (id(3)), UNIQUE KEY u ((LOWER(id))))";
    await servers.target.root(`CREATE DATABASE shop; CREATE TABLE shop.orders ${made}`);
    expect(await look({ widen: [] })).toEqual([]);
    await servers.target.root("ALTER TABLE shop.orders DROP KEY u, ADD UNIQUE KEY u ((UPPER(id)))");
    expect(await look({ widen: [] })).toEqual([
      expect.stringContaining("unique key u of the target may refuse"),
      expect.stringContaining("unique key u of the source may refuse"),
    ]);
    await servers.target.root("ALTER TABLE shop.orders DROP PRIMARY KEY, ADD PRIMARY KEY (id(2))");
    expect((await look({ widen: [] }))[0]).toContain("the primary key takes the beginning of a column");
  });

  test("is asked about from the other side before a rollback", async () => {
    await source(`CREATE TABLE orders ${columns}`);
    await servers.target.root(`CREATE DATABASE shop; ${PLAIN.replace("orders", "shop.orders")}`);
    expect(await look({ allowNarrowing: true }, true)).toEqual([]);
    expect((await look({ allowNarrowing: true }))[0]).toContain("there is no note on the source");
  });
});
