import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { endsOf } from "../../../src/cutover/attempt.ts";
import { gateRefused, refusals, runGate } from "../../../src/cutover/gate.ts";
import { readState } from "../../../src/cutover/journal.ts";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { GateFinding, HomeView, LockHolder, StreamHealth, SwitchPorts } from "../../../src/cutover/ports.ts";
import { DEFAULT_SWITCH_LIMITS, type FenceKind, type Insistence } from "../../../src/cutover/switch-options.ts";
import { NOTHING_TOLD } from "../../../src/rules/behind-limits.ts";
import type { ProxyDocument } from "../../../src/rules/proxy-document.ts";
import type { NamesBehind } from "../../../src/rules/rules-document.ts";
import { ALIVE_PREFIX, PROXIES_PREFIX } from "../../../src/rules/store-keys.ts";
import { storeWith } from "./memory-store.ts";

interface World {
  readonly migration: Partial<MigrationDocument>;
  readonly stream: Partial<StreamHealth>;
  /** How the stream is at each look, where that changes; as it was last from then on. */
  readonly looks: Partial<StreamHealth>[];
  readonly view: Partial<HomeView>;
  readonly proxies: readonly (Partial<ProxyDocument> & { readonly alive?: boolean })[];
  readonly diffOpen: boolean;
  readonly openTransactions: Insistence;
  readonly fence: FenceKind;
  readonly unreachable: boolean;
  readonly names: Readonly<Record<string, NamesBehind>>;
}

const HOLDER: LockHolder = {
  connectionId: "7",
  user: "cron",
  host: "h",
  tables: ["shop.items"],
  idle: true,
  waits: false,
  writes: false,
  seconds: 0,
  identity: "1",
  by: "transaction",
  ours: false,
  role: "",
  statement: "",
  program: "",
  client: "",
};

const QUICK: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * 1000 };

/** What the gate finds wrong in a world that is otherwise as it should be. */
async function wrong(world: Partial<World> = {}): Promise<readonly GateFinding[]> {
  const store = await storeWith(world.migration ?? {});
  for (const [index, { alive, ...said }] of (world.proxies ?? []).entries()) {
    const id = `p${index}`;
    const document = {
      format: 3,
      id,
      bootNonce: id,
      version: "1",
      generation: 1,
      armed: {},
      holds: {},
      seenTogether: [],
      accounts: [],
      servers: {},
      ...said,
    };
    await store.transact([], [{ put: PROXIES_PREFIX + id, value: JSON.stringify(document) }]);
    if (alive !== false) await store.transact([], [{ put: ALIVE_PREFIX + id, value: "{}" }]);
  }
  const view: Omit<HomeView, "serverUuid"> = {
    executed: () => Promise.resolve(""),
    holders: () => Promise.resolve([]),
    closedBy: () => Promise.resolve([]),
    standstill: () => Promise.resolve(undefined),
    autoIncrementSettings: () => Promise.resolve({ increment: "1", offset: "1" }),
    fences: () => Promise.resolve([]),
    connectionsOf: () => Promise.resolve([]),
    ...world.view,
  };
  const health: StreamHealth = { state: "running", lagMs: 5, drift: 0, ddl: 0, ...world.stream };
  const ports = {
    store,
    // What is waited for does not come, where a test does not say that it does.
    clock: world.looks === undefined ? QUICK : systemClock,
    namesBehind: () => Promise.resolve(world.names ?? {}),
    diffIsOpen: () => world.diffOpen === true,
    stream: () => ({ health: () => Promise.resolve({ ...health, ...world.looks?.shift() }) }),
    home: (backend: string) => ({
      ownUser: "mover",
      inspect: <T>(look: (seen: HomeView) => Promise<T>) =>
        world.unreachable
          ? Promise.reject(new Error("refused"))
          : look({ serverUuid: () => Promise.resolve(`uuid-${backend}`), ...view }),
    }),
  } as unknown as SwitchPorts;
  const state = await readState(store, "m");
  const ends = endsOf(state.migration.document, "switch");
  const { openTransactions = "wait", fence = "lock" } = world;
  const context = { ports, ends, limits: DEFAULT_SWITCH_LIMITS, openTransactions, fence, state };
  return (await runGate(context)).filter((finding) => !finding.ok);
}

