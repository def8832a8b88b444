import { describe, expect, test } from "vitest";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { OrderDocument } from "../../../src/cutover/order-document.ts";
import { STATES, type StateCode } from "../../../src/doctor/catalogue.ts";
import { diagnose, inBoth } from "../../../src/doctor/diagnose.ts";
import type { Facts, ServerFacts, StoreFacts } from "../../../src/doctor/facts.ts";
import { factsAt, fence, homeAt, mixed, NEW, OLD, proxy, TIMES, type Time } from "./sound-facts.ts";

type Change = (facts: Facts) => Facts;

const store =
  (change: (store: StoreFacts) => Partial<StoreFacts>): Change =>
  (facts) => ({ ...facts, store: { ...facts.store, ...change(facts.store) } });

const rules = (change: Partial<NonNullable<StoreFacts["rules"]>["document"]>): Change =>
  store(({ rules: read }) => ({ rules: { revision: 50, document: { ...required(read).document, ...change } } }));

const journal = (change: Partial<MigrationDocument>): Change =>
  store(({ migrations }) => ({
    migrations: migrations.map((one) => ({ ...one, document: { ...one.document, ...change } })),
  }));

const server =
  (name: "old" | "new", change: (server: ServerFacts) => Partial<ServerFacts>): Change =>
  (facts) => {
    const found = required(facts.servers[name]) as ServerFacts;
    return { ...facts, servers: { ...facts.servers, [name]: { ...found, ...change(found) } } };
  };

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the fixture lacks it");
  return value;
}

const both =
  (...changes: readonly Change[]): Change =>
  (facts) =>
    changes.reduce((changed, change) => change(changed), facts);

const attempt = { token: "t9", kind: "switch", startedAt: "then", who: "me" } as const;
const armed = { token: "t9", tables: ["shop.orders"], newHome: "new" };
const retoken = (direction: string, token: string): Change =>
  server(direction === "forward" ? "new" : "old", ({ ledger }) => ({
    ledger: ledger.map((row) => (row.direction === direction ? { ...row, startToken: token } : row)),
  }));

const seal = (name: "old" | "new", sealedBy: string): Change =>
  server(name, ({ ledger }) => ({ ledger: ledger.map((row) => ({ ...row, sealedBy })) }));

