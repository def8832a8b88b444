import { describe, expect, test } from "vitest";
import { parseOrder } from "../../../src/controller/order-journal.ts";
import { pausedStatus } from "../../../src/controller/paused-watch.ts";
import { parseMigration, readMigration } from "../../../src/cutover/journal.ts";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import { listProxies } from "../../../src/cutover/proxy-view.ts";
import { type DocumentKind, readCurrent, upgradeStored } from "../../../src/rules/document-format.ts";
import { MIGRATION_KIND, PROXY_KIND, RULES_KIND, upgradeDocuments } from "../../../src/rules/document-kinds.ts";
import { parseProxyDocument } from "../../../src/rules/proxy-codec.ts";
import { parseRules, serializeRules } from "../../../src/rules/rules-codec.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import { initialRules } from "../../../src/rules/rules-edits.ts";
import { MIGRATIONS_PREFIX, ORDERS_PREFIX, PROXIES_PREFIX, RULES_KEY } from "../../../src/rules/store-keys.ts";
import type { Store } from "../../../src/store/store.ts";
import { migrationDocument, storeWith } from "../cutover/memory-store.ts";

/** A kind that has come to its third format: a name became a list of names, and the list got another word. */
const THIRD: DocumentKind = {
  name: "a sample",
  format: 3,
  steps: {
    1: ({ name, ...rest }) => ({ ...rest, format: 2, names: [name] }),
    2: ({ names, ...rest }) => ({ ...rest, format: 3, people: names }),
  },
  codes: { newer: "STORE_FORMAT_NEWER", malformed: "RULES_MALFORMED" },
};

const entry = (value: string): { key: string; value: string; revision: number } => ({ key: "k", value, revision: 1 });
const READERS: readonly (readonly [string, (text: string) => unknown])[] = [
  ["the rules", parseRules],
  ["a proxy's registration", parseProxyDocument],
  ["a migration's journal", (text) => parseMigration(entry(text))],
  ["an order", (text) => parseOrder(entry(text))],
];

describe.each(READERS)("%s", (_, read) => {
  test("of the next format is refused before anything in it is looked at", () => {
    expect(() => read(`{"format":4,"phase":7,"tables":"of another shape"}`)).toThrow(/_FORMAT_NEWER: .* has format 4/);
  });

  test.each(['{"id":"m"}', '{"format":"1"}', '{"format":1.5}', '{"format":-1}', '{"format":0}', "[]", "null", "{"])(
    "that says %s is not guessed at",
    (text) => {
      expect(() => read(text)).toThrow(/RULES_MALFORMED|CUTOVER_DOCUMENT_INVALID/);
    },
  );
});

