import { describe, expect, test } from "vitest";
import { DdlJudge } from "../../../src/replication/ddl-judge.ts";

const judge = new DdlJudge([
  { schema: "shop", table: "orders" },
  { schema: "shop", table: "items" },
]);
const rest = { schema: "", sqlMode: 0n, status: Buffer.alloc(0), ofThread: false };
const verdict = (sql: string, schema = "", sqlMode = 0n): string =>
  "stop" in judge.judge({ ...rest, schema, sql, sqlMode }) ? "stop" : "skip";

describe("a statement in the log that may change a followed table stops the stream", () => {
  test.each([
    ["ALTER TABLE shop.orders ADD x INT", ""],
    ["ALTER TABLE `orders` ADD x INT", "shop"],
    ["alter table SHOP.Orders add x int", ""],
    ["/*!50003 ALTER TABLE shop.orders ADD x INT */", ""],
    ["TRUNCATE orders", "shop"],
    ["RENAME TABLE shop.a TO shop.b, shop.b TO shop.orders", ""],
    ["DROP TABLE IF EXISTS `x`,`shop`.`items`", ""],
    ["DROP SCHEMA `shop`", ""],
    ["DROP DATABASE shop/* all of it */", ""],
    ["/* x */ DROP DATABASE /* y */ IF EXISTS /* z */ Shop;", ""],
    ["DROP DATABASE 'shop'", ""],
    ["CREATE TABLE shop.orders LIKE shop.x", ""],
    ["CREATE TABLE other.c (p INT REFERENCES shop.orders (id))", ""],
    ["CREATE UNIQUE INDEX i ON orders (x)", "shop"],
    ["CREATE DEFINER=`a`@`b` TRIGGER `t` AFTER INSERT ON orders FOR EACH ROW BEGIN END", "shop"],
    ["UPDATE orders SET a = 1", "shop"],
    ["INSERT INTO elsewhere.t SELECT * FROM f()", ""],
    ["SOMETHING new", ""],
  ])("%s in schema %j", (sql, schema) => {
    expect(verdict(sql, schema)).toBe("stop");
  });
});

describe("others do not", () => {
  test.each([
    ["ALTER TABLE shop.other ADD x INT", ""],
    ["ALTER TABLE orders ADD x INT", "elsewhere"],
    ["CREATE VIEW shop.v AS SELECT * FROM shop.orders", ""],
    ["CREATE DEFINER=`a`@`b` PROCEDURE `p`() DELETE FROM orders", "shop"],
    ["CREATE DEFINER=`a`@`b` TRIGGER `t` AFTER INSERT ON other FOR EACH ROW DELETE FROM x", "shop"],
    ["DROP TRIGGER t", "shop"],
    ["CREATE TABLE `_switchyard`.`preflight_7` (`n` int CHECK ((`n` < 5)) /*!80016 NOT ENFORCED */)", ""],
    ["GRANT ALL ON shop.orders TO a", ""],
    ["CREATE DATABASE shop2", ""],
    ["DROP DATABASE shop2/* shop */", ""],
    ["ALTER DATABASE shop CHARACTER SET utf8mb4", ""],
    ["DROP DATABASE `shop2`", ""],
    ["ANALYZE TABLE shop.orders", ""],
    ["/* switchyard migration=m token=t */ ALTER TABLE shop.orders AUTO_INCREMENT = 5", ""],
    ["FLUSH TABLES", ""],
    [
      // What a tool that compares replicas writes in statement format: it reads followed tables only.
      "REPLACE INTO `percona`.`checksums` (db, tbl, chunk, this_cnt, this_crc) SELECT 'shop', 'orders', '1', COUNT(*) AS cnt, " +
        "COALESCE(LOWER(CONV(BIT_XOR(CAST(CRC32(CONCAT_WS('#', `id`, convert(`c` using utf8mb4))) AS UNSIGNED)), 10, 16)), 0) " +
        "AS crc FROM `shop`.`orders` FORCE INDEX(`PRIMARY`) WHERE ((`id` >= '1')) /*checksum chunk*/",
      "shop",
    ],
  ])("%s in schema %j", (sql, schema) => {
    expect(verdict(sql, schema)).toBe("skip");
  });
});

