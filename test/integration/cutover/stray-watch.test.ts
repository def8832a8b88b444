import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { DEFAULT_LIMITS } from "../../../src/config/limits.ts";
import type { MigrationRunner } from "../../../src/controller/migration-runner.ts";
import { StrayMonitor } from "../../../src/controller/stray-monitor.ts";
import { readMigration, updateMigration, withHistory } from "../../../src/cutover/journal.ts";
import type { HistoryEntry } from "../../../src/cutover/migration-document.ts";
import type { Stray } from "../../../src/cutover/ports.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { claimLedger, ledgerUpdate } from "../../../src/replication/ledger.ts";
import { ensureSidecar } from "../../../src/replication/sidecar-format.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { migrationDocument, storeWith } from "../../unit/cutover/memory-store.ts";
import { homeOn, prepareServer, TABLES } from "./fenced-server.ts";

describe("the watch for writes that are not ours", () => {
  let servers: { old: TestServer };
  beforeAll(async () => {
    servers = await startServers(["old"]);
    await prepareServer(servers.old);
    await servers.old.root("CREATE TABLE shop.others (id INT PRIMARY KEY, a INT)");
  }, 120_000);
  afterAll(() => stopServers(servers));

  /** What the watch finds of `work`. */
  const straysOf = async (work: () => Promise<unknown>): Promise<readonly Stray[]> => {
    const home = homeOn(servers.old);
    const from = await home.inspect((view) => view.executed());
    const watch = await home.watchStrays(from);
    await work();
    const to = await home.inspect((view) => view.executed());
    const strays = await watch.upTo(to, { timeoutMs: 10_000 });
    await watch.close();
    return strays;
  };
  const found = async (sql: string): Promise<readonly string[]> =>
    (await straysOf(() => servers.old.root(sql))).map((stray) => `${stray.table}: ${stray.what}`);

  test.each([
    ["INSERT INTO shop.items (id, a) VALUES (100, 1)", ["shop.items: insert"]],
    ["UPDATE shop.items SET a = 2 WHERE id = 100", ["shop.items: update"]],
    ["DELETE FROM shop.items WHERE id = 100", ["shop.items: delete"]],
    ["TRUNCATE TABLE shop.parts", ["shop.parts: TRUNCATE TABLE shop.parts"]],
    ["ALTER TABLE shop.parts ADD COLUMN c INT", ["shop.parts: ALTER TABLE shop.parts ADD COLUMN c INT"]],
    [
      "RENAME TABLE shop.parts TO shop.away, shop.away TO shop.parts",
      ["shop.parts: RENAME TABLE shop.parts TO shop.away, shop.away TO shop.part"],
    ],
    ["INSERT INTO shop.others VALUES (1, 1)", []],
    ["CREATE TABLE shop.fresh (id INT PRIMARY KEY)", []],
    ["CREATE USER somebody@localhost; GRANT ALL ON shop.* TO somebody@localhost", []],
    ["FLUSH TABLES", []],
  ] as const)("%s", async (sql, expected) => {
    expect(await found(sql)).toEqual(expected);
  });

  test("finds a trigger of the fence that somebody drops", async () => {
    const session = await homeOn(servers.old).open({ takeOver: "never" });
    await session.lock("write", 1000);
    expect(await straysOf(() => session.installFences("t1")), "putting it up is ours").toEqual([]);
    await session.unlock();
    const [row] = await servers.old.root(
      "SELECT TRIGGER_NAME name FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'",
    );
    const dropped = await found(`DROP TRIGGER shop.\`${row?.["name"]}\``);
    expect(dropped).toHaveLength(1);
    expect(await straysOf(() => session.dropFences("t1")), "taking it down is ours").toEqual([]);
    await session.close();
  });

  test("takes a transaction for ours if and only if it changes the ledger", async () => {
    const own = await Connection.connect(servers.old.endpoint("mover", "mover"), { foundRows: true });
    await ensureSidecar(own);
    const claim = await claimLedger(own, "m1", "reverse");
    const apply = async (proves: boolean): Promise<void> => {
      await own.query("BEGIN");
      if (proves) await own.query(ledgerUpdate(claim, "", undefined));
      await own.query("INSERT INTO shop.items (a) VALUES (5)");
      await own.query("COMMIT");
    };
    expect(await straysOf(() => apply(true))).toEqual([]);
    expect(await straysOf(() => apply(false))).toHaveLength(1);
    await own.close();
  });

  test("sees a stray in the very transaction that ends at the wanted position", async () => {
    const home = homeOn(servers.old);
    const from = await home.inspect((view) => view.executed());
    for (let index = 0; index < 50; index += 1) await servers.old.root(`REPLACE INTO shop.others VALUES (${index}, 1)`);
    await servers.old.root("INSERT INTO shop.items (a) VALUES (9)");
    const to = await home.inspect((view) => view.executed());
    const watch = await home.watchStrays(from);
    expect(await watch.upTo(to, { timeoutMs: 10_000 })).toHaveLength(1);
    expect(await watch.upTo(from, { timeoutMs: 10 })).toHaveLength(1);
    await watch.close();
  });

  test("leaves out what came before the position that is asked for, and keeps what came last", async () => {
    const { old } = servers;
    const home = homeOn(old);
    const executed = (): Promise<string> => home.inspect((view) => view.executed());
    const watch = await home.watchStrays(await executed());
    const three =
      "BEGIN; INSERT INTO shop.items (a) VALUES (9); UPDATE shop.items SET a = 8; DELETE FROM shop.items; COMMIT";
    await old.root(Array.from({ length: 800 }, () => three).join("; "));
    await old.root("INSERT INTO shop.items (a) VALUES (9)");
    const after = await executed();
    await old.root("DELETE FROM shop.items");
    const to = await executed();
    const behind = await watch.upTo(to, { timeoutMs: 10_000, after });
    expect(behind.map(({ what }) => what)).toEqual(["delete"]);
    const all = await watch.upTo(to, { timeoutMs: 10 });
    expect(all.length).toBeGreaterThanOrEqual(1000);
    expect(all.at(-1)?.what).toBe("delete");
    await watch.close();
  });

  /** With nothing new to hand over, a server tells that it has read what it leaves out; the watch waits for twice as long. */
  test("is under way once the server has read what its log held before, whether or not anything follows", async () => {
    const home = homeOn(servers.old);
    const from = await home.inspect((view) => view.executed());
    const watch = await home.watchStrays(from);
    const began = performance.now();
    await watch.underWay();
    expect(performance.now() - began).toBeLessThan(1900);
    await watch.close();
    await expect(watch.underWay()).rejects.toMatchObject({ code: "CUTOVER_WATCH_FAILED" });
  });

  test("fails rather than calling a log clean that it cannot read", async () => {
    const home = homeOn(servers.old);
    const from = await home.inspect((view) => view.executed());
    const uuid = from.slice(0, 36);
    const watch = await home.watchStrays(from);
    await expect(watch.upTo(`${uuid}:1-999999`, { timeoutMs: 100 })).rejects.toMatchObject({
      code: "CUTOVER_WATCH_FAILED",
    });
    await watch.close();
    await servers.old.root("FLUSH BINARY LOGS; INSERT INTO shop.others VALUES (1000, 1)");
    const logs = await servers.old.root("SHOW BINARY LOGS");
    await servers.old.root(`PURGE BINARY LOGS TO '${logs.at(-1)?.["Log_name"]}'`);
    const now = await home.inspect((view) => view.executed());
    const purged = await home.watchStrays(`${uuid}:1`);
    await expect(purged.upTo(now, { timeoutMs: 5000 })).rejects.toMatchObject({ code: "CUTOVER_WATCH_FAILED" });
    await purged.close();
  });

  /** 1. A look finds strays. 2. The journal is told, in vain or without an answer. 3. The next look finds the same again. */
  test.each(["STORE_UNAVAILABLE", "STORE_OUTCOME_UNKNOWN"] as const)(
    "counts and tells once what the journal was told with %s",
    async (fate) => {
      const cutPosition = await homeOn(servers.old).inspect((view) => view.executed());
      await servers.old.root("INSERT INTO shop.items (a) VALUES (9); INSERT INTO shop.items (a) VALUES (10)");
      const document = { ...migrationDocument(), phase: "switched" as const, tables: TABLES };
      const store = await storeWith({ ...document, fenceToken: "t", cutPosition });
      let [told, aheadMs] = [0, 0];
      const inVain = vi.fn();
      const tell = async (entry: Omit<HistoryEntry, "at">): Promise<void> => {
        told += 1;
        if (told > 1 || fate === "STORE_OUTCOME_UNKNOWN") {
          await updateMigration(store, "m", [], (now) => withHistory(now, { at: "", ...entry }));
        }
        if (told === 1) throw new SwitchyardError(fate, { what: "as the test wants it" });
      };
      const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
      const backends = { old: servers.old.endpoint("mover", "mover") };
      const monitor = new StrayMonitor({
        document: (await readMigration(store, "m")).document,
        context: { store, clock, log: silentLogger, backends, limits: DEFAULT_LIMITS },
        log: { ...silentLogger, warn: inVain },
        record: tell,
      } as unknown as MigrationRunner);
      monitor.follow();
      await vi.waitFor(() => expect(inVain).toHaveBeenCalledOnce(), { timeout: 20_000 });
      aheadMs += 60_000;
      monitor.follow();
      await vi.waitFor(() => expect(monitor.report?.total).toBe(2), { timeout: 20_000 });
      // Of a connection that was closed the server hears only when it next sends something.
      const dumps = (): Promise<readonly object[]> =>
        servers.old.root("SELECT id FROM performance_schema.processlist WHERE command LIKE 'Binlog Dump%'");
      const before = await dumps();
      await servers.old.root("INSERT INTO shop.items (a) VALUES (11)");
      await vi.waitFor(
        () => {
          aheadMs += 60_000;
          monitor.follow();
          expect(monitor.report?.total).toBe(3);
        },
        { timeout: 20_000 },
      );
      expect(before, "one connection follows the log").toEqual(expect.arrayContaining([...(await dumps())]));
      await monitor.close();
      const items = { table: "shop.items" };
      expect(monitor.report).toMatchObject({ server: "old", total: 3, strays: [items, items, items] });
      const { history } = (await readMigration(store, "m")).document;
      expect(history.filter(({ what }) => what.startsWith("2 writes on old"))).toHaveLength(1);
      await store.close();
    },
  );
});
