import { describe, expect, test } from "vitest";
import { ALL_NAMES_BYTES_MAX, bytesOf, NOTHING_TOLD } from "../../../src/rules/behind-limits.ts";
import type { NamesBehind, RulesDocument } from "../../../src/rules/rules-document.ts";
import {
  homeOf,
  initialRules,
  switched,
  withArmed,
  withBehind,
  withHold,
  withoutArmed,
  withoutAttempt,
  withoutHold,
  withoutTable,
  withTable,
} from "../../../src/rules/rules-edits.ts";

const TABLES = ["shop.items", "shop.orders"];
const ARMED = { token: "t1", tables: TABLES, newHome: "new" };
const HOLD = { token: "t1", tables: TABLES, ttlMs: 5000, oldHome: "old", newHome: "new" };

const initial = initialRules("old");
const armed = withArmed(initial, "m", ARMED);
const held = must(withHold(armed, "m", HOLD));

function must(rules: RulesDocument | undefined): RulesDocument {
  if (rules === undefined) throw new Error("the edit gave up");
  return rules;
}

describe("a switch, edit by edit", () => {
  test("moves the tables of its hold, ends the hold, and stays armed until all have acknowledged", () => {
    const after = must(switched(held, "m", "t1", "s1"));
    expect(TABLES.map((table) => homeOf(after, table))).toEqual(["new", "new"]);
    expect(homeOf(after, "shop.other")).toBe("old");
    expect(after).toMatchObject({ holds: {}, armed: { m: ARMED }, switchId: "s1" });
    expect(must(withoutArmed(after, "m", "t1")).armed).toEqual({});
  });

  test("raises the generation with each edit by one, and never changes what it was given", () => {
    const after = must(switched(held, "m", "t1", "s1"));
    expect([initial, armed, held, after].map(({ generation }) => generation)).toEqual([1, 2, 3, 4]);
    expect(initial).toEqual({
      format: 2,
      generation: 1,
      default: "old",
      tables: {},
      armed: {},
      holds: {},
      switchId: "",
    });
  });

  test("going back makes the entries point home again and keeps them", () => {
    const there = must(withoutArmed(must(switched(held, "m", "t1", "s1")), "m", "t1"));
    const back = { ...HOLD, token: "t2", oldHome: "new", newHome: "old" };
    const again = withArmed(there, "m", { token: "t2", tables: TABLES, newHome: "old" });
    const home = must(switched(must(withHold(again, "m", back)), "m", "t2", "s2"));
    expect(home.tables).toEqual({
      "shop.items": { to: "old", migration: "m" },
      "shop.orders": { to: "old", migration: "m" },
    });
    expect(home.switchId).toBe("s2");
  });
});

describe("an attempt that was given up", () => {
  test("cannot begin to hold: it is no longer armed", () => {
    expect(withHold(initial, "m", HOLD)).toBeUndefined();
    expect(withHold(must(withoutArmed(armed, "m", "t1")), "m", HOLD)).toBeUndefined();
    expect(withHold(withArmed(initial, "m", { ...ARMED, token: "t2" }), "m", HOLD)).toBeUndefined();
  });

  test("cannot switch: its hold is gone, or is another's", () => {
    expect(switched(armed, "m", "t1", "s1")).toBeUndefined();
    expect(switched(must(withoutHold(held, "m", "t1")), "m", "t1", "s1")).toBeUndefined();
    expect(switched(held, "m", "t2", "s1")).toBeUndefined();
    expect(switched(held, "other", "t1", "s1")).toBeUndefined();
  });

  test("cannot hold twice", () => {
    expect(withHold(held, "m", HOLD)).toBeUndefined();
  });

  test("takes away only what bears its token", () => {
    expect(withoutHold(held, "m", "t2")).toBeUndefined();
    expect(withoutArmed(held, "m", "t2")).toBeUndefined();
    expect(withoutAttempt(held, "m", "t2")).toBeUndefined();
    expect(must(withoutAttempt(held, "m", "t1"))).toMatchObject({ armed: {}, holds: {}, tables: {} });
    expect(must(withoutHold(held, "m", "t1"))).toMatchObject({ armed: { m: ARMED }, holds: {} });
  });
});

describe("two migrations", () => {
  test("side by side keep their own holds", () => {
    const both = withArmed(held, "n", { token: "u1", tables: ["shop.log"], newHome: "new" });
    const two = must(withHold(both, "n", { ...HOLD, token: "u1", tables: ["shop.log"] }));
    const after = must(switched(two, "m", "t1", "s1"));
    expect(after.holds).toEqual({ n: { ...HOLD, token: "u1", tables: ["shop.log"] } });
    expect(homeOf(after, "shop.log")).toBe("old");
  });

  test("cannot arm or hold the same table, nor can a person route it meanwhile", () => {
    expect(() => withArmed(armed, "n", { ...ARMED, tables: ["shop.orders"] })).toThrow("RULES_TABLE_TAKEN");
    expect(() => withTable(held, "shop.orders", { to: "new", migration: "" })).toThrow("RULES_TABLE_TAKEN");
    expect(withTable(initial, "shop.orders", { to: "new", migration: "" }).tables).toHaveProperty(["shop.orders"]);
  });
});

test("a table without an entry cannot lose it", () => {
  expect(withoutTable(initial, "shop.orders")).toBeUndefined();
  const routed = withTable(initial, "shop.orders", { to: "new", migration: "" });
  expect(must(withoutTable(routed, "shop.orders")).tables).toEqual({});
});

describe("what stands behind names", () => {
  const names = (view: string): NamesBehind => ({ views: { [view]: ["shop.orders"] }, triggers: {}, routines: {} });

  test("of a server that is nobody's home any more is forgotten", () => {
    const there = { ...armed, behind: { old: names("shop.v"), former: names("shop.f") } };
    expect(must(withBehind(there, { new: names("shop.w") })).behind).toEqual({
      old: names("shop.v"),
      new: names("shop.w"),
    });
  });

  test("always fits into the store: of the largest server nothing is kept, rather than that no switch can begin", () => {
    const large: NamesBehind = { ...names("shop.v"), others: { "": ["x".repeat(ALL_NAMES_BYTES_MAX)] } };
    const after = must(withBehind(armed, { old: large, new: names("shop.w") }));
    expect(after.behind).toEqual({ old: NOTHING_TOLD, new: names("shop.w") });
    expect(bytesOf(after)).toBeLessThan(ALL_NAMES_BYTES_MAX);
  });
});
