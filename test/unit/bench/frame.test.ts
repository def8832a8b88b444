import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Bench, BenchContext, Figure } from "../../../bench/frame/bench.ts";
import { createContext } from "../../../bench/frame/context.ts";
import { figureLine, median, percentile } from "../../../bench/frame/figures.ts";
import { type Contender, interleave } from "../../../bench/frame/interleave.ts";
import { parseOptions } from "../../../bench/frame/options.ts";
import { main } from "../../../bench/main.ts";
import { runTinyBench } from "../../support/tiny-bench.ts";

const FAST: Figure = { metric: "rows_2_clients_per_second", ours: 1200.4, peer: 800.2, peerName: "native replica" };
const ALONE: Figure = { metric: "switch_errors", ours: 0, peer: null, peerName: "none" };

function benchOf(figures: readonly Figure[], during: (context: BenchContext) => void = () => undefined): Bench {
  return {
    name: "sample",
    about: "figures made up by a test",
    run: (context) => {
      during(context);
      return Promise.resolve(figures);
    },
  };
}

function contextWith(limits: { durationMaxMs?: number } = {}): BenchContext {
  const full = { size: "full", all: false, only: undefined, rounds: undefined, durationMaxMs: 60_000 } as const;
  return createContext({ ...full, ...limits }, "unused", () => undefined);
}

describe("a bench with --json", () => {
  test("has nothing but figures on stdout, and the machine and its remarks on stderr", async () => {
    const bench = benchOf([FAST, ALONE], (context) => context.say("half way"));
    const run = await runTinyBench(bench);
    expect(run.stdout).toBe(
      '{"bench":"sample","metric":"rows_2_clients_per_second","ours":1200,"peer":800.2,"peerName":"native replica","ratio":1.5}\n' +
        '{"bench":"sample","metric":"switch_errors","ours":0,"peer":null,"peerName":"none","ratio":null}\n',
    );
    expect(run.stderr).toMatch(/machine:\n +cores/);
    expect(run.stderr).toContain("half way");
    expect(run.exitCode).toBe(0);
  });

  test("that fails half way prints no figure and ends with 1", async () => {
    const run = await runTinyBench(
      benchOf([FAST], () => {
        throw new Error("the peer did not start");
      }),
    );
    expect(run).toMatchObject({ exitCode: 1, stdout: "" });
    expect(run.stderr).toContain("the peer did not start");
  });

  test("and --only leaves the other figures out, and fails where none is left", async () => {
    const only = await runTinyBench(benchOf([FAST, ALONE]), { only: /^switch_/ });
    expect(only.lines.map((line) => line.metric)).toEqual(["switch_errors"]);
    expect(await runTinyBench(benchOf([FAST, ALONE]), { only: /nothing/ })).toMatchObject({ exitCode: 1, stdout: "" });
  });
});

test("without --json people get a table", async () => {
  const run = await runTinyBench(benchOf([FAST, ALONE]), { json: false });
  expect(run.stdout.split("\n").slice(-5, -1)).toEqual([
    "metric                      ours   peer  ratio  peer's name",
    "-------------------------  -----  -----  -----  --------------",
    "rows_2_clients_per_second  1,200  800.2   1.50  native replica",
    "switch_errors                  0",
  ]);
});

test("a run leaves no folder behind, however it ends", async () => {
  const folders: string[] = [];
  await runTinyBench(benchOf([FAST], ({ folder }) => folders.push(folder)));
  await runTinyBench(
    benchOf([FAST], ({ folder }) => {
      folders.push(folder);
      throw new Error("failed");
    }),
  );
  expect(folders).toHaveLength(2);
  expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
});

describe("a figure is refused", () => {
  test.each<[Figure, string]>([
    [{ ...FAST, metric: "rows" }, "names no unit but its thing"],
    [{ ...FAST, metric: "Rows_seconds" }, "is not in snake_case"],
    [{ ...FAST, ours: Number.NaN }, "was never measured"],
    [{ ...FAST, peer: null }, "names a peer without a figure"],
    [{ ...ALONE, peer: 3 }, "has a peer's figure without a peer"],
  ])("%o: it %s", (figure) => {
    expect(() => figureLine("sample", figure)).toThrow();
  });
});

describe("interleaving", () => {
  test("takes turns, each round beginning with another, and gives the median of the rounds", async () => {
    const order: string[] = [];
    const contender = (name: string, values: readonly number[]): Contender => {
      let next = 0;
      return {
        name,
        measure: () => {
          order.push(name);
          return Promise.resolve({ qps: values[next++] ?? 0 });
        },
      };
    };
    const measured = await interleave(contextWith(), [contender("ours", [5, 100, 7]), contender("peer", [3, 1, 2])], 3);
    expect(order.join(" ")).toBe("ours peer peer ours ours peer");
    expect(measured.get("ours")).toEqual({ qps: 7 });
    expect(measured.get("peer")).toEqual({ qps: 2 });
  });

  test("stops when the next round would not end in time, but always measures once", async () => {
    let rounds = 0;
    const slow: Contender = {
      name: "slow",
      measure: async () => {
        rounds += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
        return { ms: 20 };
      },
    };
    await interleave(contextWith({ durationMaxMs: 1 }), [slow], 5);
    expect(rounds).toBe(1);
  });
});

test("medians and percentiles are values that were measured", () => {
  expect([median([3]), median([4, 1]), median([9, 1, 5])]).toEqual([3, 2.5, 5]);
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect([percentile(hundred, 50), percentile(hundred, 99), percentile(hundred, 100)]).toEqual([50, 99, 100]);
  expect(percentile([8, 2], 99)).toBe(8);
});

describe("the command line", () => {
  test("is understood", () => {
    expect(parseOptions(["copy", "--json", "--all", "--only", "^copy", "--rounds", "3"])).toEqual({
      name: "copy",
      json: true,
      all: true,
      only: /^copy/,
      rounds: 3,
    });
  });

  test.each([
    [[], "no bench"],
    [["copy", "diff"], "two benches"],
    [["copy", "--rounds", "0"], "no rounds"],
    [["copy", "--rounds", "x"], "not a number"],
    [["copy", "--only", "("], "not a pattern"],
    [["copy", "--fast"], "an unknown flag"],
    [["no-such-bench"], "a bench that is not there"],
    [["constructor"], "a name that every object has"],
  ])("%j is refused with 2: %s", async (args) => {
    let said = "";
    const into = (text: string): void => {
      said += text;
    };
    expect(await main(args, { stdout: { write: into }, stderr: { write: into } })).toBe(2);
    expect(said).toContain("usage: npm run bench");
  });
});
