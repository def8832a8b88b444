import { describe, expect, test } from "vitest";
import { explore, PROFILES } from "./profiles.ts";
import { Run, simulate } from "./run.ts";
import { LIMITS, WAIT_MAX_MS } from "./run-options.ts";
import {
  endsLate,
  lateFence,
  lateLock,
  lateRegain,
  lateReturn,
  lateSeal,
  lateSessions,
  noControllersLeft,
  swapLearntLate,
} from "./scenes.ts";
import { sceneNamed } from "./stories.ts";

/** More than a thousand, over all profiles. */
const SEEDS = 100;
const RUN_MS = 1000;
const TEST_TIMEOUT_MS = 120_000;

/**
 * Seeds of `lateRegain` at which acknowledged writes were lost while a ledger could be claimed by a token that it bears though an
 * attempt had sealed it; the first of them in an older form of the simulation.
 */
const ONCE_FAILED = [199, 436, 527, 620, 1415, 1543, 1548, 3453, 52, 221, 345, 404, 1030, 1124];
/** One at which a table lock was left to a successor that had looked for it before. */
const ONCE_LOCKED = 8010;
/** Seeds of the soak that failed once, each played as it was then: by what else happens in them, the last of them differ now. */
const SOAKED = [
  /** What was held at the first moment of a hold was then 399 ms on its way to the server. */
  { scene: "noControllersLeft", seed: 122_131, proxies: 1, controllers: 2 },
  /** A late lock, before it was let pass. */
  { scene: "lateReturn", seed: 6838, proxies: 3, controllers: 2 },
  { scene: "lateReturn", seed: 7774, proxies: 2, controllers: 2 },
  { scene: "lateReturn", seed: 11_284, proxies: 3, controllers: 2 },
  { scene: "lateReturn", seed: 14_365, proxies: 3, controllers: 2 },
  /** A transaction that a proxy without a lease had begun was long on its way: the check looked when it had arrived. */
  { scene: "endsLate", seed: 200_892, proxies: 1, controllers: 1 },
] as const;