describe("what a definition does to the tables it concerns", () => {
  const kind = (sql: string, schema = "shop"): string => {
    const found = judge.judge({ ...rest, schema, sql });
    if ("skip" in found) return "skip";
    const { kind: of = "rows", tool, change } = found.ddl ?? {};
    return [of, tool, change?.spell("`x`")].filter((part) => part !== undefined).join(" | ");
  };

  test.each([
    ["ALTER TABLE orders ADD x INT", "change | ALTER TABLE `x` ADD x INT"],
    [
      "ALTER TABLE `shop` . `orders` ADD (a INT, b INT), DROP KEY k, ALGORITHM = INSTANT, LOCK=NONE",
      "change | ALTER TABLE `x` ADD (a INT, b INT), DROP KEY k",
    ],
    [
      "alter table orders modify c enum('a','b, c') not null after d, rename column e to f, comment='x, y'",
      "change | ALTER TABLE `x` modify c enum('a','b, c') not null after d, rename column e to f, comment='x, y'",
    ],
    [
      "ALTER TABLE orders ADD t DATETIME DEFAULT CURRENT_TIMESTAMP, ADD CHECK (a > 1), ADD CONSTRAINT u UNIQUE (a)",
      "change | ALTER TABLE `x` ADD t DATETIME DEFAULT CURRENT_TIMESTAMP, ADD CHECK (a > 1), ADD CONSTRAINT u UNIQUE (a)",
    ],
    [
      "ALTER TABLE orders CONVERT TO CHARACTER SET utf8mb4, ENGINE = InnoDB",
      "change | ALTER TABLE `x` CONVERT TO CHARACTER SET utf8mb4, ENGINE = InnoDB",
    ],
    [
      "CREATE UNIQUE INDEX i ON shop.orders (a, b(3) DESC) COMMENT 'on' ALGORITHM=INPLACE LOCK=NONE",
      "change | ALTER TABLE `x` ADD UNIQUE INDEX i (a, b(3) DESC) COMMENT 'on'",
    ],
    ["CREATE INDEX i USING BTREE ON orders (a)", "change | ALTER TABLE `x` ADD INDEX i USING BTREE (a)"],
    ["DROP INDEX `on` ON orders", "change | ALTER TABLE `x` DROP INDEX `on`"],
    ["TRUNCATE orders", "truncate | TRUNCATE TABLE `x`"],
    [
      "CREATE INDEX i ON orders (a) COMMENT 'for the trigger'",
      "change | ALTER TABLE `x` ADD INDEX i (a) COMMENT 'for the trigger'",
    ],
    [
      "ALTER TABLE orders ADD serial INT, CHANGE serial b INT, ADD c INT AFTER serial, ADD COLUMN (serial INT)",
      "change | ALTER TABLE `x` ADD serial INT, CHANGE serial b INT, ADD c INT AFTER serial, ADD COLUMN (serial INT)",
    ],
  ])("%s can be carried on", (sql, expected) => {
    expect(kind(sql)).toBe(expected);
  });

  test.each([
    ["ALTER TABLE orders ADD x INT AUTO_INCREMENT UNIQUE", "numbers in the order of the server's own"],
    ["ALTER TABLE orders ADD x SERIAL", "the same, by another word"],
    ["ALTER TABLE orders ADD COLUMN (`y` INT, `x` serial)", "among several"],
    ["ALTER TABLE orders ADD COLUMN serial SERIAL", "of a column that is called so"],
    ["ALTER TABLE orders ADD x BIGINT UNSIGNED SERIAL DEFAULT VALUE", "as an attribute"],
    ["ALTER TABLE orders ADD x CHAR(36) DEFAULT (UUID())", "a value of each server's own"],
    ["ALTER TABLE orders ADD FOREIGN KEY (a) REFERENCES b (a)", "a table outside may be lacking"],
    ["ALTER TABLE orders ADD x INT REFERENCES b (a)", "newer servers make a key of it"],
    ["ALTER TABLE orders CONVERT TO CHARACTER SET DEFAULT", "the default is the schema's"],
  ])("%s may give other rows elsewhere: %s", (sql) => {
    expect(kind(sql)).toContain("unrepeatable");
  });

  test.each([
    ["ALTER TABLE orders DROP PARTITION p0", "rows go with it"],
    ["ALTER TABLE orders ADD x INT PARTITION BY HASH (id)", "a partition without a comma"],
    ["ALTER TABLE orders RENAME TO gone", "its name"],
    ["ALTER TABLE orders ENGINE = MyISAM", "not followed any more"],
    ["ALTER TABLE orders ADD x INT, RENAME gone", "one of several"],
    ["/*!80000 ALTER TABLE orders ADD x INT */", "another version reads otherwise"],
    ["ALTER TABLE orders ADD x INT; ALTER TABLE orders ADD y INT", "two at once"],
    ["TRUNCATE shop.Orders", "another table beside it, where case counts"],
    ["ALTER TABLE SHOP.orders ADD x INT", "the same of its schema"],
    ["DROP TABLE orders", "it is gone"],
    ["CREATE TABLE orders (id INT) COMMENT 'the trigger pt_osc_x'", "of no trigger"],
    ["CREATE TABLE orders (id INT)", "another one"],
    ["RENAME TABLE orders TO a, b TO orders", "no tool is known by it"],
    ["DROP SCHEMA shop", "with its schema"],
    ["SOMETHING new", "it cannot be read"],
  ])("%s cannot be carried on: %s", (sql) => {
    expect(kind(sql)).toBe("other");
  });

  test.each([
    [
      "rename /* gh-ost */ table `shop`.`orders` to `shop`.`_orders_del`, `shop`.`_orders_gho` to `shop`.`orders`",
      "other | gh-ost",
    ],
    [
      "RENAME TABLE `shop`.`orders` TO `shop`.`_orders_20261129010203_del`, `shop`.`_orders_gho` TO `shop`.`orders`",
      "other | gh-ost",
    ],
    [
      "RENAME TABLE `shop`.`orders` TO `shop`.`_orders_old`, `shop`.`_orders_new` TO `shop`.`orders`",
      "other | pt-online-schema-change or spirit",
    ],
    [
      "RENAME TABLE `shop`.`orders` TO `shop`.`__orders_old`, `shop`.`__orders_new` TO `shop`.`orders`",
      "other | pt-online-schema-change or spirit",
    ],
    [
      "CREATE DEFINER=`a`@`%` TRIGGER `shop`.`pt_osc_shop_orders_del` AFTER DELETE ON `shop`.`orders` FOR EACH ROW DELETE IGNORE FROM `shop`.`_orders_new`",
      "tool-trigger | pt-online-schema-change",
    ],
    [
      "CREATE DEFINER=`a`@`%` TRIGGER `pt_osc_shop_orders_ins` AFTER INSERT ON `orders` FOR EACH ROW REPLACE INTO `shop`.`_orders_new` VALUES (1)",
      "tool-trigger | pt-online-schema-change",
    ],
    ["CREATE TRIGGER t AFTER INSERT ON orders FOR EACH ROW SET @a = 'TRIGGER pt_osc_x'", "trigger"],
    ["CREATE TRIGGER pt_osc AFTER INSERT ON orders FOR EACH ROW SET @a = 1", "trigger"],
  ])("%s is the work of a tool", (sql, expected) => {
    expect(kind(sql)).toBe(expected);
  });

  test("a table outside that refers to one inside, and rows as text, are told apart from definitions", () => {
    expect(kind("CREATE TABLE other.c (p INT REFERENCES shop.orders (id))")).toBe("reference");
    expect(kind("UPDATE orders SET a = 1")).toBe("rows");
  });
});

