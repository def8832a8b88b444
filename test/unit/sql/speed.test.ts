import { expect, test } from "vitest";
import { analyzeSql } from "../../../src/sql/classifier.ts";
import { PLAIN } from "./sql-facts.ts";

const STATEMENTS = [
  "SELECT c FROM sbtest1 WHERE id=12345",
  "SELECT o.id, c.name FROM shop.orders o JOIN shop.customers c ON c.id = o.customer_id WHERE o.id IN (1,2,3) LIMIT 10",
  "UPDATE accounts SET balance = balance - 10 WHERE id = 5",
  "INSERT INTO `shop`.`items` (`a`,`b`,`c`) VALUES (1,'abc',NOW()),(2,'def',NOW())",
].map((sql) => Buffer.from(sql));

// Some 1 µs. Rounds are so short that even on a busy machine one of them is not interrupted; the bound leaves room for
// a slow machine and still tells a tree, at 50 µs and more, from a scan.
test("a typical statement is read in microseconds, not in tens of them", () => {
  const round = (): number => {
    const start = performance.now();
    for (let i = 0; i < 100; i++) for (const sql of STATEMENTS) analyzeSql(sql, PLAIN);
    return ((performance.now() - start) * 1000) / (100 * STATEMENTS.length);
  };
  const best = Math.min(...Array.from({ length: 400 }, round));
  expect(best).toBeLessThan(10);
});

test("a statement of many megabytes is read without keeping its tokens", () => {
  const sql = Buffer.from(`insert into t values ${"(1,'abc',null),".repeat(500_000)}(1,'abc',null)`);
  const before = process.memoryUsage.rss();
  const [facts] = analyzeSql(sql, PLAIN);
  expect(facts?.tables).toHaveLength(1);
  expect(process.memoryUsage.rss() - before).toBeLessThan(128 * 1024 * 1024);
});