describe("a document of an older format", () => {
  test("is read as if it were of the present one, step by step", () => {
    const present = { format: 3, id: "x", people: ["ann"] };
    expect(readCurrent(THIRD, "k", '{"format":1,"id":"x","name":"ann"}')).toEqual(present);
    expect(readCurrent(THIRD, "k", '{"format":2,"id":"x","names":["ann"]}')).toEqual(present);
    expect(readCurrent(THIRD, "k", JSON.stringify(present))).toEqual(present);
    expect(() => readCurrent(THIRD, "k", '{"format":0}')).toThrow("RULES_MALFORMED");
  });

  test("is written in the present one once, by whoever comes first, and one that changed meanwhile is looked at again", async () => {
    const store = await storeWith();
    const put = (key: string, value: object): Promise<unknown> =>
      store.transact([], [{ put: key, value: JSON.stringify(value) }]);
    await put("/s/a", { format: 1, name: "ann" });
    await put("/s/b", { format: 2, names: ["ben"] });
    await put("/s/c", { format: 3, people: ["cat"] });
    const before = (await store.get("/s/c"))?.revision;
    let raced = false;
    const racing: Store = Object.create(store, {
      transact: {
        value: async (...args: Parameters<Store["transact"]>) => {
          if (!raced) await put("/s/a", { format: 1, name: "amy" });
          raced = true;
          return await store.transact(...args);
        },
      },
      list: { value: (prefix: string) => store.list(prefix) },
      get: { value: (key: string) => store.get(key) },
    });
    const counts = await Promise.all([upgradeStored(racing, THIRD, "/s/"), upgradeStored(store, THIRD, "/s/")]);
    expect(counts.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(3);
    const values = (await store.list("/s/")).entries.map(({ value }) => JSON.parse(value) as unknown);
    expect(values).toEqual([
      { format: 3, people: ["amy"] },
      { format: 3, people: ["ben"] },
      { format: 3, people: ["cat"] },
    ]);
    expect((await store.get("/s/c"))?.revision, "what is of the present format is not written").toBe(before);
  });

  test("whose step does not lead to the next format is a fault of the program, and is not written", () => {
    const wrong: DocumentKind = { ...THIRD, steps: { 1: (document) => document } };
    expect(() => readCurrent(wrong, "k", '{"format":1}')).toThrow("INTERNAL_INVARIANT");
  });
});

describe("a store that a newer version has written to", () => {
  test.each([RULES_KEY, `${MIGRATIONS_PREFIX}m2`, `${ORDERS_PREFIX}o1`])(
    "is not led by this one, and stays as it is: %s",
    async (key) => {
      const store = await storeWith();
      await store.transact([], [{ put: key, value: '{"format":9}' }]);
      const before = await store.list("/switchyard/");
      await expect(upgradeDocuments(store)).rejects.toThrow(/_FORMAT_NEWER/);
      expect(await store.list("/switchyard/")).toEqual(before);
    },
  );

  test("is not switched while one of its proxies is of the newer version", async () => {
    const store = await storeWith();
    await store.transact([], [{ put: `${PROXIES_PREFIX}p9`, value: '{"format":4,"id":"p9"}' }]);
    await expect(listProxies(store)).rejects.toThrow(
      "CUTOVER_PROXY_FORMAT: proxy p9 registers in format 4, and this version in 3",
    );
  });
});

describe("what stands behind names, and when sessions are ended, came with the second format of the rules", () => {
  const endsSessions: RulesDocument = {
    ...initialRules("old"),
    armed: { m: { token: "t", tables: ["shop.orders"], newHome: "new", endPinnedAfterMs: 150 } },
    holds: {
      m: { token: "t", tables: ["shop.orders"], ttlMs: 1, oldHome: "old", newHome: "new", endOpenAfterMs: 1 },
    },
    behind: { old: { views: { "shop.v": ["shop.orders"] }, triggers: {}, routines: {} } },
  };

  test("so that an older program refuses them, and does not pass over what it does not know", () => {
    const older = (kind: DocumentKind): DocumentKind => ({ ...kind, format: 1, steps: {} });
    const text = serializeRules(endsSessions);
    expect(() => readCurrent(older(RULES_KIND), "the rules", text)).toThrow(
      "STORE_FORMAT_NEWER: the rules has format 2; this version reads up to 1",
    );
    expect(parseRules(text)).toEqual(endsSessions);
  });

  test("and what the first says is kept as it is, in the present one, by whoever leads", async () => {
    const store = await storeWith();
    const first = initialRules("old");
    await store.transact([], [{ put: RULES_KEY, value: JSON.stringify({ ...first, format: 1, generation: 5 }) }]);
    expect(parseRules((await store.get(RULES_KEY))?.value ?? "")).toEqual({ ...first, generation: 5 });
    await upgradeDocuments(store);
    expect(JSON.parse((await store.get(RULES_KEY))?.value ?? "")).toEqual({ ...first, format: 2, generation: 5 });
  });

  test("and no switch asks a proxy that would not know of them", async () => {
    const store = await storeWith();
    await store.transact([], [{ put: `${PROXIES_PREFIX}p1`, value: '{"format":1,"id":"p1"}' }]);
    await expect(listProxies(store)).rejects.toThrow(
      `CUTOVER_PROXY_FORMAT: proxy p1 registers in format 1, and this version in ${PROXY_KIND.format}`,
    );
  });
});

describe("tuning, the replica that was copied from, and when a stream was paused came with the second format of journals", () => {
  const told: MigrationDocument = {
    ...migrationDocument(),
    tuning: { limits: { throttleSpeedPercent: 10 }, readFrom: "r1" },
    copiedFrom: ["r1"],
    streams: { forward: { paused: { by: "ann", reason: "r", at: "2026-01-01T00:00:00.000Z", lagMs: 5 } }, reverse: {} },
  };

  test("so that an older controller refuses them, and does not copy faster, or prove by other rows, than it was told", () => {
    const older: DocumentKind = { ...MIGRATION_KIND, format: 1, steps: {} };
    const text = JSON.stringify(told);
    expect(() => readCurrent(older, "m", text)).toThrow("CUTOVER_FORMAT_NEWER: m has format 3");
    expect(parseMigration(entry(text))).toEqual(told);
  });

  test("and an older journal is taken over as it is, a pause of unknown age included, and written so by whoever leads", async () => {
    const streams = { forward: { paused: { by: "ann", reason: "r" } }, reverse: {} };
    const first = { ...migrationDocument(), format: 1, streams };
    const store = await storeWith(first as unknown as Partial<MigrationDocument>);
    const present = { ...first, format: 3, onDdl: "stop" };
    expect((await readMigration(store, "m")).document).toEqual(present);
    await upgradeDocuments(store);
    expect(JSON.parse((await store.get(`${MIGRATIONS_PREFIX}m`))?.value ?? "")).toEqual(present);
    const known = { now: new Date(), knownForMs: 0 };
    const paused = present.streams.forward.paused;
    expect(pausedStatus(paused, known, { retentionMs: 1, spaceBytes: undefined }).unsure).toBeDefined();
  });
});
