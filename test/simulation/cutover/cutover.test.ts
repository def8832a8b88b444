import { describe, expect, test } from "vitest";
import { type Faults, type RunOptions, simulate } from "./run.ts";

const SEEDS = Number(process.env["SWITCHYARD_SIMULATION_SEEDS"] ?? 60);

/** Runs many seeds; a failure prints the seed and what happened around it. */
async function explore(faults: Faults, options: Partial<RunOptions> = {}): Promise<readonly string[]> {
  const outcomes: string[] = [];
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const result = await simulate({ seed, faults, ...options });
    outcomes.push(...result.outcomes);
    if (result.breaches.length === 0) continue;
    const trace = result.trace.slice(-400).join("\n");
    expect.fail(`seed ${seed} of ${JSON.stringify(faults)}: ${result.breaches.join("; ")}\n${trace}`);
  }
  return outcomes;
}

describe("a switch, simulated", () => {
  test("without faults moves the tables to and fro, and no client notices", async () => {
    const outcomes = await explore({});
    const switched = outcomes.filter((outcome) => outcome === "switched").length;
    expect(switched).toBeGreaterThan(SEEDS * 3);
  });
});
