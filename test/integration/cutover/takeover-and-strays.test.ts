import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { Failpoint } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { forgetProxy } from "../../../src/cutover/forget-proxy.ts";
import { readMigration } from "../../../src/cutover/journal.ts";
import { MysqlSession } from "../../../src/cutover/mysql-session.ts";
import type { StreamPort, SwitchPorts } from "../../../src/cutover/ports.ts";
import { withServerConnections } from "../../../src/cutover/server-connections.ts";
import { settle } from "../../../src/cutover/settle.ts";
import { runSwitch } from "../../../src/cutover/switch.ts";
import {
  DEFAULT_SWITCH_LIMITS,
  FENCES,
  type FenceKind,
  type SwitchOptions,
} from "../../../src/cutover/switch-options.ts";
import type { SwitchOutcome } from "../../../src/cutover/switch-outcome.ts";
import type { Connection } from "../../../src/mysql/connection.ts";
import type { ProxyDocument } from "../../../src/rules/proxy-document.ts";
import { homeOf } from "../../../src/rules/rules-edits.ts";
import { readRules } from "../../../src/rules/rules-store.ts";
import { ALIVE_PREFIX, PROXIES_PREFIX } from "../../../src/rules/store-keys.ts";
import type { Store } from "../../../src/store/store.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { storeWith } from "../../unit/cutover/memory-store.ts";
import { app, closeAll, errnoOf, homeOn, pendingLocks, prepareServer, TABLES, uuidOf } from "./fenced-server.ts";

const TOKEN = "t9";
const INSERT = "INSERT INTO shop.items (a) VALUES (1)";

