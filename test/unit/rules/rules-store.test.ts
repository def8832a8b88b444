import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { initialRules, withArmed } from "../../../src/rules/rules-edits.ts";
import {
  changeRules,
  changeRulesTogether,
  ensureRules,
  readRules,
  writeIfRules,
} from "../../../src/rules/rules-store.ts";
import { RULES_KEY } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";
import type { Store } from "../../../src/store/store.ts";

const opened: Store[] = [];

async function openStore(): Promise<Store> {
  const store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
  opened.push(store);
  return store;
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

const arm = (migration: string) => (rules: Parameters<typeof withArmed>[0]) =>
  withArmed(rules, migration, { token: migration, tables: [`shop.${migration}`], newHome: "new" });

describe("the first rules", () => {
  test("are written once, and never over rules that are there", async () => {
    const store = await openStore();
    await expect(readRules(store)).rejects.toThrow("RULES_MISSING");
    const first = await ensureRules(store, "old");
    expect(first.rules).toEqual(initialRules("old"));
    expect(await ensureRules(store, "another")).toEqual(first);
  });
});

describe("changes of the rules by many at once", () => {
  test("are all made, each on what the one before has left", async () => {
    const store = await openStore();
    await ensureRules(store, "old");
    const names = Array.from({ length: 12 }, (_, i) => `m${i}`);
    await Promise.all(names.map((name) => changeRules(store, arm(name))));
    const { rules } = await readRules(store);
    expect(Object.keys(rules.armed).sort()).toEqual([...names].sort());
    expect(rules.generation).toBe(1 + names.length);
  });

  test("that give up write nothing", async () => {
    const store = await openStore();
    const before = await ensureRules(store, "old");
    expect(await changeRules(store, () => undefined)).toBeUndefined();
    expect(await readRules(store)).toEqual(before);
  });

  test("that always lose end with an error that says so", async () => {
    const store = await openStore();
    await ensureRules(store, "old");
    const losing = changeRulesTogether(store, async (rules) => {
      await changeRules(store, (present) => ({ ...present, generation: present.generation + 1 }));
      return { rules, conditions: [], writes: [] };
    });
    await expect(losing).rejects.toThrow("RULES_CONTENDED");
  });
});

describe("what is written together with the rules", () => {
  test("is written with them or not at all", async () => {
    const store = await openStore();
    await ensureRules(store, "old");
    await store.transact([], [{ put: "/journal", value: "1" }]);
    const stale = (await store.get("/journal"))?.revision ?? 0;
    await store.transact([], [{ put: "/journal", value: "2" }]);
    let asked = 0;
    const result = await changeRulesTogether(store, async (rules) => {
      asked++;
      // The first time a condition that no longer holds, then the true one.
      const revision = asked === 1 ? stale : ((await store.get("/journal"))?.revision ?? 0);
      return {
        rules: arm("m")(rules),
        conditions: [{ key: "/journal", revision }],
        writes: [{ put: "/journal", value: `switched ${asked}` }],
      };
    });
    expect(asked).toBe(2);
    const journal = await store.get("/journal");
    expect(journal?.value).toBe("switched 2");
    expect(journal?.revision).toBe(result?.revision);
  });
});

describe("a proxy that joins", () => {
  test("is not registered when the rules changed after it had read them", async () => {
    const store = await openStore();
    const read = await ensureRules(store, "old");
    await changeRules(store, arm("m"));
    const writes = [{ put: "/switchyard/proxies/p", value: "{}" }];
    expect(await writeIfRules(store, read.revision, writes)).toBe(false);
    expect(await store.get("/switchyard/proxies/p")).toBeUndefined();
    const again = await readRules(store);
    expect(await writeIfRules(store, again.revision, writes)).toBe(true);
  });
});

test("rules of a later version are not overwritten", async () => {
  const store = await openStore();
  await store.transact([], [{ put: RULES_KEY, value: '{"format":3}' }]);
  await expect(changeRules(store, arm("m"))).rejects.toThrow("STORE_FORMAT_NEWER");
  await expect(ensureRules(store, "old")).rejects.toThrow("STORE_FORMAT_NEWER");
  expect((await store.get(RULES_KEY))?.value).toBe('{"format":3}');
});
