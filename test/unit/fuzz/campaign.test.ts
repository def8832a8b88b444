import { describe, expect, test, vi } from "vitest";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { runCampaign } from "../../fuzz/campaign.ts";
import type { FuzzTarget } from "../../fuzz/fuzz-target.ts";
import { main } from "../../fuzz/main.ts";

const corpus = (): Buffer[] => [Buffer.from("a well formed input"), Buffer.from([1, 2, 3, 4, 5, 6, 7, 8])];

function targetThat(run: FuzzTarget["run"]): FuzzTarget {
  return { corpus, errors: ["WIRE_MALFORMED"], dictionary: [Buffer.from("token")], run };
}

describe("a campaign", () => {
  test("tries the same inputs for the same seed, and others for another", async () => {
    const inputsOf = async (seed: number): Promise<string[]> => {
      const inputs: string[] = [];
      const target = targetThat((input) => {
        inputs.push(input.toString("hex"));
      });
      await runCampaign(target, { seed, executionsMax: 500 });
      return inputs;
    };
    const inputs = await inputsOf(7);
    expect(await inputsOf(7)).toEqual(inputs);
    expect(await inputsOf(8)).not.toEqual(inputs);
    expect(new Set(inputs).size).toBeGreaterThan(400);
  });

  test("finds an input that breaks the target, and says which", async () => {
    const target = targetThat((input) => {
      if (input.includes("token")) throw new RangeError("offset out of range");
    });
    const { failure } = await runCampaign(target, { seed: 1, executionsMax: 5000 });
    expect(failure?.why).toContain("RangeError: offset out of range");
    expect(failure?.input.includes("token")).toBe(true);
  });

  test("allows errors that the contract names, and no others of the catalogue", async () => {
    const refuse = (code: "WIRE_MALFORMED" | "TIMEOUT") =>
      targetThat(() => {
        throw new SwitchyardError(code, { what: "refused" });
      });
    expect(await runCampaign(refuse("WIRE_MALFORMED"), { seed: 1, executionsMax: 100 })).toMatchObject({
      executions: 100,
      refused: 100,
      failure: undefined,
    });
    const { failure } = await runCampaign(refuse("TIMEOUT"), { seed: 1, executionsMax: 100 });
    expect(failure?.why).toContain("TIMEOUT");
  });

  test("finds an input that takes too long, every time it is tried", async () => {
    let slow = 0;
    const target = targetThat((input) => {
      if (input.length >= 19) return;
      slow++;
      const until = performance.now() + 1050;
      while (performance.now() < until);
    });
    const { failure } = await runCampaign(target, { seed: 1, executionsMax: 100 });
    expect(failure?.why).toMatch(/takes 10\d\d ms/);
    expect(slow).toBe(3);
  });

  test("finds memory that is set aside because the input claims it", async () => {
    const target = targetThat((input) => {
      if (input.length === 8) Buffer.alloc(300 * 1024 * 1024);
    });
    const { failure } = await runCampaign(target, { seed: 1, executionsMax: 100 });
    expect(failure?.why).toMatch(/set aside \d+ MiB for an input of 8 bytes/);
  });

  test("finds memory that is never given back", async () => {
    const kept: Buffer[] = [];
    const target = targetThat(() => {
      kept.push(Buffer.alloc(10_000));
    });
    const { failure } = await runCampaign(target, { seed: 1, executionsMax: 100_000 });
    expect(failure?.why).toMatch(/left \d+ MiB behind/);
  });
});

describe("the command", () => {
  test.each([[[]], [["no-such-target"]], [["gtid", "--seconds", "0"]], [["gtid", "--seed", "x"]], [["gtid", "--x"]]])(
    "refuses %j with its usage",
    async (args) => {
      const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
      expect(await main(args)).toBe(2);
      expect(said.mock.calls.join()).toContain("usage: npm run fuzz");
      said.mockRestore();
    },
  );
});
