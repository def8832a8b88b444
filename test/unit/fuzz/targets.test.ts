import { describe, expect, test } from "vitest";
import { runCampaign } from "../../fuzz/campaign.ts";
import { loadTarget, TARGET_NAMES } from "../../fuzz/target-names.ts";

const EXECUTIONS = 4000;

describe.each(TARGET_NAMES)("hostile bytes for %s", (name) => {
  test("are read or refused, in bounded time and memory", async () => {
    const target = await loadTarget(name);
    if (target === undefined) throw new Error(`${name} cannot be loaded`);
    const { failure, executions, refused } = await runCampaign(target, { seed: 1, executionsMax: EXECUTIONS });
    expect(failure?.why).toBeUndefined();
    expect(executions).toBe(EXECUTIONS);
    // All refused, or none: then the inputs do not reach what they are made for.
    expect(refused).toBeLessThan(EXECUTIONS);
  });

  test("begin with a corpus that the target reads", async () => {
    const target = await loadTarget(name);
    const corpus = (await target?.corpus()) ?? [];
    const { refused } = await runCampaign(target ?? { corpus: () => [], run: () => undefined }, {
      seed: 1,
      executionsMax: corpus.length,
    });
    expect(corpus.length).toBeGreaterThan(5);
    expect(refused).toBe(0);
  });
});
