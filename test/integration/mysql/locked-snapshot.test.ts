import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import { openLockedSnapshot } from "../../../src/mysql/locked-snapshot.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

let servers: { a: TestServer };
let endpoint: Endpoint;
const LOG = { schema: "t", table: "log" };
const OTHER = { schema: "t", table: "other" };

beforeAll(async () => {
  servers = await startServers(["a"]);
  await servers.a.root(`
    CREATE DATABASE t;
    CREATE TABLE t.log (id INT AUTO_INCREMENT PRIMARY KEY, v INT);
    CREATE TABLE t.other (id INT PRIMARY KEY);
    INSERT INTO t.log (v) VALUES (1); INSERT INTO t.other VALUES (1);
    CREATE USER blind IDENTIFIED BY 'b'; GRANT SELECT, LOCK TABLES ON t.* TO blind;
    CREATE USER writer IDENTIFIED BY 'w'; GRANT ALL ON t.* TO writer; GRANT XA_RECOVER_ADMIN ON *.* TO writer`);
  endpoint = await ownEndpoint(servers.a, "source-reader", ["t"]);
});
afterAll(() => stopServers(servers));

let key = 10_000;
const common = { connections: 3, lockWaitMs: 200, attempts: 4 };
const writer = (): Promise<Connection> => Connection.connect(servers.a.endpoint("writer", "w"));

/** How many transactions of the server's own are in a set. */
function transactions(position: string): bigint {
  return BigInt(GtidSet.parse(position).count);
}

describe("a snapshot under a lock", () => {
  test("holds exactly the transactions of its position, on all its connections, while many write", async () => {
    const writers = await Promise.all(Array.from({ length: 8 }, writer));
    const before = await servers.a.root("SELECT @@global.gtid_executed g, (SELECT COUNT(*) FROM t.log) c");
    let stop = false;
    const writing = writers.map(async (connection, index) => {
      while (!stop) {
        if (index % 2 === 0) await connection.query("INSERT INTO t.log (v) VALUES (1)");
        else {
          await connection.query("BEGIN");
          await connection.query("INSERT INTO t.log (v) VALUES (2)");
          await connection.query("COMMIT");
        }
      }
    });
    const base = transactions(before[0]?.["g"] ?? "") - BigInt(before[0]?.["c"] ?? "0");
    for (let round = 0; round < 15; round++) {
      const snapshot = await openLockedSnapshot({
        ...common,
        table: LOG,
        endpoint,
        onLocked: (connection) => connection.one("SELECT COUNT(*) c FROM t.log"),
      });
      const counts = await Promise.all(snapshot.connections.map((one) => one.one("SELECT COUNT(*) c FROM t.log")));
      await sleep(20);
      const later = await Promise.all(snapshot.connections.map((one) => one.one("SELECT COUNT(*) c FROM t.log")));
      const expected = { c: String(transactions(snapshot.position) - base) };
      expect(counts).toEqual([expected, expected, expected]);
      expect(later).toEqual(counts);
      expect(snapshot.locked).toEqual(expected);
      await snapshot.close();
    }
    stop = true;
    await Promise.all(writing);
    await Promise.all(writers.map((connection) => connection.close()));
  }, 60_000);

  test("never makes the server end a transaction that writes to several tables in any order", async () => {
    // 1. A transaction writes to one table. 2. A snapshot waits for that one, having locked another. 3. The transaction
    // comes to the other: a deadlock, and the server ends the transaction, not the lock.
    // The same happens to one that reads a table and then writes to it, while a stronger lock waits.
    const writers = await Promise.all(Array.from({ length: 6 }, writer));
    let stop = false;
    const errors: unknown[] = [];
    const writing = writers.map(async (connection, who) => {
      const log = "INSERT INTO t.log (v) VALUES (1)";
      while (!stop) {
        const other = `INSERT INTO t.other VALUES (${++key})`;
        try {
          await connection.query("BEGIN");
          await connection.query("SELECT * FROM t.log, t.other LIMIT 1");
          for (const sql of who % 2 === 0 ? [log, other] : [other, log]) await connection.query(sql);
          await connection.query("COMMIT");
        } catch (error) {
          errors.push(error);
          await connection.query("ROLLBACK");
        }
      }
    });
    for (let round = 0; round < 20; round++) {
      for (const table of [LOG, OTHER]) await (await openLockedSnapshot({ ...common, table, endpoint })).close();
    }
    stop = true;
    await Promise.all(writing);
    await Promise.all(writers.map((connection) => connection.close()));
    expect(errors).toEqual([]);
  });

  test("leaves no lock and no session behind", async () => {
    const snapshot = await openLockedSnapshot({ ...common, table: OTHER, endpoint });
    await servers.a.root("INSERT INTO t.other VALUES (1000)");
    await snapshot.close();
    await sleep(50);
    const left = await servers.a.root(`SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '${endpoint.user}'`);
    expect(left).toEqual([]);
  });
});

