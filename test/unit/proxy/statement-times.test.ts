import { describe, expect, test } from "vitest";
import { StatementTimes } from "../../../src/proxy/statement-times.ts";
import { fc } from "../../support/seeded-properties.ts";

describe("the times of statements", () => {
  test("have their 99th percentile told to a sixth, and never too low", () => {
    const time = fc.double({ min: 0.02, max: 60_000, noNaN: true });
    fc.assert(
      fc.property(fc.array(time, { minLength: 1, maxLength: 300 }), (all) => {
        const times = new StatementTimes();
        for (const ms of all) times.add(ms);
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(all.length * 0.99) - 1] ?? 0;
        const { p99Ms, statements } = times.take(0);
        expect(statements).toBe(all.length);
        expect(p99Ms).toBeGreaterThanOrEqual(exact * 0.999);
        expect(p99Ms).toBeLessThanOrEqual(exact * 1.17);
      }),
    );
  });

  test("begin anew with each report, and are 0 where there was no statement", () => {
    const times = new StatementTimes();
    times.add(5);
    expect(times.take(1000).statements).toBe(1);
    expect(times.take(3000)).toEqual({ p99Ms: 0, statements: 0, overMs: 2000 });
  });

  test("take what is beyond all measure, and nothing at all", () => {
    const times = new StatementTimes();
    for (const ms of [0, -1, 1e12]) times.add(ms);
    expect(times.take(0).p99Ms).toBeGreaterThan(3_600_000);
  });
});
