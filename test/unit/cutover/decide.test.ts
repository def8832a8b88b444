import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { deadlineIn } from "../../../src/base/deadline.ts";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { decideInStore, type Plan } from "../../../src/cutover/decide.ts";
import { migrationKey, readMigration, unchanged, withHistory } from "../../../src/cutover/journal.ts";
import type { SwitchPorts } from "../../../src/cutover/ports.ts";
import { LEADER_KEY } from "../../../src/rules/store-keys.ts";
import type { Compare, Store } from "../../../src/store/store.ts";
import { storeWith } from "./memory-store.ts";

/** The store with one transaction whose answer gets lost, before or after it is applied. */
function losingFirst(store: Store, applied: boolean): { readonly store: Store; readonly sent: () => number } {
  let sent = 0;
  const transact: Store["transact"] = async (conditions, writes) => {
    sent += 1;
    if (sent > 1) return await store.transact(conditions, writes);
    if (applied) await store.transact(conditions, writes);
    throw new SwitchyardError("STORE_OUTCOME_UNKNOWN", { what: "no answer" });
  };
  const lossy = new Proxy(store, {
    get: (target, name) => (name === "transact" ? transact : Reflect.get(target, name).bind(target)),
  });
  return { store: lossy, sent: () => sent };
}

const portsOf = (
  store: Store,
  leadership: readonly Compare[] = [],
  signal = new AbortController().signal,
): SwitchPorts =>
  ({ store, clock: systemClock, log: silentLogger, leadership: () => leadership, signal }) as unknown as SwitchPorts;

/** Appends one entry, once. */
const appendOnce: Plan<string> = (state) => {
  const { document } = state.migration;
  if (document.history.some(({ what }) => what === "mine")) return { done: "found" };
  const next = withHistory(document, { at: "", who: "x", what: "mine" });
  return {
    conditions: unchanged(state),
    writes: [{ put: migrationKey("m"), value: JSON.stringify(next) }],
    written: () => "written",
  };
};

describe("a decision in the store", () => {
  test.each([
    [true, "found", 1],
    [false, "written", 2],
  ])("is made once although its first answer is lost (applied: %s)", async (applied, expected, sends) => {
    const real = await storeWith();
    const { store, sent } = losingFirst(real, applied);
    expect(await decideInStore(portsOf(store), "m", appendOnce)).toBe(expected);
    expect(sent()).toBe(sends);
    const { document } = await readMigration(real, "m");
    expect(document.history.filter(({ what }) => what === "mine")).toHaveLength(1);
  });

  test("tells its plan once an outcome was unknown", async () => {
    const { store } = losingFirst(await storeWith(), false);
    const seen: boolean[] = [];
    await decideInStore(portsOf(store), "m", (state, unsure) => {
      seen.push(unsure);
      return appendOnce(state, unsure);
    });
    expect(seen).toEqual([false, true]);
  });

  test("is not made by a controller that leads no more, which learns that from it", async () => {
    const store = await storeWith();
    const decision = decideInStore(portsOf(store, [{ key: LEADER_KEY, revision: 5 }]), "m", appendOnce);
    await expect(decision).rejects.toMatchObject({ code: "CUTOVER_SUPERSEDED" });
  });

  test("goes on while the store is away, and ends with its deadline or its controller", async () => {
    const real = await storeWith();
    let away = true;
    const transact: Store["transact"] = async (conditions, writes) => {
      if (away) throw new SwitchyardError("STORE_UNAVAILABLE", { what: "away" });
      return await real.transact(conditions, writes);
    };
    const store = new Proxy(real, {
      get: (target, name) => (name === "transact" ? transact : Reflect.get(target, name).bind(target)),
    });
    const deadline = deadlineIn(systemClock, 60);
    await expect(decideInStore(portsOf(store), "m", appendOnce, { deadline })).rejects.toMatchObject({
      code: "TIMEOUT",
    });
    const stop = new AbortController();
    const stopped = decideInStore(portsOf(store, [], stop.signal), "m", appendOnce);
    setTimeout(() => stop.abort(), 30);
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    const patient = decideInStore(portsOf(store), "m", appendOnce);
    setTimeout(() => {
      away = false;
    }, 40);
    expect(await patient).toBe("written");
  });

  test("gives way to one that came first", async () => {
    const real = await storeWith();
    let first = true;
    const plan: Plan<string> = (state, unsure) => {
      const decision = appendOnce(state, unsure);
      if (!first || "done" in decision) return decision;
      first = false;
      const other = withHistory(state.migration.document, { at: "", who: "y", what: "other" });
      const beforeWrite = async (): Promise<void> => {
        await real.transact([], [{ put: migrationKey("m"), value: JSON.stringify(other) }]);
      };
      return { ...decision, beforeWrite };
    };
    expect(await decideInStore(portsOf(real), "m", plan)).toBe("written");
    const { document } = await readMigration(real, "m");
    expect(document.history.map(({ what }) => what)).toEqual(["created", "other", "mine"]);
  });
});