/** By state: what brings it about, from when on, and which kind of repair must be offered. */
const CASES: Readonly<Record<StateCode, readonly [at: Time, change: Change, repair?: string]>> = {
  "document-unreadable": ["running", store(() => ({ unreadable: [{ key: "/switchyard/orders/x", why: "no JSON" }] }))],
  "key-unknown": ["running", store(() => ({ unknownKeys: ["/switchyard/other"] }))],
  "store-empty": ["running", store(() => ({ ...factsAt("before").store }))],
  "store-elsewhere": ["running", (facts) => ({ ...facts, otherStore: { where: "data", migrations: 1 } })],
  "rules-missing": ["running", store(() => ({ rules: undefined }))],
  "rules-older": ["running", store(() => ({ proxies: [proxy("p1", 99)] }))],
  "rules-of-another-switch": ["switched", rules({ switchId: "other" })],
  "default-differs": ["running", rules({ default: "new" })],
  "backend-unknown": ["running", (facts) => ({ ...facts, config: { ...facts.config, backends: ["old"] } })],
  "home-against-journal": ["switched", both(journal({ phase: "running" }))],
  "homes-split": [
    "running",
    rules({ tables: { "shop.items": { to: "old", migration: "m" }, "shop.orders": { to: "new", migration: "m" } } }),
  ],
  "journal-missing": ["running", store(() => ({ migrations: [] }))],
  "phase-without-attempt": ["running", journal({ phase: "switching" })],
  "attempt-unattended": [
    "running",
    both(
      journal({ phase: "switching", attempt }),
      store(() => ({ runners: {} })),
    ),
  ],
  "hold-without-attempt": [
    "running",
    rules({ holds: { m: { token: "t9", tables: [], ttlMs: 1, oldHome: "old", newHome: "new" } } }),
    "store",
  ],
  "arming-without-attempt": ["running", rules({ armed: { m: armed } }), "store"],
  "claim-missing": ["running", store(({ claims }) => ({ claims: claims.slice(1) })), "store"],
  "claim-of-another": [
    "running",
    store(({ claims }) => ({ claims: claims.map((claim, at) => (at === 0 ? { ...claim, migration: "x" } : claim)) })),
  ],
  "claim-orphan": [
    "running",
    store(({ claims }) => ({
      claims: [...claims, { key: "/switchyard/claims/u/a.b", uuid: "u", table: "a.b", migration: "x", revision: 3 }],
    })),
    "store",
  ],
  "controller-absent": ["running", store(() => ({ controllers: [], runners: {} }))],
  "migration-unattended": ["running", store(() => ({ runners: {} }))],
  "order-waiting": [
    "running",
    store(() => ({
      orders: [
        {
          ...{ format: 1, id: "o", command: "switch", migration: "m", options: {}, who: "me", steps: [] },
          ...{ state: "pending", at: "2026-11-28T00:00:00Z" },
        } as StoreFacts["orders"][number],
      ],
    })),
  ],
  "proxy-silent": ["running", store(() => ({ alive: [] }))],
  "proxy-behind": ["running", store(() => ({ proxies: [proxy("p1", 1)] }))],
  "proxy-elsewhere": [
    "running",
    store(() => ({ proxies: [{ ...proxy("p1", 3), servers: { old: { newest: NEW, open: [] } } }] })),
  ],
  "stream-stopped": ["running", journal({ streams: { forward: { error: "STREAM_X: gone" }, reverse: {} } })],
  "server-unreachable": [
    "running",
    (facts) => ({ ...facts, servers: { ...facts.servers, new: { unreachable: "refused" } } }),
  ],
  "server-unseen": ["running", server("old", () => ({ unseen: ["triggers"] }))],
  "server-changed": ["running", server("new", () => ({ uuid: "cccccccc-0000-0000-0000-000000000003" }))],
  "servers-same": ["running", server("new", () => ({ uuid: OLD }))],
  "home-read-only": ["running", server("old", () => ({ readOnly: true }))],
  "follower-read-only": ["running", server("new", () => ({ readOnly: true, superReadOnly: true }))],
  "tables-missing": ["running", server("new", () => ({ tables: new Set(["shop.items"]) }))],
  "server-restored": ["switched", server("old", () => ({ executed: `${OLD}:1-100` }))],
  "fence-on-home": ["running", server("old", () => ({ triggers: fence("t0") }))],
  "fence-missing": ["switched", server("old", ({ triggers }) => ({ triggers: triggers.slice(1) })), "install-fence"],
  "fence-of-another-attempt": ["switched", server("old", () => ({ triggers: fence("t0") }))],
  "fence-stops-stream": [
    "switched",
    server("old", ({ triggers }) => ({ triggers: triggers.map((one) => ({ ...one, letsUsPass: false })) })),
  ],
  "fence-orphan": [
    "running",
    both(
      server("old", () => ({ triggers: fence("t0", "ghost") })),
      server("new", () => ({ tables: new Set() })),
    ),
    "drop-triggers",
  ],
  "guard-left": ["running", server("old", () => ({ triggers: fence("t0", "m", "guard") })), "drop-triggers"],
  "session-left": [
    "running",
    server("old", () => ({ locks: [{ name: "switchyard:m", connectionId: "9", user: "switchyard" }] })),
    "kill",
  ],
  "sidecar-foreign": ["running", server("old", () => ({ sidecar: new Map([["ledger", 9]]) }))],
  "sidecar-orphan": ["running", server("new", ({ traces }) => ({ traces: [...traces, "ghost"] })), "drop-sidecar-rows"],
  "sidecar-ended": ["completed", server("new", () => ({ traces: ["m"] }))],
  "ledger-missing": ["running", server("new", () => ({ ledger: [] }))],
  "ledger-torn": [
    "running",
    server("new", ({ ledger }) => ({ ledger: ledger.map((row, at) => ({ ...row, epoch: String(at) })) })),
  ],
  "ledger-of-another-attempt": ["switched", retoken("reverse", "t0")],
  "ledger-sealed": ["running", seal("new", "t9"), "unseal-ledger"],
  "ledger-open-twice": ["switched", retoken("forward", ""), "retire-ledger"],
  "ledger-follows-another": [
    "running",
    server("new", ({ ledger }) => ({ ledger: ledger.map((row) => ({ ...row, sourceUuid: NEW })) })),
  ],
  "followed-lost-writes": ["running", server("old", () => ({ executed: `${OLD}:1-50` }))],
  "log-purged": ["running", server("old", () => ({ purged: `${OLD}:1-199` }))],
  "applier-left": [
    "running",
    server("old", () => ({ appliers: [{ stream: "m/reverse", connectionId: "8" }] })),
    "kill",
  ],
};

