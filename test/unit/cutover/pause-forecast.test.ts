import { describe, expect, test } from "vitest";
import { forecastPause, type Measured, measuredOf } from "../../../src/cutover/pause-forecast.ts";
import { STEPS_AFTER_SWAP, STEPS_TO_SWAP } from "../../../src/cutover/steps.ts";

const ms = (typicalMs: number, slowestMs: number): Measured => ({ typicalMs, slowestMs });
const FIGURES = {
  storeRead: ms(1, 2),
  storeWrite: ms(2, 8),
  oldHome: ms(0.5, 1),
  newHome: ms(0.4, 3),
  commit: ms(3, 10),
  arrival: ms(1, 4),
};

describe("the pause that is predicted", () => {
  test("is the sum of its phases, each a step of the plan", () => {
    const { phases, typicalMs, slowestMs, statements } = forecastPause(FIGURES);
    const steps = new Set([...STEPS_TO_SWAP, ...STEPS_AFTER_SWAP].map(({ name }) => name));
    expect(phases.filter(({ step }) => !steps.has(step))).toEqual([]);
    const sum = (of: (phase: Measured) => number): number => phases.reduce((all, phase) => all + of(phase), 0);
    expect([typicalMs, slowestMs]).toEqual([sum((phase) => phase.typicalMs), sum((phase) => phase.slowestMs)]);
    // 4 + 1, then 0.5 + 3 with the last transaction there by then, 1, 0.5 + 2, 1.
    expect(typicalMs).toBe(13);
    expect(statements).toBeUndefined();
  });

  test("has in it what is left of the last transaction's way, where that is long", () => {
    const far = forecastPause({ ...FIGURES, arrival: ms(50, 60) });
    // Once as what the stream waits for beyond 5 ms, once for the look at the log.
    expect(far.typicalMs).toBe(13 + (50 + 3 - 5) + (50 - 1));
  });

  test("says how many statements come meanwhile", () => {
    const { statements } = forecastPause({ ...FIGURES, statementsPerSecond: 2000 });
    expect(statements).toEqual({ typical: 26, most: expect.any(Number) });
  });

  test("goes from the median to the slowest of the tries", () => {
    expect(measuredOf([5, 1, 9, 2])).toEqual(ms(2, 9));
  });
});
