import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../src/base/clock.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { cancel } from "../../../src/cutover/cancel.ts";
import { complete } from "../../../src/cutover/complete.ts";
import type { EndPorts } from "../../../src/cutover/ends.ts";
import { readMigration } from "../../../src/cutover/journal.ts";
import type { MigrationDocument } from "../../../src/cutover/migration-document.ts";
import type { StreamHealth, StreamPort } from "../../../src/cutover/ports.ts";
import { DEFAULT_SWITCH_LIMITS } from "../../../src/cutover/switch-options.ts";
import { CLAIMS_PREFIX } from "../../../src/rules/store-keys.ts";
import type { Store } from "../../../src/store/store.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { storeWith } from "../../unit/cutover/memory-store.ts";
import { app, errnoOf, homeOn, prepareServer, TABLES, uuidOf } from "./fenced-server.ts";

const MOVED = Object.fromEntries(TABLES.map((table) => [table, { to: "new", migration: "m" }]));
const STAYED = Object.fromEntries(TABLES.map((table) => [table, { to: "old", migration: "m" }]));

describe("the end of a migration", () => {
  let servers: { old: TestServer; new: TestServer };
  let uuids: { old: string; new: string };
  let store: Store;
  let stopped: string[];
  let health: StreamHealth;

  beforeAll(async () => {
    servers = await startServers(["old", "new"]);
    await Promise.all([prepareServer(servers.old), prepareServer(servers.new)]);
    uuids = { old: await uuidOf(servers.old), new: await uuidOf(servers.new) };
  }, 120_000);
  afterAll(() => stopServers(servers));
  beforeEach(() => {
    stopped = [];
    health = { state: "running", lagMs: 1, drift: 0, ddl: 0 };
  });

  const begin = async (document: Partial<MigrationDocument>, tables: typeof MOVED): Promise<void> => {
    const servers = { sourceUuid: uuids.old, targetUuid: uuids.new };
    store = await storeWith(
      { tables: TABLES, createdTables: TABLES, createdSchemas: ["shop"], fenceToken: "t1", ...servers, ...document },
      { tables },
    );
    for (const table of TABLES) {
      const value = JSON.stringify({ format: 1, migration: table === "shop.parts" ? "other" : "m" });
      await store.transact([], [{ put: `${CLAIMS_PREFIX}${document.sourceUuid ?? uuids.old}/${table}`, value }]);
    }
  };
  const claims = async (): Promise<readonly string[]> =>
    (await store.list(CLAIMS_PREFIX)).entries.map(({ key }) => key);
  const endPorts = (changes: Partial<EndPorts> = {}): EndPorts => ({
    clock: systemClock,
    log: silentLogger,
    failpoint: noFailpoints,
    store,
    leadership: () => [],
    home: (backend) => homeOn(backend === "old" ? servers.old : servers.new, "m"),
    stream: (direction) =>
      ({
        health: () => Promise.resolve(health),
        stop: () => {
          stopped.push(direction);
          return Promise.resolve();
        },
      }) as unknown as StreamPort,
    dropSidecarRows: () => Promise.resolve(),
    newToken: () => "t9",
    progress: () => undefined,
    limits: DEFAULT_SWITCH_LIMITS,
    ...changes,
  });
  const tablesOn = async (server: TestServer): Promise<readonly string[]> =>
    (
      await server.root("SELECT TABLE_NAME name FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop' ORDER BY 1")
    ).map((row) => row["name"] ?? "");
  const rebuild = async (server: TestServer): Promise<void> => {
    await server.root("DROP DATABASE IF EXISTS shop; CREATE DATABASE shop");
    for (const table of TABLES) await server.root(`CREATE TABLE ${table} (id INT AUTO_INCREMENT PRIMARY KEY, a INT)`);
  };

  test("complete is refused before a switch, and while the reverse stream is not healthy", async () => {
    await begin({ phase: "running" }, STAYED);
    const order = { migration: "m", who: "ann", oldTables: "drop" } as const;
    await expect(complete(endPorts(), order)).rejects.toMatchObject({ code: "CUTOVER_PHASE_REFUSED" });
    await begin({ phase: "switched" }, MOVED);
    for (const sick of [{ state: "failed" }, { state: "paused" }, { drift: 2 }] as const) {
      health = { ...health, state: "running", drift: 0, ...sick };
      await expect(complete(endPorts(), order)).rejects.toMatchObject({ code: "CUTOVER_REVERSE_UNHEALTHY" });
    }
    expect(stopped).toEqual([]);
    expect(await tablesOn(servers.old)).toHaveLength(3);
  });

  test("complete is refused while the reverse stream only ever tries again: its server is full, or read-only", async () => {
    await begin({ phase: "switched" }, MOVED);
    health = { ...health, retrying: "the table is full" };
    // It may get well within ten seconds, of which there need not be so many here.
    const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * 100 };
    const completing = complete(endPorts({ clock }), { migration: "m", who: "ann", oldTables: "drop" });
    await expect(completing).rejects.toThrow(/CUTOVER_REVERSE_UNHEALTHY.*tries again after the table is full/s);
    expect(stopped).toEqual([]);
    setTimeout(() => {
      health = { state: "running", lagMs: 1, drift: 0, ddl: 0 };
    }, 50);
    await complete(endPorts(), { migration: "m", who: "ann", oldTables: "keep" });
  });

  test("complete is refused when the rules have the tables elsewhere, whatever the journal says", async () => {
    await begin({ phase: "switched" }, { ...MOVED, "shop.items": { to: "old", migration: "m" } });
    const completing = complete(endPorts(), { migration: "m", who: "ann", oldTables: "drop" });
    await expect(completing).rejects.toThrow(/shop\.items is not at home on new/);
    expect(await tablesOn(servers.old)).toHaveLength(3);
  });

  test("complete keeps the old tables fenced unless told otherwise, and frees the claims", async () => {
    await rebuild(servers.old);
    const session = await homeOn(servers.old, "m").open({ takeOver: "never" });
    await session.lock("write", 1000);
    await session.installFences("t1");
    await session.close();
    await begin({ phase: "switched" }, MOVED);
    const report = await complete(endPorts(), { migration: "m", who: "ann", oldTables: "keep" });
    expect(report.left.join("\n")).toContain("refuse writes: shop.items, shop.orders, shop.parts");
    expect(stopped).toEqual(["reverse"]);
    const client = await app(servers.old);
    expect(await errnoOf(client.query("INSERT INTO shop.items (a) VALUES (1)"))).toBe(1644);
    await client.close();
    expect((await readMigration(store, "m")).document.phase).toBe("completed");
    expect(await claims()).toEqual([`${CLAIMS_PREFIX}${uuids.old}/shop.parts`]);
    const again = await complete(endPorts(), { migration: "m", who: "ann", oldTables: "keep" });
    expect(again.left).toEqual(report.left);
  });

  test.each([
    ["rename", ["_items_moved", "_orders_moved", "_parts_moved"]],
    ["drop", []],
  ] as const)("complete with %s, twice, leaves %j", async (oldTables, left) => {
    await rebuild(servers.old);
    await begin({ phase: "switched" }, MOVED);
    for (let round = 0; round < 2; round += 1) await complete(endPorts(), { migration: "m", who: "ann", oldTables });
    expect(await tablesOn(servers.old)).toEqual(left);
    expect(await tablesOn(servers.new)).toHaveLength(3);
    await rebuild(servers.old);
  });

  test("complete leaves no trigger of ours on the new home, or says which and why: they would outlive our account", async () => {
    await rebuild(servers.new);
    await begin({ phase: "switched" }, MOVED);
    const guarding = await homeOn(servers.new, "m").open({ takeOver: "kill-holder" });
    await guarding.installGuards("t1");
    await guarding.close();
    const triggers = async (): Promise<number> =>
      (await servers.new.root("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'"))
        .length;
    expect(await triggers()).toBe(3 * TABLES.length);
    const client = await app(servers.new, { switchyard_proxy: "boot-1" });
    await client.query("BEGIN");
    await client.query("SELECT * FROM shop.orders");
    const order = { migration: "m", who: "ann", oldTables: "keep" } as const;
    // It gives up after ten seconds, of which there need not be so many here.
    const clock: Clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * 10 };
    const { left } = await complete(endPorts({ clock }), order);
    expect(left.join()).toContain("triggers switchyard_m_… on new: transactions kept their tables");
    expect(await triggers()).toBe(3);
    await client.query("INSERT INTO shop.orders (a) VALUES (1)");
    await client.query("COMMIT");
    await client.close();
    expect((await complete(endPorts(), order)).left.join()).not.toContain("triggers");
    expect(await triggers()).toBe(0);
  });

  test("complete that dies after its streams have stopped is finished by the next", async () => {
    await rebuild(servers.old);
    await begin({ phase: "switched" }, MOVED);
    const dies = endPorts({ failpoint: () => Promise.reject(new Error("killed here")) });
    const order = { migration: "m", who: "ann", oldTables: "rename" } as const;
    await expect(complete(dies, order)).rejects.toThrow("killed here");
    expect((await readMigration(store, "m")).document.phase).toBe("switched");
    await complete(endPorts(), order);
    expect(await tablesOn(servers.old)).toContain("_items_moved");
    await rebuild(servers.old);
  });

  test("complete by force with the old home down says what is left there, keeps it claimed, and clears it later", async () => {
    await rebuild(servers.old);
    await begin({ phase: "switched" }, MOVED);
    for (const table of TABLES) {
      const value = JSON.stringify({ format: 1, migration: "m" });
      await store.transact([], [{ put: `${CLAIMS_PREFIX}${uuids.new}/${table}`, value }]);
    }
    const lost = (): never => {
      throw new Error("connection refused");
    };
    const up = endPorts();
    const down = endPorts({
      home: (backend) => (backend === "old" ? lost() : up.home(backend)),
      stream: () => ({ health: () => Promise.resolve({ ...health, state: "failed" }), stop: lost }) as never,
      dropSidecarRows: async (backend) => (backend === "old" ? lost() : undefined),
    });
    const order = { migration: "m", who: "ann", oldTables: "drop" } as const;
    await expect(complete(down, order)).rejects.toMatchObject({ code: "CUTOVER_REVERSE_UNHEALTHY" });
    const report = await complete(down, { ...order, force: true });
    const refused = report.left.filter((line) => line.includes("connection refused"));
    expect(refused.map((line) => line.split(" on old")[0])).toEqual([
      "the ledger of the reverse stream",
      "the old tables (drop)",
      "rows of the sidecar schema",
    ]);
    expect((await readMigration(store, "m")).document.phase).toBe("completed");
    expect(await claims()).toEqual(TABLES.map((table) => `${CLAIMS_PREFIX}${uuids.old}/${table}`));
    await complete(up, order);
    expect(await tablesOn(servers.old)).toEqual([]);
    expect(await claims()).toEqual([`${CLAIMS_PREFIX}${uuids.old}/shop.parts`]);
    await rebuild(servers.old);
  });

  /**
   * 1. The old home is lost; by force the migration is completed all the same.
   * 2. Its machine is set up anew under the same name, and others' tables, of the same names, come to live there.
   * 3. Somebody runs the command again, as he was told.
   */
  test("complete by force changes nothing on a server that has the lost home's name since, and keeps its claims", async () => {
    await rebuild(servers.old);
    const dropped: [string, string][] = [];
    for (const oldTables of ["drop", "rename"] as const) {
      await begin({ phase: "switched", sourceUuid: "uuid-lost" }, MOVED);
      const ports = endPorts({ dropSidecarRows: async (...where) => void dropped.push(where) });
      const order = { migration: "m", who: "ann", oldTables } as const;
      await expect(complete(ports, order)).rejects.toMatchObject({ code: "CUTOVER_SERVER_CHANGED" });
      const { left } = await complete(ports, { ...order, force: true });
      expect(left.join("\n")).toMatch(/the old tables .* on old .*leads to another server/);
      expect(await tablesOn(servers.old)).toHaveLength(3);
      expect(await claims()).toEqual(TABLES.map((table) => `${CLAIMS_PREFIX}uuid-lost/${table}`));
    }
    expect(dropped.slice(0, 2)).toEqual([
      ["old", "uuid-lost"],
      ["new", uuids.new],
    ]);
  });

  test("cancel changes nothing on a server that has the target's name since, and keeps its claims", async () => {
    await rebuild(servers.new);
    await begin({ targetUuid: "uuid-lost" }, STAYED);
    for (const keepData of [false, true]) {
      const { left } = await cancel(endPorts(), { migration: "m", who: "ann", keepData });
      expect(left.join("\n")).toMatch(/tables on new: .*leads to another server/);
      expect(await tablesOn(servers.new)).toHaveLength(3);
      expect(await claims()).toHaveLength(3);
    }
  });

  test("cancel drops what the migration created and nothing else, and may be repeated", async () => {
    await rebuild(servers.new);
    await begin({ createdTables: ["shop.items", "shop.orders"] }, STAYED);
    const report = await cancel(endPorts(), { migration: "m", who: "ann", keepData: false });
    expect(await tablesOn(servers.new)).toEqual(["parts"]);
    expect(report.left.join("\n")).toContain("that were there before: shop.parts");
    expect(report.left.join("\n")).toContain("schemas on new that others use as well: shop");
    expect(stopped).toEqual(["forward", "reverse"]);
    expect(await claims()).toEqual([`${CLAIMS_PREFIX}${uuids.old}/shop.parts`]);
    await rebuild(servers.new);
    await cancel(endPorts(), { migration: "m", who: "ann", keepData: false });
    expect(await tablesOn(servers.new), "they are somebody else's by now").toHaveLength(3);
  });

  test("cancel drops a schema that it created once it is empty", async () => {
    await rebuild(servers.new);
    await begin({}, STAYED);
    await cancel(endPorts(), { migration: "m", who: "ann", keepData: false });
    expect(await servers.new.root("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'shop'")).toEqual([]);
    await rebuild(servers.new);
  });

  test("cancel can leave the rows where they are, free of fences", async () => {
    await rebuild(servers.new);
    const session = await homeOn(servers.new, "m").open({ takeOver: "never" });
    await session.lock("write", 1000);
    await session.installFences("t1");
    await session.close();
    await begin({}, STAYED);
    await cancel(endPorts(), { migration: "m", who: "ann", keepData: true });
    await servers.new.root("INSERT INTO shop.items (a) VALUES (1)");
    expect(await tablesOn(servers.new)).toHaveLength(3);
  });

  test("cancel with the target down says what is left there, keeps it claimed, and clears it later", async () => {
    await rebuild(servers.new);
    await begin({}, STAYED);
    const down = endPorts({
      home: () => {
        throw new Error("connection refused");
      },
    });
    const report = await cancel(down, { migration: "m", who: "ann", keepData: false });
    expect(report.left.join("\n")).toMatch(/tables on new: shop\.items.*connection refused.*run the command again/);
    expect((await readMigration(store, "m")).document.phase).toBe("cancelled");
    expect(await claims()).toHaveLength(3);
    await cancel(endPorts(), { migration: "m", who: "ann", keepData: false });
    expect(await tablesOn(servers.new)).toEqual([]);
    expect(await claims()).toHaveLength(1);
    await rebuild(servers.new);
  });

  test("cancel is refused once the tables are at home on the target", async () => {
    await begin({ phase: "switched" }, MOVED);
    const order = { migration: "m", who: "ann", keepData: false };
    await expect(cancel(endPorts(), order)).rejects.toMatchObject({ code: "CUTOVER_PHASE_REFUSED" });
    await begin({ phase: "running" }, MOVED);
    await expect(cancel(endPorts(), order)).rejects.toThrow(/is at home on new/);
    expect(await tablesOn(servers.new)).toHaveLength(3);
  });
});