describe("a switch between real servers", () => {
  let servers: { old: TestServer; new: TestServer };
  let store: Store;
  let calls: string[];

  beforeAll(async () => {
    servers = await startServers(["old", "new"]);
    await Promise.all([prepareServer(servers.old), prepareServer(servers.new)]);
  }, 120_000);
  afterAll(() => stopServers(servers));
  beforeEach(async () => {
    calls = [];
    const [sourceUuid, targetUuid] = await Promise.all([uuidOf(servers.old), uuidOf(servers.new)]);
    store = await storeWith({ tables: TABLES, sourceUuid, targetUuid });
    for (const server of [servers.old, servers.new]) {
      const cleaner = await homeOn(server, "m").open({ takeOver: "kill-holder" });
      await cleaner.dropFences("clean");
      await cleaner.close();
    }
  });

  /** Streams are no part of what is tested here: they have applied everything, always. */
  const stream = (direction: string): StreamPort => {
    const did = (what: string) => () => {
      calls.push(`${what} ${direction}`);
      return Promise.resolve();
    };
    return {
      health: () => Promise.resolve({ state: "running", lagMs: 1, drift: 0, ddl: 0 }),
      stopAt: did("stop"),
      seal: async () => {
        calls.push(`seal ${direction}`);
        const target = direction === "forward" ? servers.new : servers.old;
        return await homeOn(target, "m").inspect((view) => view.executed());
      },
      resume: did("resume"),
      writeStart: did("position"),
      start: did("start"),
      retire: did("retire"),
      stop: did("end"),
    };
  };
  const portsOf = (changes: Partial<SwitchPorts>): SwitchPorts => ({
    clock: systemClock,
    log: silentLogger,
    failpoint: () => Promise.resolve(),
    store,
    leadership: () => [],
    home: (backend) => homeOn(backend === "old" ? servers.old : servers.new, "m"),
    stream,
    diffIsOpen: () => false,
    newToken: () => TOKEN,
    progress: () => undefined,
    signal: new AbortController().signal,
    ...changes,
  });
  const limits = { ...DEFAULT_SWITCH_LIMITS, releaseTimeoutMs: 200 };
  const run = (changes: Partial<SwitchPorts> = {}, options: Partial<SwitchOptions> = {}): Promise<SwitchOutcome> =>
    runSwitch(portsOf(changes), { migration: "m", kind: "switch", who: "first", limits, ...options });
  const fencedBy = (fence: FenceKind): Partial<SwitchOptions> =>
    fence === "none" ? { fence, force: "nobody goes past the proxies" } : { fence };
  const at = (point: Failpoint, work: () => Promise<void>): Partial<SwitchPorts> => ({
    failpoint: async (reached) => {
      if (reached === point) await work();
    },
  });
  const home = async (): Promise<string> => homeOf((await readRules(store)).rules, "shop.items");
  const killSession = async (server: TestServer): Promise<void> => {
    const [row] = await server.root("SELECT IS_USED_LOCK('switchyard:m') id");
    await server.root(`KILL ${row?.["id"]}`);
  };
  const killFence = (): Promise<void> => killSession(servers.old);
  const fencedOnOld = async (): Promise<boolean> => {
    const client = await app(servers.old);
    const errno = await errnoOf(client.query(INSERT));
    await client.close();
    return errno === 1644;
  };

  test("has the way back's position before anybody waits, shuts late appliers out, and starts the way back last", async () => {
    expect((await run()).outcome).toBe("switched");
    expect(calls).toEqual(["position reverse", "stop forward", "seal forward", "retire forward", "start reverse"]);
  });

  test("that is rehearsed leaves home, stream and locks as they were, and can be done in earnest right after", async () => {
    const options = { migration: "m", kind: "switch", who: "first", limits } as const;
    const rehearsed = await runSwitch(portsOf({}), { ...options, rehearse: true });
    expect(rehearsed).toMatchObject({ outcome: "rehearsed", notes: [] });
    const done = rehearsed.outcome === "rehearsed" ? rehearsed.steps.map(({ step }) => step) : [];
    expect(done.at(-1)).toBe("stray-check");
    expect(done).not.toContain("swap");
    expect(calls).toEqual(["position reverse", "stop forward", "seal forward", "resume forward"]);
    expect(await home()).toBe("old");
    expect(await fencedOnOld()).toBe(false);
    const { armed, holds } = (await readRules(store)).rules;
    expect({ armed, holds }).toEqual({ armed: {}, holds: {} });
    expect((await run()).outcome).toBe("switched");
  });

  test("does not take place once the fence's session is gone, whose locks have let writers in", async () => {
    const outcome = await run(at("switch-before-swap", killFence));
    expect(outcome.outcome).toBe("aborted");
    expect(await home()).toBe("old");
    const client = await app(servers.old);
    await client.query(INSERT);
    await client.close();
  });

  test("fences the old home again when the session dies just after the swap, and names the writes that got in", async () => {
    const outcome = await run(
      at("switch-after-swap", async () => {
        await killFence();
        const client = await app(servers.old);
        await client.query(INSERT);
        await client.close();
      }),
    );
    expect(outcome).toMatchObject({ outcome: "switched", strays: [{ table: "shop.items", what: "insert" }] });
    expect(await fencedOnOld()).toBe(true);
  });

  test("is finished though the session on the old home stands just after the swap, and never answers", async () => {
    const { prove } = MysqlSession.prototype;
    let silent = false;
    const proving = vi.spyOn(MysqlSession.prototype, "prove").mockImplementation(function (this: MysqlSession) {
      return silent ? new Promise(() => undefined) : prove.call(this);
    });
    const goesSilent = async (): Promise<void> => {
      silent = true;
    };
    const outcome = await run(at("switch-after-swap", goesSilent));
    proving.mockRestore();
    expect(outcome).toMatchObject({ outcome: "switched", strays: [] });
    expect(outcome).toHaveProperty("notes.0", expect.stringContaining("it was fenced again"));
    expect(await fencedOnOld()).toBe(true);
  });

  test("is finished though the session on the new home dies just after the swap, without another fence on the old one", async () => {
    const outcome = await run(at("switch-after-swap", () => killSession(servers.new)));
    expect(outcome).toMatchObject({ outcome: "switched", notes: [] });
    expect(calls.at(-1)).toBe("start reverse");
    expect(await fencedOnOld()).toBe(true);
  });

  test.each(FENCES)("leaves no connection of its own behind with the fence %s", async (fence) => {
    expect(await run({}, fencedBy(fence))).toMatchObject({ outcome: "switched", strays: [] });
    const ours = async (): Promise<number> => {
      // One that has followed the log is closed; the server sees that when it next says that there is nothing new.
      const [row] = await servers.old.root(
        "SELECT COUNT(*) n FROM performance_schema.session_connect_attrs JOIN performance_schema.threads USING (PROCESSLIST_ID) " +
          "WHERE ATTR_NAME = 'switchyard_role' AND PROCESSLIST_COMMAND NOT LIKE 'Binlog Dump%'",
      );
      return Number(row?.["n"]);
    };
    await vi.waitFor(async () => expect(await ours()).toBe(0), { timeout: 20_000, interval: 20 });
  });

  test.each(["lock-read", "none"] as const)(
    "that ends at the fence %s leaves a home that takes writes, and goes through right after",
    async (fence) => {
      const ends = at("switch-after-fence", () => Promise.reject(new Error("it ends here")));
      expect(await run(ends, fencedBy(fence))).toMatchObject({ outcome: "aborted" });
      const client = await app(servers.old);
      await client.query(INSERT);
      await client.close();
      expect(await run({}, fencedBy(fence))).toMatchObject({ outcome: "switched", strays: [] });
      expect(await fencedOnOld()).toBe(true);
    },
  );

  /** Keeps the tables as a report does: it has read, and stays. */
  const reads = async (): Promise<Connection> => {
    const reader = await app(servers.old);
    await reader.query("BEGIN");
    await reader.query("SELECT * FROM shop.items");
    return reader;
  };

  /**
   * 1. A report past the proxies has read the tables, and stays.
   * 2. The lock is not granted beside it; the one for readers is. The report is named, and waited for once the tables have left.
   * 3. It writes: it waits for our lock then, and we for it to end.
   */
  test("beside a reader that stays goes through with the fence lock-read alone, and does not wait for one that waits for it", async () => {
    const reader = await reads();
    const refused = await run({}, { limits: { ...limits, fenceWaitMs: 60 } });
    expect(refused).toMatchObject({ outcome: "aborted", reason: { code: "CUTOVER_FENCE_BLOCKED" } });
    expect(refused.outcome === "aborted" && refused.reason.facts.fix).toContain("--fence=lock-read");
    const named = Promise.withResolvers<string>();
    const progress = (line: string): void => {
      if (line.startsWith("wait for who reads the tables on old")) named.resolve(line);
    };
    const client = await app(servers.old);
    let late: Promise<number | undefined> | undefined;
    const writes = async (): Promise<void> => {
      late = errnoOf(client.query(INSERT));
    };
    const switching = run({ ...at("switch-after-swap", writes), progress }, { fence: "lock-read" });
    expect(await named.promise).toContain(`connection ${reader.threadId} app@`);
    expect(await home()).toBe("new");
    expect(await reader.rows("SELECT COUNT(*) n FROM shop.items")).toHaveLength(1);
    expect(await errnoOf(reader.query(INSERT)), "deadlock").toBe(1213);
    expect(await switching).toMatchObject({ outcome: "switched", strays: [] });
    expect(await late).toBe(1644);
    await closeAll(reader, client);
  });

  /**
   * 1. The tables have moved beside a reader past the proxies; the controller is stopped before the lasting fence stands.
   * 2. Somebody writes to the old home: he waits where it is locked, and gets in where nothing fences it yet.
   * 3. The next controller takes over by the same fence, and waits for the reader for longer than for any lock.
   */
  test.each([
    ["lock-read", []],
    ["none", [{ table: "shop.items", what: "insert" }]],
  ] as const)(
    "whose controller is replaced is finished by the fence %s that it began with: the reader stays, and no writer gets in meanwhile",
    async (fence, strays) => {
      const stopped = Promise.withResolvers<void>();
      const there = Promise.withResolvers<void>();
      const [reader, early, client] = await Promise.all([reads(), app(servers.old), app(servers.old)]);
      const stop = async (): Promise<void> => {
        there.resolve();
        await stopped.promise;
      };
      const first = run(at("switch-after-swap", stop), fencedBy(fence));
      await there.promise;
      const earlyWrite = errnoOf(early.query(INSERT));
      if (fence === "none") expect(await earlyWrite).toBeUndefined();
      let jumpedMs = 0;
      const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + jumpedMs };
      const hasty = (backend: string) => homeOn(backend === "old" ? servers.old : servers.new, "m", TABLES, clock);
      const second = settle(portsOf({ home: hasty }), { migration: "m", who: "second", limits });
      const taken = async (): Promise<void> => {
        const [row] = await servers.old.root("SELECT IS_USED_LOCK('switchyard:m') id");
        expect(row?.["id"]).toBeNull();
        expect(await pendingLocks(servers.old)).toBeGreaterThan(0);
      };
      await vi.waitFor(taken, { timeout: 20_000, interval: 5 });
      jumpedMs = 3_600_000;
      let ended = false;
      const late = errnoOf(client.query(INSERT)).finally(() => {
        ended = true;
      });
      await sleep(150);
      expect(ended).toBe(false);
      await reader.query("COMMIT");
      expect(await second).toMatchObject({ outcome: "switched", strays });
      expect(await late).toBe(1644);
      expect(await earlyWrite).toBe(fence === "none" ? undefined : 1644);
      const { history } = (await readMigration(store, "m")).document;
      expect(
        history.filter(({ what }) => what.endsWith("old is fenced again")),
        "in one go",
      ).toHaveLength(1);
      stopped.resolve();
      expect((await first).outcome).toBe("superseded");
      await closeAll(reader, early, client);
    },
  );

  test("that fences by nothing needs a reason, and names what came past the proxies too late, before the swap and behind it", async () => {
    const refused = await run({}, { fence: "none" });
    expect(refused).toMatchObject({ outcome: "refused", error: { code: "CUTOVER_GATE_REFUSED" } });
    expect(refused.outcome === "refused" && refused.error.message).toContain("fence: --fence=none");
    const client = await app(servers.old);
    const writesAt: readonly Failpoint[] = ["switch-after-counters", "switch-after-swap"];
    const failpoint = async (reached: Failpoint): Promise<void> => {
      if (writesAt.includes(reached)) await client.query(INSERT);
    };
    const stray = { table: "shop.items", what: "insert" };
    expect(await run({ failpoint }, fencedBy("none"))).toMatchObject({ outcome: "switched", strays: [stray, stray] });
    expect(await fencedOnOld()).toBe(true);
    await client.close();
  });

  test("is aborted when somebody else has written to the new home meanwhile", async () => {
    const outcome = await run(at("switch-after-arm", async () => void (await servers.new.root(INSERT))));
    expect(outcome).toMatchObject({ outcome: "aborted", reason: { code: "CUTOVER_STRAY_WRITES" } });
    expect(await home()).toBe("old");
    expect(await fencedOnOld()).toBe(false);
  });

  test("ends the connections of a proxy that has not heard of it, before they can read the old home again", async () => {
    const held = { armed: { m: { token: TOKEN, state: "ready", blocked: [] } } };
    const drained = { holds: { m: { token: TOKEN, state: "drained", open: [] } } };
    const proxy = { format: 3, id: "p1", bootNonce: "boot-p1", version: "1", generation: 1, ...held, ...drained };
    const value = JSON.stringify({ ...proxy, seenTogether: [], accounts: [], servers: {} });
    await store.transact(
      [],
      [
        { put: `${PROXIES_PREFIX}p1`, value },
        { put: `${ALIVE_PREFIX}p1`, value: "{}" },
      ],
    );
    const zombie = await app(servers.old, { switchyard_proxy: "boot-p1" });
    let stale: Promise<string> | undefined;
    const read = async (): Promise<void> => {
      stale = zombie.query("SELECT * FROM shop.items").then(
        () => "read what is no longer true",
        () => "ended",
      );
      await sleep(20);
    };
    const outcome = await run(at("switch-after-swap", read));
    expect(outcome.outcome).toBe("switched");
    expect(await stale).toBe("ended");
  });

  test.each(["switch-after-arm", "switch-after-hold"] as const)(
    "is aborted where a proxy tells, at %s, that its new home is another server: only logins have shown it",
    async (point) => {
      const key = `${PROXIES_PREFIX}p2`;
      const tell = async (servers: ProxyDocument["servers"]): Promise<void> => {
        const held = { armed: { m: { token: TOKEN, state: "ready", blocked: [] } } };
        const drained = { holds: { m: { token: TOKEN, state: "drained", open: [] } } };
        const proxy = { format: 3, id: "p2", bootNonce: "boot-p2", version: "1", generation: 9, ...held, ...drained };
        const value = JSON.stringify({ ...proxy, seenTogether: [], accounts: [], servers });
        await store.transact([], [{ put: key, value }]);
      };
      await tell({});
      await store.transact([], [{ put: `${ALIVE_PREFIX}p2`, value: "{}" }]);
      const outcome = await run(at(point, () => tell({ new: { newest: "elsewhere", open: ["elsewhere"] } })));
      expect(outcome).toMatchObject({ outcome: "aborted", reason: { code: "CUTOVER_SERVER_CHANGED" } });
      const reason = outcome.outcome === "aborted" ? String(outcome.reason.message) : "";
      expect(reason).toContain('proxy p2 reaches server_uuid elsewhere as "new"');
      expect(await home()).toBe("old");
      expect(await fencedOnOld()).toBe(false);
    },
  );

  /**
   * 1. The first controller has locked the old home, sends its swap, and is stopped.
   * 2. A second one leads. The store is slow, so it cannot know yet whether the swap has come or will come.
   * 3. Were it to end the first one's session now, a write would get in, and the late swap would lose it.
   */
  test("is settled in the store before a new leader takes the stopped one's lock away", async () => {
    const stopped = Promise.withResolvers<void>();
    const there = Promise.withResolvers<void>();
    const first = run(
      at("switch-before-swap", async () => {
        there.resolve();
        await stopped.promise;
      }),
    );
    await there.promise;
    const client = await app(servers.old);
    let written = false;
    const write = client.query(INSERT).then(() => {
      written = true;
    });
    const answers = Promise.withResolvers<void>();
    const slow = new Proxy(store, {
      get: (target, name) =>
        name === "transact"
          ? async (...request: Parameters<Store["transact"]>) => {
              await answers.promise;
              return await target.transact(...request);
            }
          : (Reflect.get(target, name) as () => unknown).bind(target),
    });
    const second = settle(portsOf({ store: slow }), { migration: "m", who: "second", limits });
    await sleep(300);
    expect(written, "while the store has not decided").toBe(false);
    answers.resolve();
    expect(await second).toMatchObject({ outcome: "aborted" });
    await write;
    stopped.resolve();
    expect((await first).outcome).not.toBe("switched");
    expect(await home()).toBe("old");
    await client.close();
  });

  test("does nothing to the servers when it wakes after another controller has ended its attempt", async () => {
    const stopped = Promise.withResolvers<void>();
    const there = Promise.withResolvers<void>();
    await servers.old.root("ALTER TABLE shop.parts AUTO_INCREMENT = 70000");
    const ports = portsOf({});
    const first = run({
      home: (backend) => {
        const real = ports.home(backend);
        const open: typeof real.open = async (options) => {
          there.resolve();
          await stopped.promise;
          return await real.open(options);
        };
        return new Proxy(real, {
          get: (target, name) =>
            name === "open" && backend === "old" ? open : boundTo(target, Reflect.get(target, name, target)),
        });
      },
    });
    await there.promise;
    expect(await settle(ports, { migration: "m", who: "second", limits })).toMatchObject({ outcome: "aborted" });
    stopped.resolve();
    expect((await first).outcome).not.toBe("switched");
    const look = await homeOn(servers.new, "m").open({ takeOver: "never" });
    expect(Number((await look.autoIncrements()).get("shop.parts") ?? 0n), "its counters were left alone").toBeLessThan(
      70_000,
    );
    await closeAll(look);
  });

  test("a controller that is stopped while it clears an aborted rollback does not fence the live home when it wakes", async () => {
    expect((await run()).outcome).toBe("switched");
    const opts = { migration: "m", kind: "rollback", who: "first", limits } as const;
    const stopped = Promise.withResolvers<void>();
    const there = Promise.withResolvers<void>();
    const first = runSwitch(
      portsOf({
        ...at("switch-before-swap", () => killSession(servers.new)),
        newToken: () => "r1",
        stream: (direction) => ({
          ...stream(direction),
          resume: async () => {
            there.resolve();
            await stopped.promise;
          },
        }),
      }),
      opts,
    );
    await there.promise;
    const ports = portsOf({ newToken: () => "r2" });
    expect(await settle(ports, { migration: "m", who: "second", limits })).toMatchObject({ outcome: "aborted" });
    expect(await runSwitch(ports, { ...opts, who: "second" })).toMatchObject({ outcome: "switched" });
    expect(await home()).toBe("old");
    stopped.resolve();
    expect((await first).outcome).not.toBe("switched");
    expect(await fencedOnOld(), "the live home refuses writes").toBe(false);
  });

  test("a proxy whose machine is gone is forgotten once its connections, also one in a statement, have left both servers", async () => {
    const row = JSON.stringify({
      format: 3,
      id: "gone",
      bootNonce: "boot-gone",
      version: "1",
      generation: 1,
      armed: {},
      holds: {},
      seenTogether: [],
      accounts: [],
      servers: {},
    });
    await store.transact([], [{ put: `${PROXIES_PREFIX}gone`, value: row }]);
    await servers.old.root("REPLACE INTO shop.items (id, a) VALUES (1, 1)");
    const blocker = await app(servers.old);
    await blocker.query("BEGIN");
    await blocker.query("UPDATE shop.items SET a = 50 WHERE id = 1");
    const writing = await app(servers.old, { switchyard_proxy: "boot-gone" });
    const idle = await app(servers.new, { switchyard_proxy: "boot-gone" });
    const late = writing.query("UPDATE shop.items SET a = 77 WHERE id = 1").catch(() => "ended");
    await sleep(100);
    const endpoints = [servers.old, servers.new].map((server) => server.endpoint("mover", "mover"));
    const forgotten = withServerConnections(endpoints, (all) =>
      forgetProxy("gone", { store, clock: systemClock, servers: all, leadership: [], killTimeoutMs: 5000 }),
    );
    expect(await forgotten).toBe(true);
    expect(await late).toBe("ended");
    await blocker.query("COMMIT");
    const [kept] = await blocker.rows("SELECT a FROM shop.items WHERE id = 1");
    expect(kept?.["a"]).toBe("50");
    expect(await store.get(`${PROXIES_PREFIX}gone`)).toBeUndefined();
    await idle.closed;
    await blocker.close();
  });
});

function boundTo(target: object, value: unknown): unknown {
  return typeof value === "function" ? value.bind(target) : value;
}
