import { describe, expect, test } from "vitest";
import { lowerCounters, raiseCounters } from "../../../src/cutover/counters.ts";
import type { HomeSession } from "../../../src/cutover/ports.ts";

/** A home with these counters, and the largest id of each column; what is raised is noted. */
function home(
  counters: Readonly<Record<string, bigint>>,
  limits: Readonly<Record<string, bigint>> = {},
): { readonly session: HomeSession; readonly raised: unknown[] } {
  const raised: unknown[] = [];
  const session = {
    autoIncrements: () => Promise.resolve(new Map(Object.entries(counters))),
    autoIncrementLimits: () => Promise.resolve(new Map(Object.entries(limits))),
    raiseAutoIncrement: (table: string, value: bigint, token: string) => {
      raised.push([table, value, token]);
      return table === "shop.busy" ? Promise.reject(new Error("a backup has it open")) : Promise.resolve();
    },
    holders: () => Promise.resolve([]),
  } as unknown as HomeSession;
  return { session, raised };
}

describe("counters of two homes", () => {
  test.each<[string, Readonly<Record<string, bigint>>, Readonly<Record<string, bigint>>, readonly unknown[]]>([
    ["level", { a: 7n, b: 1n }, { a: 7n, b: 1n }, []],
    ["higher on the new home, which has given ids before", { a: 7n }, { a: 8n }, []],
    ["lower on the new home", { a: 7n, b: 9n }, { a: 7n, b: 8n }, [["b", 9n]]],
    ["unknown on the new home", { a: 2n }, {}, [["a", 2n]]],
    ["not there on the old home: no id was given", {}, { a: 2n }, []],
    ["beyond what a number holds exactly", { a: 2n ** 63n + 1n }, { a: 2n ** 63n }, [["a", 2n ** 63n + 1n]]],
  ])("that are %s", async (_, from, to, lower) => {
    expect(await lowerCounters(home(from).session, home(to).session)).toEqual(lower);
  });

  test("are raised ahead where the type has room for a thousand times that, and else to what they are", async () => {
    const [from, to] = [
      home({ roomy: 100n, narrow: 100n, unlimited: 100n }),
      home({ unlimited: 100n }, { roomy: 2n ** 63n, narrow: 200n }),
    ];
    await raiseCounters(from.session, to.session, "t", 50n);
    expect(to.raised).toEqual([
      ["roomy", 150n, "t"],
      ["narrow", 100n, "t"],
    ]);
  });

  test("are raised exactly under the fence, and one that cannot be is told with its table", async () => {
    const to = home({}, { a: 2n ** 63n });
    await raiseCounters(home({ a: 100n }).session, to.session, "t", 0n);
    expect(to.raised).toEqual([["a", 100n, "t"]]);
    const raising = raiseCounters(home({ "shop.busy": 3n }).session, home({}).session, "t", 0n);
    await expect(raising).rejects.toThrow(/CUTOVER_COUNTER_REFUSED: .*shop\.busy could not be raised to 3.*backup/s);
  });
});
