import { describe, expect, test } from "vitest";
import { tablesNamedIn } from "../../../src/preflight/names-in-text.ts";

const TABLES = [
  { schema: "shop", table: "orders" },
  { schema: "shop", table: "größe" },
];

describe("a body names a table", () => {
  test.each<readonly [body: string, schema: string, found: readonly string[], why: string]>([
    ["insert into orders values (1)", "shop", ["shop.orders"], "completed by its own schema"],
    ["insert into orders values (1)", "other", [], "which is another one"],
    ["insert into shop.orders values (1)", "other", ["shop.orders"], "qualified"],
    ["insert into `shop` . `orders` values (1)", "other", ["shop.orders"], "quoted, with spaces"],
    ["select * from other.orders", "shop", [], "of another schema"],
    ["BEGIN DECLARE x INT; UPDATE Orders SET a = x; END", "shop", ["shop.orders"], "in any case"],
    ["select 'orders' -- orders\n", "shop", [], "not in texts and comments"],
    ["select orders from t", "shop", ["shop.orders"], "a column counts too: rather one too many"],
    ["select * from größe", "shop", ["shop.größe"], "beyond ASCII"],
    ["select 'unfinished", "shop", [], "and never throws"],
  ])("%s in %s: %j (%s)", (body, schema, found) => {
    expect(tablesNamedIn(body, schema, TABLES)).toEqual(found);
  });
});
