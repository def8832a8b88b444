import { describe, test } from "vitest";
import { explore, PROFILES } from "../simulation/cutover/profiles.ts";

const SEEDS = 3000;

/** The simulation of the switch over many seeds and longer runs; a breach prints the seed that repeats it. */
describe("a switch among faults, simulated at length", () => {
  test.each(Object.entries(PROFILES))("%s", async (_name, faults) => {
    await explore(faults, { from: 10_000, to: 10_000 + SEEDS }, { activeMs: 3000 });
  });
});
