import { describe, expect, test } from "vitest";
import type { LedgerEntry, Outcome } from "../../../demo/ledger.ts";
import { addDecimal, replay } from "../../../demo/replay.ts";
import { compareWithPrediction, type Verdict } from "../../../demo/verify.ts";
import type { Values } from "../../../demo/written-tables.ts";

const stock = (quantity: number, movements: number): Values => ({
  sku: "SKU-1",
  warehouse: "0",
  quantity: String(quantity),
  movements: String(movements),
});
const item = (line: string, quantity: string): Values => ({
  order_id: "7",
  line,
  sku: "SKU-1",
  quantity,
  price: "1.00",
});
const move = (outcome: Outcome, quantity: number): LedgerEntry => ({
  client: 1,
  sequence: 1,
  outcome,
  effects: [
    {
      do: "add",
      table: "shop.stock",
      key: { sku: "SKU-1", warehouse: "0" },
      amounts: { quantity: String(quantity), movements: "1" },
    },
  ],
});

function judge(
  entries: readonly LedgerEntry[],
  table: string,
  before: readonly Values[],
  after: readonly Values[],
): Verdict {
  const prediction = replay(new Map([[table, before]]), entries);
  return compareWithPrediction(prediction, new Map([[table, after]]));
}

describe("replaying the ledger", () => {
  test("adds acknowledged amounts, whatever their order", () => {
    const entries = [move("acknowledged", -3), move("acknowledged", 5)];
    expect(judge(entries, "shop.stock", [stock(10, 0)], [stock(12, 2)])).toMatchObject({ lost: 0, doubled: 0 });
  });

  test("does not expect what was refused", () => {
    expect(judge([move("refused", 5)], "shop.stock", [stock(10, 0)], [stock(10, 0)]).lost).toBe(0);
    expect(judge([move("refused", 5)], "shop.stock", [stock(10, 0)], [stock(15, 1)]).doubled).toBe(1);
  });

  test("counts each lost and each doubled update of a shared row", () => {
    const entries = [1, 2, 3, 4].map((n) => move("acknowledged", n));
    expect(judge(entries, "shop.stock", [stock(0, 0)], [stock(3, 2)])).toMatchObject({ lost: 2, doubled: 0 });
    expect(judge(entries, "shop.stock", [stock(0, 0)], [stock(14, 5)])).toMatchObject({ lost: 0, doubled: 1 });
    expect(judge(entries, "shop.stock", [stock(0, 0)], [stock(11, 4)])).toMatchObject({ lost: 1, doubled: 0 });
  });

  test("accepts either state of a row whose last write is unknown", () => {
    for (const after of [stock(10, 0), stock(15, 1)]) {
      expect(judge([move("unknown", 5)], "shop.stock", [stock(10, 0)], [after])).toMatchObject({ lost: 0, doubled: 0 });
    }
  });

  test("accepts a row of an insert whose outcome and number are unknown", () => {
    const entry: LedgerEntry = { client: 3, sequence: 9, outcome: "unknown", effects: [] };
    const row = { id: "1", client: "3", sequence: "9" };
    expect(judge([entry], "shop.transfers", [], [row])).toMatchObject({ lost: 0, doubled: 0 });
    expect(judge([], "shop.transfers", [], [row])).toMatchObject({ lost: 0, doubled: 1 });
  });

  test("expects a row written again after its deletion, and misses a deletion that did not last", () => {
    const key = { order_id: "7", line: "1" };
    const effects = (then: LedgerEntry["effects"]): LedgerEntry[] => [
      { client: 1, sequence: 1, outcome: "acknowledged", effects: then },
    ];
    const gone = effects([{ do: "delete", table: "shop.order_items", key }]);
    expect(judge(gone, "shop.order_items", [item("1", "2")], [item("1", "2")])).toMatchObject({ lost: 1, doubled: 0 });
    const back = effects([
      { do: "delete", table: "shop.order_items", key },
      { do: "insert", table: "shop.order_items", row: item("1", "3") },
      { do: "set", table: "shop.order_items", key, values: { quantity: "4" } },
    ]);
    expect(judge(back, "shop.order_items", [item("1", "2")], [item("1", "4")])).toMatchObject({ lost: 0, doubled: 0 });
  });
});

describe("adding decimals", () => {
  test.each([
    ["10000.00", "-0.01", "9999.99"],
    ["0.05", "-0.10", "-0.05"],
    ["-0.05", "0.05", "0.00"],
    ["99999999999.99", "0.01", "100000000000.00"],
    ["7", "-9", "-2"],
    ["-12", "12", "0"],
  ])("%s + %s = %s, exactly", (value, amount, sum) => {
    expect(addDecimal(value, amount)).toBe(sum);
  });
});
