import { describe, expect, test } from "vitest";
import { type RouteContext, routePacket } from "../../../src/proxy/statement-route.ts";
import { Routing } from "../../../src/rules/routing.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import { analyzeSql } from "../../../src/sql/classifier.ts";

const RULES: RulesDocument = {
  format: 2,
  generation: 3,
  default: "old",
  tables: { "shop.orders": { to: "new", migration: "orders" } },
  armed: {},
  holds: { orders: { token: "t", tables: ["shop.orders"], ttlMs: 1, oldHome: "new", newHome: "old" } },
  switchId: "",
};

const CONTEXT: RouteContext = {
  defaultBackend: "old",
  lastBackend: "new",
  transaction: undefined,
  pinned: undefined,
  temporaryBackends: [],
};

function route(text: string, context: Partial<RouteContext> = {}, rules = RULES): ReturnType<typeof routePacket> {
  const facts = analyzeSql(Buffer.from(text), { ansiQuotes: false, noBackslashEscapes: false });
  const routing = new Routing(rules, 0);
  const decisions = facts.map((one) => routing.decide(one, { schema: "shop" }));
  return routePacket({ facts, decisions }, { ...CONTEXT, ...context });
}

describe("a packet", () => {
  test.each([
    ["SELECT * FROM orders", "new", true],
    ["SELECT * FROM other", "old", true],
    ["SELECT 1", "old", false],
    ["SHOW WARNINGS", "new", false],
    ["SHOW FULL TABLES FROM shop LIKE 'o%'", "old", false],
    ["SHOW TABLE STATUS", "old", false],
    ["SHOW DATABASES", "old", false],
    ["SELECT LAST_INSERT_ID()", "new", false],
    ["SELECT GET_LOCK('a', 1)", "old", true],
    ["SET @a = 1; SELECT * FROM orders", "new", true],
  ])("%s goes to %s; its tables decide: %s", (text, backend, chooses) => {
    expect(route(text)).toMatchObject({ backend, chooses, refusal: undefined });
  });

  test("without tables stays with the open transaction, or where the session is pinned", () => {
    expect(route("SELECT 1", { transaction: "new" }).backend).toBe("new");
    expect(route("SELECT 1", { pinned: { backend: "new", reason: "x" } }).backend).toBe("new");
  });

  test("waits for the holds of all its tables, and says which tables", () => {
    expect(route("SELECT 1; UPDATE orders SET id = 1")).toMatchObject({ heldBy: ["orders"], tables: ["shop.orders"] });
    expect(route("SELECT * FROM other").heldBy).toEqual([]);
  });

  test.each([
    ["SELECT * FROM orders, other", {}, "split", "shop.orders on new, shop.other on old"],
    ["SELECT * FROM orders; SELECT * FROM other", {}, "split", "sent together"],
    ["SELECT * FROM orders", { transaction: "old" }, "transaction", "the transaction is open on old"],
    ["SELECT * FROM orders", { pinned: { backend: "old", reason: "it sings" } }, "pinned", "it sings"],
    ["SELECT * FROM orders", { temporaryBackends: ["old"] }, "split", "temporary tables included"],
    ["CALL p()", {}, "unknown-home", "cannot tell which server"],
  ])("%s is refused: nobody can execute it", (text, context, reason, message) => {
    const { refusal } = route(text, context);
    expect(refusal?.reason).toBe(reason);
    expect(refusal?.error).toMatchObject({ errno: 1235, message: expect.stringContaining(message) });
  });

  test("that may touch anything goes home while everything is there", () => {
    const home = route("CALL p()", {}, { ...RULES, tables: {} });
    expect(home).toMatchObject({ backend: "old", chooses: true, everything: true, heldBy: ["orders"] });
    expect(home.refusal).toBeUndefined();
  });
});