const hoursAgo = (hours: number): string => new Date(Date.now() - hours * 3_600_000).toISOString();
const diff = { direction: "forward", verifiedAt: "", rows: 1, differences: 0 } as const;

describe("the gate of a switch", () => {
  test("opens when all is as it should be", async () => {
    expect(await wrong()).toEqual([]);
    expect(await wrong({ proxies: [{}, { generation: 2 }] })).toEqual([]);
  });

  test.each([
    ["newer", 4],
    ["older", 2],
  ])("does not open while a proxy of a %s format is registered, alive or not, and names it", async (_, format) => {
    for (const alive of [true, false]) {
      const other = { format, alive } as unknown as World["proxies"][number];
      const findings = await wrong({ proxies: [{}, other] });
      expect(findings.map(({ id, observed }) => `${id}: ${observed}`)).toEqual([
        `proxies-format: p1 in format ${format}`,
      ]);
      expect(refusals(findings, "whatever the reason"), "no reason lets it pass").toHaveLength(1);
    }
  });

  test("names the proxy that reaches another server, the home, and both servers; no reason lets it pass", async () => {
    const elsewhere = { newest: "uuid-other", open: ["uuid-other"] };
    const proxies = [
      { servers: { new: elsewhere, third: elsewhere } },
      { servers: { old: { newest: "uuid-before", open: [] } } },
    ];
    const findings = await wrong({ proxies });
    expect(findings.map(({ observed }) => observed)).toEqual([
      'proxy p0 reaches server_uuid uuid-other as "new", which is server_uuid uuid-new; ' +
        'proxy p1 reaches server_uuid uuid-before as "old", which is server_uuid uuid-old ' +
        "(by its last login: it has no connection there now, and learns more by the next)",
    ]);
    expect(refusals(findings, "whatever the reason")).toHaveLength(1);
    const unknown = await wrong({ migration: { targetUuid: "" }, proxies: proxies.slice(0, 1) });
    expect(
      unknown.map(({ id }) => id),
      "a journal that knows none",
    ).toEqual([]);
  });

  test("does not open unless forced where the proxies would refuse what the rules cannot list", async () => {
    const findings = await wrong({ names: { old: NOTHING_TOLD } });
    expect(findings.map(({ id }) => id)).toEqual(["names-behind"]);
    expect(refusals(findings, "nobody calls any")).toEqual([]);
  });

  test.each(["sourceUuid", "targetUuid"])(
    "does not open, whatever the reason, where an address leads to another server than the streams use (%s)",
    async (end) => {
      const findings = await wrong({ migration: { [end]: "uuid-before" } });
      expect(findings.map(({ id }) => id)).toEqual(["servers-known"]);
      expect(refusals(findings, "whatever the reason")).toHaveLength(1);
      expect(await wrong({ migration: { [end]: "" } }), "a journal that knows none").toEqual([]);
    },
  );

  test("says of a proxy of another version also what else stands in the way", async () => {
    const other = { format: 4 } as unknown as World["proxies"][number];
    const findings = await wrong({ proxies: [other], stream: { state: "paused" } });
    expect(findings.map(({ id }) => id).sort()).toEqual(["proxies-format", "stream-running"]);
  });

  test.each<readonly [string, Partial<World>, string]>([
    ["the stream has failed", { stream: { state: "failed", error: "E: gone" } }, "stream-running"],
    ["the stream is paused", { stream: { state: "paused" } }, "stream-running"],
    ["the stream is behind", { stream: { lagMs: 1001 } }, "stream-lag"],
    ["a row was not as expected", { stream: { drift: 1 } }, "drift"],
    ["a definition was changed", { stream: { ddl: 1 } }, "drift"],
    ["no diff was run", { migration: { diffs: [] } }, "diff-fresh"],
    [
      "the newest diff found differences",
      {
        migration: {
          diffs: [
            { ...diff, finishedAt: hoursAgo(2) },
            { ...diff, finishedAt: hoursAgo(1), differences: 3 },
          ],
        },
      },
      "diff-fresh",
    ],
    ["the diff is too old", { migration: { diffs: [{ ...diff, finishedAt: hoursAgo(25) }] } }, "diff-fresh"],
    [
      "the diff has just ended, but began too long ago",
      { migration: { diffs: [{ ...diff, verifiedTime: hoursAgo(25), finishedAt: hoursAgo(0) }] } },
      "diff-fresh",
    ],
    ["a diff is open", { diffOpen: true }, "diff-closed"],
    ["a proxy shows no sign of life", { proxies: [{ alive: false }] }, "proxies-alive"],
    ["a proxy has old rules", { proxies: [{ generation: 0 }] }, "proxies-current"],
    [
      "a proxy reaches another server under the name of the new home",
      { proxies: [{}, { servers: { new: { newest: "uuid-other", open: ["uuid-other"] } } }] },
      "proxies-servers",
    ],
    [
      "a connection of a proxy has stayed at a server that was the old home before",
      { proxies: [{ servers: { old: { newest: "uuid-old", open: ["uuid-before", "uuid-old"] } } }] },
      "proxies-servers",
    ],
    ["an application uses our account", { proxies: [{ accounts: ["app", "mover@10.0.0.1"] }] }, "accounts-own"],
    ["tables would be split", { proxies: [{ seenTogether: [["shop.items", "shop.stock"]] }] }, "tables-together"],
    ["a server does not answer", { unreachable: true }, "servers-reachable"],
    [
      "an old transaction keeps a table",
      { view: { holders: () => Promise.resolve([{ ...HOLDER, seconds: 3 }]) } },
      "long-transactions",
    ],
    [
      "a transaction is open and none is to be waited for",
      { openTransactions: "abort", view: { holders: () => Promise.resolve([{ ...HOLDER, seconds: 0 }]) } },
      "long-transactions",
    ],
    [
      "an old transaction that no proxy can end keeps a table",
      { openTransactions: "kill", view: { holders: () => Promise.resolve([{ ...HOLDER, seconds: 3 }]) } },
      "long-transactions",
    ],
  ])("stays shut when %s", async (_why, world, id) => {
    expect((await wrong(world)).map((finding) => finding.id)).toEqual([id]);
  });

  test.each([
    ["comes through a proxy and will be ended", "kill", { seconds: 30 }],
    ["may yet end in time", "wait", { seconds: 1 }],
    ["is a statement that comes and goes, though none is to be waited for", "abort", { seconds: 0, idle: false }],
  ] as const)("opens beside a transaction that %s", async (_why, openTransactions, holder) => {
    const holders = (): Promise<readonly LockHolder[]> => Promise.resolve([{ ...HOLDER, ...holder }]);
    const connectionsOf = (nonces: readonly string[]): Promise<readonly string[]> =>
      Promise.resolve(nonces.includes("p0") ? ["7"] : []);
    expect(await wrong({ openTransactions, proxies: [{}], view: { holders, connectionsOf } })).toEqual([]);
  });

  test.each([
    ["lock", { writes: false }, true],
    ["lock-read", { writes: false }, false],
    ["none", { writes: false }, false],
    ["lock-read", { writes: true }, true],
    ["none", { writes: true }, true],
    ["lock-read", { writes: false, connectionId: "7" }, true],
  ] as const)("with the fence %s lets only readers past the proxies stay: %j", async (fence, holder, found) => {
    const holders = () => Promise.resolve([{ ...HOLDER, connectionId: "8", seconds: 3, ...holder }]);
    const connectionsOf = (nonces: readonly string[]) => Promise.resolve(nonces.includes("p0") ? ["7"] : []);
    const findings = await wrong({ fence, proxies: [{}], view: { holders, connectionsOf } });
    expect(findings.some(({ id }) => id === "long-transactions")).toBe(found);
  });

  test("does not open unless forced where nothing would keep out who comes past the proxies, and says so", async () => {
    const findings = await wrong({ fence: "none" });
    expect(findings.map(({ id, observed }) => `${id}: ${observed}`)).toEqual([
      expect.stringMatching(/^fence: --fence=none: writes past the proxies go on there .* shown as strays$/),
    ]);
    expect(refusals(findings, undefined)).toHaveLength(1);
    expect(refusals(findings, "nobody goes past them")).toEqual([]);
  });

  test.each<readonly [string, Partial<LockHolder>]>([
    ["whose lock of all tables keeps every write waiting", { by: "global read lock" }],
    ["whose lock keeps fences from being put up", { by: "backup lock" }],
    ["who has locked the new home's tables", { by: "table lock" }],
    ["who has written to the new home's tables and stays", { writes: true, seconds: 60 }],
  ])("names somebody else %s, and none of our own", async (_why, holder) => {
    const held = (ours: boolean) => ({ holders: () => Promise.resolve([{ ...HOLDER, ...holder, ours }]) });
    const [finding] = (await wrong({ view: held(false) })).filter(({ id }) => id === "server-locks");
    expect(finding?.observed).toContain("connection 7 cron@h");
    expect((await wrong({ view: held(true) })).filter(({ id }) => id === "server-locks")).toEqual([]);
  });

  test("stays shut where a server's commits stand still, in the words of the server", async () => {
    const standstill = () => Promise.resolve("1 commit has stood still for 9 s: Disk is full");
    const findings = await wrong({ view: { standstill } });
    expect(findings).toMatchObject([
      { id: "commits-go-through", observed: expect.stringMatching(/^old: 1 commit.*; new: 1 commit.* Disk is full$/) },
    ]);
  });

  test("stays shut when the servers count differently", async () => {
    let calls = 0;
    const autoIncrementSettings = (): Promise<{ increment: string; offset: string }> =>
      Promise.resolve({ increment: "2", offset: String(++calls) });
    expect((await wrong({ view: { autoIncrementSettings } })).map(({ id }) => id)).toEqual(["auto-increment-settings"]);
  });

  test("waits for a stream that has only just begun, as one has right after a switch", async () => {
    const looks = [
      { state: "copying", lagMs: Number.POSITIVE_INFINITY },
      { state: "catching-up", lagMs: Number.POSITIVE_INFINITY },
      { state: "catching-up", lagMs: 1200 },
      { state: "running", lagMs: 1003 },
    ] as const;
    expect(await wrong({ looks: [...looks] })).toEqual([]);
  });

  test("does not wait for a stream that has far to go", async () => {
    const looks = [{ state: "catching-up", lagMs: 3_600_000 } as const];
    expect((await wrong({ looks })).map(({ id }) => id)).toEqual(["stream-running", "stream-lag"]);
  });

  test("lets a reason stand in for a diff, and for nothing that keeps writes safe", async () => {
    const findings = await wrong({ migration: { diffs: [] }, stream: { state: "failed", drift: 2 }, diffOpen: true });
    expect(
      refusals(findings, "checked by hand")
        .map(({ id }) => id)
        .sort(),
    ).toEqual(["diff-closed", "stream-running"]);
    expect(refusals(findings, undefined)).toHaveLength(4);
  });

  test("says in one error what was observed, what was expected and what to do", async () => {
    const findings = await wrong({ stream: { lagMs: 41_200 } });
    const ends = endsOf((await readState(await storeWith(), "m")).migration.document, "switch");
    const { message, code } = gateRefused(ends, findings);
    expect(code).toBe("CUTOVER_GATE_REFUSED");
    expect(message).toMatch(
      /41200 ms behind; expected at most 1000 ms\. Wait until .*Nothing was changed; writes go to old\./s,
    );
  });
});