function seeds(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/**
 * The switch itself, with a proxy's own holds, licence and registration, against servers, a store and clocks that a
 * seed decides. In every run it must hold: no acknowledged write is lost or doubled, no two servers take writes at a
 * time, no id is given twice, no read goes back in time, no client of a healthy proxy sees an error, and when the
 * faults end, all comes to rest.
 */
describe("a switch among faults, simulated", () => {
  test.each(Object.entries(PROFILES))(
    "%s",
    async (_name, faults) => {
      const { outcomes } = await explore(faults, { from: 1, to: SEEDS }, { activeMs: RUN_MS });
      expect(outcomes["switched"]).toBeGreaterThan(10);
    },
    TEST_TIMEOUT_MS,
  );

  test("without faults clients see no error, not even of attempts that a slow statement has aborted", async () => {
    const { outcomes, errors } = await explore({}, { from: 1001, to: 1060 }, { activeMs: RUN_MS });
    expect(errors).toBe(0);
    expect(Object.keys(outcomes).sort()).toEqual(["aborted", "switched"]);
    expect(outcomes["switched"]).toBeGreaterThan(5 * (outcomes["aborted"] ?? 0));
  });

  test(
    "a controller that slept on its way back to the old home leaves no lock and no fence on what is the home by then",
    async () => {
      for (const seed of [...seeds(1, 60), ...ONCE_FAILED, ONCE_LOCKED]) {
        const { breaches } = await simulate({ seed, faults: {}, ...lateRegain() });
        expect({ seed, breaches }).toEqual({ seed, breaches: [] });
      }
    },
    TEST_TIMEOUT_MS,
  );

  test("a controller that slept through its attempt's abort closes the sessions that it opens too late", async () => {
    await explore({}, { from: 1, to: 20 }, { scene: lateSessions });
  });

  test(
    "a controller that slept before it began a stream cannot begin it once the next one has sealed its ledger",
    async () => {
      for (const seed of seeds(1, 60)) await explore({}, { from: seed, to: seed }, lateReturn());
    },
    TEST_TIMEOUT_MS,
  );

  test.each(SOAKED)("what the soak has found once does not fail: $scene, seed $seed", async ({ scene, ...once }) => {
    const { breaches, attempts } = await simulate({ ...once, faults: {}, ...sceneNamed(scene) });
    expect(breaches).toEqual([]);
    expect(attempts).toBeGreaterThan(0);
  });

  /** A list of proxies that was made first was heard of last: the check took it for the newest. */
  test("a lease that ends early has its proxy's connections ended, and no other's", async () => {
    const once = { seed: 528_474, faults: { leases: true }, proxies: 1, controllers: 1, activeMs: 500 };
    const { breaches, errors } = await simulate(once);
    expect(breaches).toEqual([]);
    expect(errors).toBeGreaterThan(0);
  });

  /** What it wrote where the tables had left was acknowledged, under an id that the new home had given, and is lost there. */
  test("what a proxy that has stood still with its clock writes too late is named where a switch fences nothing", async () => {
    const size = { proxies: 3, controllers: 1, activeMs: 500 };
    const run = new Run({ seed: 726_945, faults: { clocks: true }, ...size, fence: "none" });
    const { breaches, outcomes } = await run.go();
    expect(breaches).toEqual([]);
    expect(outcomes).toContain("switched");
    expect([...run.checker.strays]).toEqual(["proxy3-c0/3"]);
  });

  test("a controller that wakes and asks for a lock on the home ends a transaction, as it alone may", async () => {
    let met = 0;
    for (const seed of seeds(1, 30)) {
      const { breaches, lateLocks } = await simulate({ seed, faults: {}, ...lateLock() });
      expect({ seed, breaches }).toEqual({ seed, breaches: [] });
      met += lateLocks;
    }
    expect(met).toBeGreaterThan(0);
  });

  test(
    "a controller that slept through its attempt's abort cannot seal the ledger of the stream that goes on",
    async () => {
      for (const seed of seeds(1, 60)) await explore({}, { from: seed, to: seed }, lateSeal());
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "a controller that slept on its way to a fence ends no session of the one that leads",
    async () => {
      for (const seed of seeds(1, 60)) await explore({}, { from: seed, to: seed }, lateFence([1, 12])());
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "transactions that are ended by order lose nothing that was acknowledged, and let switches through",
    async () => {
      const { outcomes } = await explore(PROFILES["all of it"], { from: 1, to: 80 }, { activeMs: RUN_MS, kills: 3 });
      expect(outcomes["switched"]).toBeGreaterThan(10);
    },
    TEST_TIMEOUT_MS,
  );

  // Forced as it must be, `none` goes on in spite of altered tables too.
  test.each(["lock-read", "none"] as const)(
    "with the fence %s nothing of the proxies' clients is lost, nor anything else without a word",
    async (fence) => {
      const faults = { controller: 0.1, sessions: true, leases: true, machines: true };
      const { outcomes } = await explore(faults, { from: 1, to: 40 }, { activeMs: RUN_MS, fence });
      expect(outcomes["switched"]).toBeGreaterThan(10);
    },
    TEST_TIMEOUT_MS,
  );

  test("clients of a proxy that is back are told nothing but that a controller whose clock stood still ended it late", async () => {
    let told = 0;
    for (const seed of seeds(1, 12)) {
      const { breaches, errors } = await simulate({ seed, faults: {}, ...endsLate() });
      expect({ seed, breaches }).toEqual({ seed, breaches: [] });
      told += errors;
    }
    expect(told).toBeGreaterThan(0);
  });

  test("a swap of which its controller learns when it has given the attempt up has held clients until then", async () => {
    const { breaches, pausesMs } = await simulate({ seed: 1, faults: {}, controllers: 1, ...swapLearntLate() });
    expect(breaches).toEqual([]);
    expect(pausesMs.filter((ms) => ms > LIMITS.holdBudgetMs)).toHaveLength(1);
    expect(Math.min(...pausesMs)).toBeGreaterThan(0);
  });

  test("a client whose hold nobody is left to end but the proxies waits for that hold, and for what its own statement takes", async () => {
    await explore({}, { from: 1, to: 36 }, { scene: noControllersLeft, activeMs: 2000, waitMaxMs: WAIT_MAX_MS });
  });

  test("wall clocks that are set to other times change nothing", async () => {
    for (const seed of seeds(1, 6)) {
      const options = { seed, faults: PROFILES["all of it"], activeMs: RUN_MS };
      const set = await simulate({ ...options, wallClocks: true });
      const shown = (line: string): string => line.replace(/ that controller\d+ began at \S+$/, "");
      expect(set.trace.map(shown)).toEqual((await simulate(options)).trace.map(shown));
    }
  });

  test("repeats exactly what a seed did before", async () => {
    const once = await simulate({ seed: 7, faults: PROFILES["all of it"], activeMs: RUN_MS });
    const again = await simulate({ seed: 7, faults: PROFILES["all of it"], activeMs: RUN_MS });
    expect(again.trace).toEqual(once.trace);
  });
});