describe("a diagnosis", () => {
  test.each(TIMES)("finds nothing where store and servers are all as they should be: %s", (time) => {
    expect(diagnose(factsAt(time))).toEqual([]);
  });

  test.each(Object.entries(CASES))("tells %s, and offers what is safe", (code, [at, change, repair]) => {
    const findings = diagnose(change(factsAt(at)));
    const finding = findings.find((one) => one.code === code);
    expect(finding, JSON.stringify(findings.map((one) => one.code))).toBeDefined();
    expect(finding?.repair?.kind).toBe(repair);
    expect(finding?.severity).toBe(STATES[code as StateCode].severity);
  });

  test("claims a fix in the catalogue for just those states that can bear one", () => {
    const offered = Object.entries(CASES).filter(([, [, , repair]]) => repair !== undefined);
    const claimed = Object.entries(STATES).filter(([, { repair }]) => repair === "fix");
    expect(offered.map(([code]) => code).sort()).toEqual(claimed.map(([code]) => code).sort());
  });

  test("leaves a replica alone: what it bears came from its source, and a write there would be its own", () => {
    const ghost: Change = server("new", () => ({
      replica: true,
      traces: ["m", "ghost"],
      triggers: fence("t0", "ghost"),
    }));
    expect(diagnose(ghost(factsAt("running")))).toEqual([]);
  });

  test("removes no rows whose migration may have more there, which the account may not see", () => {
    const ghost: Change = server("new", ({ traces }) => ({
      traces: [...traces, "ghost"],
      unseen: ["connection attributes"],
    }));
    const orphan = diagnose(ghost(factsAt("running"))).find(({ code }) => code === "sidecar-orphan");
    expect(orphan).toMatchObject({ advice: expect.stringContaining("connection attributes of new") });
    expect(orphan?.repair).toBeUndefined();
  });

  /** A store of its own, and the same server: nothing here can tell it from what was left. */
  test("ends nothing and removes nothing of a migration that another installation may have", () => {
    const ghosts: readonly Change[] = [
      server("new", ({ traces }) => ({
        traces: [...traces, "ghost"],
        appliers: [{ stream: "ghost/forward", connectionId: "8" }],
      })),
      server("new", ({ traces }) => ({
        traces: [...traces, "ghost"],
        locks: [{ name: "switchyard:ghost", connectionId: "9", user: "switchyard" }],
      })),
    ];
    for (const ghost of ghosts) {
      const found = diagnose(ghost(factsAt("running")));
      expect(found).toHaveLength(2);
      expect(found.filter(({ repair }) => repair !== undefined)).toEqual([]);
    }
  });

  test("leaves the session of a cancel or complete that is still at work alone", () => {
    const facts = CASES["session-left"][1](factsAt("running"));
    const running = { migration: "m", command: "migration-cancel", state: "running" } as unknown as OrderDocument;
    const store = { ...facts.store, orders: [running] };
    expect(diagnose({ ...facts, store }).map(({ code }) => code)).not.toContain("session-left");
  });

  test("leaves alone what a controller has in hand", () => {
    const facts = both(
      journal({ phase: "switching", attempt }),
      rules({ armed: { m: armed } }),
      server("old", () => ({ locks: [{ name: "switchyard:m", connectionId: "9", user: "switchyard" }] })),
      server("new", ({ ledger }) => ({ ledger: ledger.map((row) => ({ ...row, epoch: "99" })) })),
    )(factsAt("running"));
    expect(diagnose(facts)).toEqual([]);
  });

  test("keeps only what a second look still shows", () => {
    const first = diagnose(CASES["proxy-behind"][1](factsAt("running")));
    const second = diagnose(CASES["guard-left"][1](factsAt("running")));
    expect(inBoth(first, second)).toEqual([]);
    expect(inBoth(second, second)).toEqual(second);
  });
});

