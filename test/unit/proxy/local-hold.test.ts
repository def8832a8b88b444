import { describe, expect, test } from "vitest";
import type { Tie } from "../../../src/proxy/cause.ts";
import { LocalHold } from "../../../src/proxy/local-hold.ts";
import type { Flight, TrafficSession } from "../../../src/proxy/traffic-session.ts";

const RULE = { token: "t", tables: ["shop.orders"], ttlMs: 1000, oldHome: "old", newHome: "new" };

class FakeSession implements TrafficSession {
  readonly user = "app";
  flight: Flight | undefined;
  open: Record<string, string> = {};
  readonly id: string;

  constructor(id: string, flight?: Partial<Flight>) {
    this.id = id;
    if (flight !== undefined) this.flight = { backend: "old", tables: [], everything: false, opens: false, ...flight };
  }

  openOn(backend: string): Tie | undefined {
    const reason = this.open[backend];
    return reason === undefined ? undefined : { reason };
  }

  hasUsed(): boolean {
    return false;
  }

  prepareFor(): Promise<undefined> {
    return Promise.resolve(undefined);
  }
}

describe("a hold waits for", () => {
  test.each<[string, Partial<Flight> | undefined, string | undefined, boolean]>([
    ["nobody who is idle", undefined, undefined, true],
    ["a statement in flight on its tables", { tables: ["shop.orders"] }, undefined, false],
    ["a statement that may touch anything", { everything: true }, undefined, false],
    ["a statement that may leave a transaction open", { opens: true }, undefined, false],
    ["no statement on other tables", { tables: ["shop.other"] }, undefined, true],
    ["no statement at another backend", { backend: "new", tables: ["shop.orders"] }, undefined, true],
    ["a transaction that is open at the old home", undefined, "old", false],
    ["no transaction that is open elsewhere", undefined, "new", true],
  ])("%s", (_, flight, open, drained) => {
    const session = new FakeSession("1", flight);
    if (open !== undefined) session.open[open] = "a transaction is open";
    const hold = new LocalHold("orders", RULE, 0, [session]);
    expect([hold.drained, hold.lets(session)]).toEqual([drained, !drained]);
  });

  test("a transaction to its end, not to the end of a statement of it", () => {
    const [one, two] = [new FakeSession("1"), new FakeSession("2")];
    one.open["old"] = "a transaction is open";
    const hold = new LocalHold("orders", RULE, 0, [one, two]);
    expect(hold.acknowledgement(0)).toEqual({
      token: "t",
      state: "holding",
      open: [{ kind: "open", session: "1", user: "app", reason: "a transaction is open" }],
    });
    expect(hold.settled(one, 0)).toBe(false);
    one.open = {};
    one.flight = { backend: "old", tables: [], everything: false, opens: false };
    expect(hold.settled(one, 0)).toBe(false);
    one.flight = undefined;
    expect(hold.settled(two, 0)).toBe(false);
    expect(hold.settled(one, 0)).toBe(true);
    expect([hold.drained, hold.lets(one)]).toEqual([true, false]);
  });

  test("what is about to end, before it says so: the word that all has ended must not queue behind that", () => {
    const session = new FakeSession("1", { tables: ["shop.orders"] });
    const hold = new LocalHold("orders", RULE, 1000, [session]);
    expect([hold.tellAfterMs(1000), hold.tellAfterMs(1003), hold.tellAfterMs(1004), hold.tellAfterMs(9999)]).toEqual([
      4, 1, 0, 0,
    ]);
    session.flight = undefined;
    hold.settled(session, 1001);
    expect(hold.tellAfterMs(1001)).toBe(0);
  });

  test("and knows for how long transactions that were open before kept it, which statements in flight do not", () => {
    const [one, two] = [new FakeSession("1"), new FakeSession("2", { tables: ["shop.orders"] })];
    one.open["old"] = "a transaction is open";
    const hold = new LocalHold("orders", RULE, 1000, [one, two]);
    expect(hold.transactionsOpenMs(1007)).toBe(7);
    one.open = {};
    hold.settled(one, 1010);
    two.flight = undefined;
    expect(hold.settled(two, 1025)).toBe(true);
    expect(hold.transactionsOpenMs(1030)).toBe(10);
    expect(new LocalHold("orders", RULE, 1000, []).transactionsOpenMs(1030)).toBe(0);
  });
});