describe("a transaction that keeps the tables", () => {
  test("is waited for without keeping new writers waiting, and is named in the end", async () => {
    // Whoever writes after a lock was asked for waits behind it.
    await servers.a.root("SET GLOBAL max_write_lock_count = 1");
    const holder = await writer();
    await holder.query("BEGIN");
    await holder.query("INSERT INTO t.other VALUES (900000)");
    const other = await writer();
    let worstMs = 0;
    let stop = false;
    const writing = (async () => {
      while (!stop) {
        const begin = performance.now();
        await other.query(`INSERT INTO t.other VALUES (${++key})`);
        worstMs = Math.max(worstMs, performance.now() - begin);
        await sleep(2);
      }
    })();
    const failing = openLockedSnapshot({ ...common, table: OTHER, attempts: 2, lockWaitMs: 800, endpoint });
    await expect(failing).rejects.toMatchObject({
      code: "MYSQL_SNAPSHOT_LOCK_TIMEOUT",
      message: expect.stringContaining(`t.other is held by connection ${holder.threadId} of writer`),
    });
    stop = true;
    await writing;
    await servers.a.root("SET GLOBAL max_write_lock_count = DEFAULT");
    expect(worstMs).toBeLessThan(600);
    await holder.query("ROLLBACK");
    await (await openLockedSnapshot({ ...common, table: OTHER, endpoint })).close();
    await Promise.all([holder.close(), other.close()]);
  }, 30_000);

  test("and cannot be seen makes writers wait no longer than the bound, even where they wait behind a lock", async () => {
    await servers.a.root("SET GLOBAL max_write_lock_count = 1");
    const holder = await writer();
    await holder.query("BEGIN");
    await holder.query("INSERT INTO t.other VALUES (900000)");
    const other = await writer();
    const waits: number[] = [];
    let stop = false;
    const writing = (async () => {
      while (!stop) {
        const begin = performance.now();
        await other.query(`INSERT INTO t.other VALUES (${++key})`);
        waits.push(performance.now() - begin);
        await sleep(2);
      }
    })();
    const blind = servers.a.endpoint("blind", "b");
    const failing = openLockedSnapshot({ ...common, table: OTHER, attempts: 2, endpoint: blind });
    await expect(failing).rejects.toMatchObject({ code: "MYSQL_SNAPSHOT_LOCK_TIMEOUT" });
    const opening = openLockedSnapshot({ ...common, table: OTHER, attempts: 4, endpoint: blind });
    await sleep(300);
    await holder.query("ROLLBACK");
    await (await opening).close();
    stop = true;
    await writing;
    await servers.a.root("SET GLOBAL max_write_lock_count = DEFAULT");
    expect(Math.max(...waits)).toBeGreaterThan(100);
    expect(Math.max(...waits)).toBeLessThan(200 + 250);
    await Promise.all([holder.close(), other.close()]);
  }, 30_000);

  test("that is prepared (XA) keeps the snapshot from being taken", async () => {
    const holder = await writer();
    await holder.query("XA START 'x'");
    await holder.query("INSERT INTO t.other VALUES (77)");
    await holder.query("XA END 'x'");
    await holder.query("XA PREPARE 'x'");
    await holder.close();
    const failing = openLockedSnapshot({ ...common, table: OTHER, attempts: 2, lockWaitMs: 800, endpoint });
    await expect(failing).rejects.toMatchObject({
      code: "MYSQL_SNAPSHOT_LOCK_TIMEOUT",
      message: expect.stringContaining("a prepared XA transaction"),
    });
    const ender = await writer();
    await ender.query("XA COMMIT 'x'");
    await ender.close();
    const snapshot = await openLockedSnapshot({ ...common, table: OTHER, endpoint });
    expect(await snapshot.connections[0]?.one("SELECT id FROM t.other WHERE id = 77")).toEqual({ id: "77" });
    await snapshot.close();
  }, 30_000);

  test("can be given up on, and everything is closed", async () => {
    const holder = await writer();
    await holder.query("BEGIN");
    await holder.query("INSERT INTO t.other VALUES (900000)");
    const failing = openLockedSnapshot({
      ...common,
      table: OTHER,
      attempts: 100,
      endpoint,
      signal: AbortSignal.timeout(150),
    });
    await expect(failing).rejects.toMatchObject({ code: "CANCELLED" });
    await holder.close();
    await sleep(50);
    const left = await servers.a.root(`SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '${endpoint.user}'`);
    expect(left).toEqual([]);
  });
});