describe("a statement whose names are not certain cannot be carried on", () => {
  /** The settings of a session whose client has this collation. */
  const client = (collation: number): Buffer => Buffer.from([4, collation, 0, 33, 0, 33, 0]);
  const LATIN1 = 8;
  const UTF8MB4 = 45;
  const GBK = 28;
  const kindAt = (of: DdlJudge, query: Partial<Parameters<DdlJudge["judge"]>[0]>): string => {
    const found = of.judge({ ...rest, sql: "", ...query });
    return "skip" in found ? "skip" : (found.ddl?.kind ?? "rows");
  };
  /** As the log's bytes are read. */
  const heard = (bytes: string): string => Buffer.from(bytes, "latin1").toString("utf8");
  const sizes = new DdlJudge([{ schema: "shop", table: "größe" }]);

  test("of a temporary table, which may have the name of one that is followed", () => {
    expect(kindAt(judge, { sql: "TRUNCATE shop.orders", ofThread: true })).toBe("other");
    expect(kindAt(judge, { sql: "TRUNCATE shop.orders" })).toBe("truncate");
  });

  test("of a spelling that two tables are near to, unless it is that of one of them", () => {
    const both = new DdlJudge([
      { schema: "shop", table: "orders" },
      { schema: "shop", table: "Orders" },
    ]);
    const tablesOf = (sql: string): unknown => {
      const found = both.judge({ ...rest, sql });
      return "skip" in found ? found : [found.ddl?.kind, ...(found.ddl?.tables ?? []).map(({ table }) => table)];
    };
    expect(tablesOf("TRUNCATE shop.orders")).toEqual(["truncate", "orders"]);
    expect(tablesOf("TRUNCATE shop.Orders")).toEqual(["truncate", "Orders"]);
    expect(tablesOf("TRUNCATE shop.ORDERS")).toEqual(["other", "orders"]);
    expect(tablesOf("DROP DATABASE shop")).toEqual(["other", "orders", "Orders"]);
  });

  test("of a client that writes no UTF-8, where a name is beyond ASCII", () => {
    const sql = heard("ALTER TABLE shop.gr\xf6\xdfe ADD x INT");
    expect(kindAt(sizes, { sql, status: client(LATIN1) })).toBe("other");
    expect(kindAt(sizes, { sql: heard("DROP TABLE shop.gr\xf6\xdfe"), status: client(LATIN1) })).toBe("other");
    expect(kindAt(judge, { sql, status: client(LATIN1) })).toBe("skip");
    expect(kindAt(sizes, { sql: "ALTER TABLE shop.größe ADD x INT", status: client(UTF8MB4) })).toBe("change");
    expect(kindAt(sizes, { sql: "ALTER TABLE shop.x ADD x INT", status: client(LATIN1) })).toBe("skip");
  });

  test("of a client whose characters may hold a quote of names", () => {
    // In GBK the backquote is the second half of a character, and the name does not end there.
    const sql = heard("DROP TABLE `x\x81`,`shop`.`orders` /* ` */");
    expect(kindAt(judge, { sql, status: client(GBK) })).toBe("other");
  });

  test("where double quotes are for names", () => {
    expect(kindAt(judge, { sql: 'DROP SCHEMA "shop"', sqlMode: 4n })).toBe("other");
    expect(kindAt(judge, { sql: 'DROP SCHEMA "shop2"', sqlMode: 4n })).toBe("skip");
  });
});
