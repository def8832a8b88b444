import { describe, expect, test } from "vitest";
import { RestDebt } from "../../../src/throttle/rest.ts";
import { nextSpeed, SHARE_MIN, SPEEDS, type Speed, STARTING, type Verdict } from "../../../src/throttle/speed.ts";
import { fc } from "../../support/seeded-properties.ts";

const verdict = fc.constantFrom<Verdict>("clear", "over", "unknown");
const run = (verdicts: readonly Verdict[]): Speed => verdicts.reduce(nextSpeed, STARTING);

describe("the speed of bulk work", () => {
  test("is a share that fits its state, after any run of verdicts", () => {
    fc.assert(
      fc.property(fc.array(verdict, { maxLength: 80 }), (verdicts) => {
        const { state, share } = run(verdicts);
        const expected = { starting: share === 0, stopped: share === 0, full: share === 1 };
        expect(state === "slowed" ? share >= SHARE_MIN && share < 1 : expected[state]).toBe(true);
      }),
    );
  });

  test("never rises while a signal is over its limit, and is none while one is not known", () => {
    fc.assert(
      fc.property(fc.array(verdict, { minLength: 1, maxLength: 80 }), (verdicts) => {
        const before = run(verdicts);
        const over = nextSpeed(before, "over");
        // Its first step is to begin at all.
        if (before.state !== "starting") expect(over.share).toBeLessThanOrEqual(before.share);
        expect(over.share).toBeLessThan(1);
        expect(nextSpeed(before, "unknown").share).toBe(0);
      }),
    );
  });

  test("is full again after twenty looks at clear signals, and stopped after five at signals that stay over", () => {
    fc.assert(
      fc.property(fc.array(verdict, { maxLength: 40 }), (verdicts) => {
        const clear = Array.from({ length: 20 }, (): Verdict => "clear");
        expect(run([...verdicts, ...clear])).toEqual({ state: "full", share: 1 });
        const over = Array.from({ length: 5 }, (): Verdict => "over");
        expect(run([...verdicts, "clear", ...clear, ...over])).toEqual({ state: "stopped", share: 0 });
      }),
    );
  });

  test("begins at the lowest share after a stop: what stopped it may still be near", () => {
    for (const stop of [SPEEDS.full.unknown, SPEEDS.slowed.unknown, SPEEDS.stopped.over]) {
      expect(nextSpeed(stop(1), "clear")).toEqual({ state: "slowed", share: SHARE_MIN });
    }
  });
});

describe("a worker's rest", () => {
  test("makes up for its work at the share that holds in each moment, however it changes", () => {
    const share = fc.double({ min: SHARE_MIN, max: 0.95, noNaN: true });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.array(share, { minLength: 1, maxLength: 20 }),
        (ms, shares) => {
          const debt = new RestDebt();
          debt.worked(ms);
          // By each share a part of the debt is paid; the last pays the rest.
          let left = ms;
          for (const one of shares.slice(1)) {
            const rest = (left / 2) * ((1 - one) / one);
            debt.rested(rest, one);
            left /= 2;
          }
          const last = shares[0] as number;
          expect(debt.leftMs(last)).toBeCloseTo((left * (1 - last)) / last, 3);
          debt.rested(debt.leftMs(last), last);
          expect(debt.leftMs(last)).toBeCloseTo(0, 6);
        },
      ),
    );
  });

  test("has no end at a share of 0, and none is owed at full speed", () => {
    const debt = new RestDebt();
    expect(debt.leftMs(0)).toBe(Number.POSITIVE_INFINITY);
    debt.worked(100);
    expect(debt.leftMs(1)).toBe(0);
    expect(debt.leftMs(0.25)).toBe(300);
  });
});
