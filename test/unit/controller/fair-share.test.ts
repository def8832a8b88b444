import { describe, expect, test } from "vitest";
import {
  type ControllerFacts,
  type FleetFacts,
  type MigrationFacts,
  shareOf,
} from "../../../src/controller/fair-share.ts";
import { fc } from "../../support/seeded-properties.ts";

const controller = (id: string, more: Partial<ControllerFacts> = {}): ControllerFacts => ({
  ...{ id, backends: ["old", "new"], steady: true },
  ...more,
});
const migration = (id: string, owner?: string, more: Partial<MigrationFacts> = {}): MigrationFacts => ({
  ...{ id, source: "old", target: "new" },
  ...(owner === undefined ? {} : { owner }),
  ...more,
});
const facts = (ids: string, migrations: readonly MigrationFacts[], more: Partial<FleetFacts> = {}): FleetFacts => ({
  leader: "a",
  controllers: [...ids].map((id) => controller(id)),
  migrations,
  ...more,
});
const any = (): boolean => true;

/** Everybody does what they are told, again and again; how many steps it took until nobody had anything to do. */
function settle(start: FleetFacts, mayLeave: (id: string) => boolean = any): { end: FleetFacts; moves: number } {
  let now = start;
  let moves = 0;
  for (let round = 0; round < 200; round += 1) {
    // All look at the same state before anybody has done anything.
    const shares = now.controllers.map(({ id }) => ({ id, ...shareOf(id, now, mayLeave) }));
    const owners = new Map(now.migrations.map(({ id, owner }) => [id, owner]));
    for (const { id, leave } of shares)
      for (const left of leave) if (owners.get(left) === id) owners.set(left, undefined);
    for (const { id, claim } of shares) for (const one of claim) if (owners.get(one) === undefined) owners.set(one, id);
    const left = shares.reduce((sum, { leave }) => sum + leave.length, 0);
    if (left === 0 && shares.every(({ claim }) => claim.length === 0)) return { end: now, moves };
    moves += left;
    now = {
      ...now,
      migrations: now.migrations.map(({ owner: _, ...one }) => migration(one.id, owners.get(one.id), one)),
    };
  }
  throw new Error("the shares never come to rest");
}

function loads({ controllers, migrations }: FleetFacts): number[] {
  return controllers.map(({ id }) => migrations.filter(({ owner }) => owner === id).length);
}

describe("the share of a controller", () => {
  test("is even in the end and stays so, whatever it was before, and no migration moves needlessly", () => {
    const starts = fc.record({ n: fc.integer({ min: 1, max: 6 }), owners: fc.array(fc.integer({ min: -1, max: 5 })) });
    fc.assert(
      fc.property(starts, ({ n, owners }) => {
        const ids = "abcdef".slice(0, n);
        const owned = owners.map((owner, index) => migration(`m${index}`, owner < 0 ? undefined : ids[owner % n]));
        const start = facts(ids, owned);
        const { end, moves } = settle(start);
        const after = loads(end);
        expect(Math.max(...after) - Math.min(...after)).toBeLessThanOrEqual(1);
        const fair = Math.floor(owned.length / n);
        const surplus = loads(start).reduce((sum, load) => sum + Math.max(0, load - fair), 0);
        expect(moves).toBeLessThanOrEqual(surplus);
      }),
      { numRuns: 300 },
    );
  });

  test("what nobody runs goes to whoever runs the fewest, by one order for all", () => {
    const state = facts("ab", [migration("m1", "a"), migration("m3"), migration("m2"), migration("m4")]);
    expect(shareOf("a", state, any).claim).toEqual(["m3"]);
    expect(shareOf("b", state, any).claim).toEqual(["m2", "m4"]);
  });

  test.each<readonly [string, FleetFacts, (id: string) => boolean]>([
    ["a difference of one", facts("ab", [migration("m1", "a")]), any],
    ["busy with all of them", facts("ab", [migration("m1", "a"), migration("m2", "a")]), () => false],
    ["something unclaimed", facts("ab", [migration("m1", "a"), migration("m2", "a"), migration("m3")]), any],
    [
      "a taker that has only just come",
      facts("", [migration("m1", "a"), migration("m2", "a")], {
        controllers: [controller("a"), controller("b", { steady: false })],
      }),
      any,
    ],
    [
      "a taker without the servers",
      facts("", [migration("m1", "a"), migration("m2", "a")], {
        controllers: [controller("a"), controller("b", { backends: ["old"] })],
      }),
      any,
    ],
  ])("nothing is handed over: %s", (_, state, mayLeave) => {
    expect(shareOf("a", state, mayLeave).leave).toEqual([]);
  });

  test("one at a time is handed over, by whoever runs most", () => {
    const owned = [migration("m1", "a"), migration("m2", "a"), migration("m3", "b"), migration("m4", "b")];
    expect(shareOf("a", facts("abc", owned), (id) => id !== "m1").leave).toEqual(["m2"]);
    expect(shareOf("b", facts("abc", owned), any).leave).toEqual([]);
  });

  test("what is overdue is claimed by anybody that can: the one that it was left for does not", () => {
    const state = facts("ab", [migration("m1", "b"), migration("m2", undefined, { overdue: true })]);
    expect(shareOf("b", state, any).claim).toEqual(["m2"]);
  });

  test("under a leader that runs everything itself, as older versions do, everything is given up", () => {
    const state = facts("bc", [migration("m1", "b"), migration("m2")]);
    expect(shareOf("b", state, any)).toEqual({ claim: [], leave: ["m1"] });
    expect(shareOf("b", { ...state, leader: undefined }, any)).toEqual({ claim: [], leave: [] });
  });
});
