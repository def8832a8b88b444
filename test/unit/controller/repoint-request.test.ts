import { describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { inspectProxies } from "../../../src/controller/repoint-checks.ts";
import { repointed, repointingOf } from "../../../src/controller/repoint-request.ts";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { OrderDocument } from "../../../src/cutover/order-document.ts";
import { PHASES } from "../../../src/cutover/phase.ts";
import type { ProxyDocument } from "../../../src/rules/proxy-document.ts";
import type { RulesDocument } from "../../../src/rules/rules-document.ts";
import { presentName, withRepointed } from "../../../src/rules/rules-edits.ts";
import { PROXIES_PREFIX } from "../../../src/rules/store-keys.ts";
import { EmbeddedStore } from "../../../src/store/embedded-store.ts";

function document(change: Partial<MigrationDocument> = {}): MigrationDocument {
  const one = { id: "m", phase: "running", source: "old", target: "new", sourceUuid: "u1", targetUuid: "u2" };
  const streams = { forward: { error: "it has gone" }, reverse: {} };
  return { ...one, streams, diffs: [{ direction: "forward" }], ...change } as unknown as MigrationDocument;
}
const order = (options: Record<string, unknown>): OrderDocument => ({ options }) as unknown as OrderDocument;
const ALLOWED = { created: true, copying: true, "catching-up": true, running: true, switched: true } as Record<
  string,
  boolean
>;

describe("an order to repoint", () => {
  test.each(PHASES)("in phase %s is taken, or refused with the reason", (phase) => {
    const ask = (): unknown => repointingOf(document({ phase }), order({ source: "old2" }));
    if (ALLOWED[phase]) expect(ask()).toMatchObject({ end: "source", from: "old", to: "old2", formerUuid: "u1" });
    else expect(ask).toThrow(/cannot be repointed: it is .*(wait|ended)/);
  });

  test("is refused while an attempt is not cleared away, and where it names both servers, none, or the other one", () => {
    const attempt = { kind: "switch" } as MigrationDocument["attempt"] & object;
    expect(() => repointingOf(document({ attempt }), order({ source: "x" }))).toThrow(/not cleared away/);
    expect(() => repointingOf(document(), order({ source: "x", target: "y" }))).toThrow(/one server/);
    expect(() => repointingOf(document(), order({}))).toThrow(/one server/);
    expect(() => repointingOf(document(), order({ source: "new" }))).toThrow(/is its target/);
  });

  test.each([
    ["running", { source: "x" }, true, "forward"],
    ["running", { target: "x" }, false, "forward"],
    ["switched", { source: "x" }, false, "reverse"],
    ["switched", { target: "x" }, true, "reverse"],
  ] as const)("in phase %s of %j knows whether that is the home", (phase, options, isHome, direction) => {
    expect(repointingOf(document({ phase }), order(options))).toMatchObject({ isHome, direction });
  });

  test("clears the error and what was compared, and leaves the other end alone", () => {
    const change = repointingOf(document(), order({ source: "old2" }));
    expect(repointed(document(), change, "u3")).toMatchObject({
      source: "old2",
      sourceUuid: "u3",
      target: "new",
      targetUuid: "u2",
      diffs: [],
      streams: { forward: {}, reverse: {} },
    });
  });
});

describe("a proxy that would send clients elsewhere than the repointed migration", () => {
  const change = { ...repointingOf(document(), order({ source: "old" })), other: "new" };
  const objectionsTo = async (servers: ProxyDocument["servers"], format = 3): Promise<readonly string[]> => {
    const store = await EmbeddedStore.open({ directory: undefined, clock: systemClock, log: silentLogger });
    const said = { id: "p", bootNonce: "n", version: "1", generation: 1, armed: {}, holds: {}, seenTogether: [] };
    const value = JSON.stringify({ format, ...said, accounts: [], servers });
    await store.transact([], [{ put: `${PROXIES_PREFIX}p`, value }]);
    const objections: string[] = [];
    await inspectProxies({ store }, change, { uuid: "u3", otherUuid: "u2" }, objections);
    await store.close();
    return objections;
  };

  test.each<[string, ProxyDocument["servers"], string]>([
    ["stays at the former server", { old: { newest: "u3", open: ["u1", "u3"] } }, 'server_uuid u1 as "old"'],
    ["knows the former server alone", { old: { newest: "u1", open: ["u1"] } }, 'server_uuid u1 as "old"'],
    ["is configured with another one", { old: { newest: "u9", open: [] } }, 'server_uuid u9 as "old"'],
    ["has another one for the other end", { new: { newest: "u9", open: [] } }, 'server_uuid u9 as "new"'],
  ])("is named where it %s", async (_, servers, what) => {
    const [objection, ...more] = await objectionsTo(servers);
    expect(objection).toContain(`proxy p reaches ${what}`);
    expect(objection).toMatch(/\n {2}Correct the host/);
    expect(more).toEqual([]);
  });

  test("is no objection where it reaches the new one, or has no connection left to the former", async () => {
    expect(await objectionsTo({ old: { newest: "u3", open: ["u3"] }, new: { newest: "u2", open: ["u2"] } })).toEqual(
      [],
    );
    expect(await objectionsTo({ old: { newest: "u1", open: [] } })).toEqual([]);
    expect(await objectionsTo({})).toEqual([]);
  });

  test("is named where its version does not tell", async () => {
    expect(await objectionsTo({}, 2)).toEqual([expect.stringContaining("proxy p registers in format 2")]);
  });
});

describe("the rules after a repointing", () => {
  const rules: RulesDocument = {
    format: 2,
    generation: 4,
    default: "old",
    tables: {
      "a.mine": { to: "old", migration: "m" },
      "a.done": { to: "old", migration: "done" },
      "a.other": { to: "old", migration: "other" },
      "a.moved": { to: "new", migration: "done" },
    },
    armed: {},
    holds: {},
    switchId: "",
    behind: { old: { views: {}, triggers: {}, routines: {} } },
  } as RulesDocument;

  test("lead all that lived on the former to the new one, but for tables whose own stream is not proven yet", () => {
    const next = withRepointed(rules, { from: "old", to: "old2" }, new Set(["other"]));
    expect(next).toMatchObject({ generation: 5, default: "old2", behind: { old2: { views: {} } } });
    expect(Object.values(next.tables).map(({ to }) => to)).toEqual(["old2", "old2", "old", "new"]);
    expect(presentName(next, "old")).toBe("old2");
  });

  test("know the way back as well, and whose address alone has changed", () => {
    const there = withRepointed(rules, { from: "old", to: "old2" }, new Set());
    const back = withRepointed(there, { from: "old2", to: "old" }, new Set());
    expect([presentName(back, "old"), presentName(back, "old2"), back.default]).toEqual(["old", "old", "old"]);
    expect(withRepointed(rules, { from: "old", to: "old" }, new Set())).toEqual({ ...rules, generation: 5 });
  });
});
