import { describe, expect, test } from "vitest";
import { namesInBody, namesInView, type UsedNames } from "../../../src/preflight/used-names.ts";

const KNOWN = {
  schemas: new Set(["shop", "other", "hidden", "orders", "sys", "performance_schema"]),
  whole: new Set(["shop", "orders"]),
  tables: new Set(["shop.orders", "other.log", "shop.seen"]),
  routines: new Set(["shop.total", "other.total"]),
};
const MODES = { ansiQuotes: false, noBackslashEscapes: false };

const flat = ({ tables, routines, unknown }: UsedNames): readonly string[] => [
  ...tables,
  ...[...routines].map((routine) => `${routine}()`),
  ...(unknown === undefined ? [] : ["?"]),
];

describe("the body of a routine in shop uses", () => {
  test.each<readonly [body: string, found: readonly string[], why: string]>([
    ["BEGIN UPDATE Orders SET a = 1; SELECT 1; END", ["shop.orders"], "a table of its schema, in any case"],
    ["SELECT * FROM other.log JOIN `shop` . `orders`", ["other.log", "shop.orders"], "tables by schema"],
    ["SELECT 'orders' -- orders", [], "no texts, no comments"],
    ["SELECT orders FROM t", ["shop.orders"], "a column of the name: rather one too many"],
    ["SELECT orders.log FROM t AS orders", ["shop.orders"], "an alias of the name too"],
    ["SELECT * FROM hidden.things", ["hidden.things"], "what cannot be seen, where there is such a schema"],
    ["SELECT o.things FROM o", [], "but not where it is an alias"],
    ["SELECT orders.total FROM orders", ["shop.orders"], "a column, where a table is called as a whole schema"],
    ["SELECT hidden.total FROM hidden", ["hidden.total"], "but not of a schema with tables that cannot be seen"],
    ["CREATE TABLE orders.new LIKE orders", ["shop.orders", "orders.new"], "nor where it must be a table"],
    ["INSERT INTO log SELECT orders.old", ["shop.orders", "orders.old"], "nor where nothing else is called so"],
    ["SELECT * FROM performance_schema.threads", [], "nothing that shows the server itself"],
    ["SELECT sys.format_bytes(1)", [], "nor its functions"],
    ["CALL sys.execute_prepared_stmt('x')", ["?"], "but its procedures"],
    ["CALL total()", ["shop.total()"], "a routine"],
    ["SELECT other.total ( 1 )", ["other.total()"], "a routine of another schema"],
    ["CALL hidden.work()", ["hidden.work", "?"], "a routine that cannot be seen: anything"],
    ["BEGIN PREPARE s FROM @t; EXECUTE s; END", ["?"], "text that is put together: anything"],
    ["SELECT 'unfinished", ["?"], "what cannot be read: anything"],
  ])("%s: %j (%s)", (body, found) => {
    expect(flat(namesInBody(body, "shop", KNOWN, MODES))).toEqual(found);
  });

  test("names in double quotes, where it was created so", () => {
    const body = 'UPDATE "orders" SET a = 1';
    expect(flat(namesInBody(body, "shop", KNOWN, { ...MODES, ansiQuotes: true }))).toEqual(["shop.orders"]);
    expect(flat(namesInBody(body, "shop", KNOWN, MODES))).toEqual([]);
  });
});

describe("a view uses", () => {
  test.each([
    ["select `shop`.`orders`.`id` AS `id` from `shop`.`orders`", ["shop.orders"]],
    ["select `t`.`orders` AS `orders` from `shop`.`t`", ["shop.t"]],
    ["select `other`.`total`(`o`.`id`) AS `n` from `shop`.`orders` `o`", ["shop.orders", "other.total()"]],
    ["select 1; select 2", ["?"]],
    ["select `sys`.`format_bytes`(1) AS `a` from `performance_schema`.`threads`", []],
  ])("%s: %j", (definition, found) => {
    expect(flat(namesInView(definition, "shop"))).toEqual(found);
  });
});
