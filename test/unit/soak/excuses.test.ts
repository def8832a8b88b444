import { describe, expect, test } from "vitest";
import { agrees, allowedErrors } from "../../soak/switch/excuses.ts";
import { HIT_PROXY } from "../../soak/switch/faults.ts";

const LOST = "Connection lost: The server closed the connection.";
const told = (text: string, proxy = 0) => ({ at: "", client: 1, kind: "long", proxy, text });

describe("what clients may be told in a cell of the fault matrix", () => {
  test("is nothing where a controller is hit, and nothing at the proxy that is not", () => {
    expect(allowedErrors({ victim: "controller" }, "switch")(told(LOST))).toBe(false);
    const proxy = allowedErrors({ victim: "proxy" }, "switch");
    expect(proxy(told(LOST, HIT_PROXY))).toBe(true);
    expect(proxy(told(LOST, 1 - HIT_PROXY))).toBe(false);
  });

  test("is that a connection has ended or a hold was given up where the etcd is away", () => {
    const etcd = allowedErrors({ victim: "etcd" }, "switch");
    expect(etcd(told(LOST))).toBe(true);
    expect(etcd(told("it was given up; nothing was written"))).toBe(true);
    expect(etcd(told("Duplicate entry '1' for key 'entry.PRIMARY'"))).toBe(false);
  });

  test("names the home that was hit, which is another on the way back", () => {
    const named = (home: string) => told(`backend "${home}" does not answer`);
    for (const [victim, kind, hit, other] of [
      ["old-home", "switch", "old", "new"],
      ["new-home", "switch", "new", "old"],
      ["old-home", "rollback", "new", "old"],
      ["new-home", "rollback", "old", "new"],
    ] as const) {
      const allowed = allowedErrors({ victim }, kind);
      expect(allowed(named(hit)), `${victim} ${kind}`).toBe(true);
      expect(allowed(named(other)), `${victim} ${kind}`).toBe(false);
    }
  });
});

describe("what is told of an order", () => {
  test.each([
    ["switched", "", "switched", true],
    ["switched", "", "aborted", false],
    ["aborted", "CUTOVER_ABORTED", "aborted", true],
    ["aborted", "CUTOVER_ABORTED", "switched", false],
    ["refused", "", "aborted", true],
    ["refused", "", "switched", false],
    ["rehearsed", "", "aborted", false],
    ["unknown", "nobody says how the order has ended", "aborted", true],
    ["unknown", 'the switch of migration "m" is a fact, but is not finished', "switched", true],
    ["unknown", 'the switch of migration "m" is a fact, but is not finished', "aborted", false],
  ] as const)("%s %s, where it is %s: %s", (outcome, text, is, true_) => {
    expect(agrees({ outcome, text }, is)).toBe(true_);
  });
});
