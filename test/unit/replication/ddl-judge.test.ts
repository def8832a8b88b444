import { describe, expect, test } from "vitest";
import { DdlJudge } from "../../../src/replication/ddl-judge.ts";

const judge = new DdlJudge([
  { schema: "shop", table: "orders" },
  { schema: "shop", table: "items" },
]);
const verdict = (sql: string, schema = "", sqlMode = 0n): string =>
  "stop" in judge.judge({ schema, sql, sqlMode }) ? "stop" : "skip";

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
    ["ALTER DATABASE shop CHARACTER SET utf8mb4", ""],
    ["DROP DATABASE `shop2`", ""],
    ["ANALYZE TABLE shop.orders", ""],
    ["/* switchyard migration=m token=t */ ALTER TABLE shop.orders AUTO_INCREMENT = 5", ""],
    ["FLUSH TABLES", ""],
  ])("%s in schema %j", (sql, schema) => {
    expect(verdict(sql, schema)).toBe("skip");
  });
});