/** Store, old and new server, each from any time of one migration's life: 216 ways to restore backups in part. */
const RESTORED = TIMES.flatMap((ofStore) =>
  TIMES.flatMap((ofOld) => TIMES.map((ofNew) => [ofStore, ofOld, ofNew] as const)),
);

describe("a backup that was restored in part", () => {
  const newest = (times: readonly Time[]): Time =>
    required(times.toSorted((a, b) => TIMES.indexOf(b) - TIMES.indexOf(a))[0]);

  test("goes unseen only where nothing is left that could show it, and what is served is right", () => {
    const unseen = RESTORED.filter((times) => new Set(times).size > 1 && diagnose(mixed(...times)).length === 0);
    expect(unseen).toEqual([
      // All that is left of the migration is a table that the store does not know.
      ["before", "before", "completed"],
      // The home is right. What the old server lacks since its backup is for a diff to find.
      ["switched", "switched", "switched-again"],
      // The home is right; a completed migration claims nothing of the server that it has left.
      ["completed", "before", "completed"],
    ]);
  });

  test("has no fence taken off a server that the tables had left, and no stream retired that is in force", () => {
    const harmful = RESTORED.flatMap((times) => {
      const home = homeAt(newest(times));
      return [mixed(...times), withAnother(mixed(...times))].flatMap(diagnose).flatMap(({ code, repair }) => {
        if (repair === undefined || repair.kind === "store") return [];
        const opens = repair.kind === "drop-triggers" && repair.of === "fence" && repair.backend !== home;
        const shuts = repair.kind === "install-fence" && repair.backend === home;
        const stops = repair.kind === "retire-ledger" && repair.backend !== home;
        return opens || shuts || stops ? [`${times.join(" ")}: ${code}`] : [];
      });
    });
    // Of the migration nothing is left but one copy of the tables: whatever was newer is lost already.
    expect(harmful).toEqual(["before completed before: fence-orphan"]);
  });

  test("has no seal taken off where the tables may have moved by that attempt, nor one of a switch under way named", () => {
    const sealedAt = (facts: Facts): readonly unknown[] =>
      diagnose(facts).filter(({ code }) => code === "ledger-sealed");
    const underWay = both(seal("new", "t9"), journal({ phase: "switching", attempt }))(factsAt("running"));
    expect(sealedAt(underWay)).toEqual([]);
    // The new home is of the moment before its switch, the store of before or after; the old home has been left since.
    const repaired = RESTORED.filter((times) =>
      diagnose(seal("new", "t1")(mixed(...times))).some(({ repair }) => repair?.kind === "unseal-ledger"),
    );
    expect(repaired.filter((times) => homeAt(newest(times)) === "new")).toEqual([]);
  });

  test("has no rows of a sidecar removed that show where tables have moved", () => {
    const harmful = RESTORED.filter((times) =>
      diagnose(withAnother(mixed(...times))).some(({ repair }) => repair?.kind === "drop-sidecar-rows"),
    );
    // There it has not more than heartbeats from before the first switch, which show nothing.
    expect(harmful.filter((times) => times.some((time) => homeAt(time) === "new"))).toEqual([
      ["before", "running", "completed"],
    ]);
  });
});

/** The store knows another migration that has ended, so it is not taken for an empty one. */
function withAnother(facts: Facts): Facts {
  const [ended] = factsAt("completed").store.migrations;
  const document = { ...required(ended).document, id: "other", tables: [], generation: 0 };
  return store(({ migrations }) => ({ migrations: [...migrations, { document, revision: 7 }] }))(facts);
}
