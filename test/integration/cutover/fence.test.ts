import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { Attempt } from "../../../src/cutover/attempt.ts";
import { raiseCounters } from "../../../src/cutover/counters.ts";
import { lockTables } from "../../../src/cutover/fence.ts";
import { createTriggers } from "../../../src/cutover/fence-triggers.ts";
import type { MysqlHome } from "../../../src/cutover/mysql-home.ts";
import type { HomeSession, SwitchPorts } from "../../../src/cutover/ports.ts";
import { openSessions } from "../../../src/cutover/step-sessions.ts";
import { DEFAULT_SWITCH_LIMITS, type SwitchLimits } from "../../../src/cutover/switch-options.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { ddlBehindTheFence } from "./ddl-behind-the-fence.ts";
import { app, closeAll, errnoOf, homeOn, pendingLocks, prepareServer, TABLES, uuidOf } from "./fenced-server.ts";

const SIGNALLED = 1644;
/** As a proxy marks what it opens. */
const PROXIED = { switchyard_proxy: "boot-1" };

describe("the fence on a real server", () => {
  let servers: { old: TestServer; new: TestServer };
  let session: HomeSession | undefined;
  let stop = new AbortController();
  const endsOf = async () => {
    const [oldUuid, newUuid] = await Promise.all([uuidOf(servers.old), uuidOf(servers.new)]);
    return { oldHome: "old", newHome: "new", oldUuid, newUuid } as const;
  };
  const ports = {
    clock: systemClock,
    log: silentLogger,
    failpoint: noFailpoints,
    signal: new AbortController().signal,
  } as unknown as SwitchPorts;
  const lock = (
    on: HomeSession,
    mode: "write" | "read" = "write",
    { fenceWaitMs }: Pick<SwitchLimits, "fenceWaitMs"> = DEFAULT_SWITCH_LIMITS,
  ): Promise<void> => {
    const limits = { ...DEFAULT_SWITCH_LIMITS, fenceWaitMs };
    return lockTables({ session: on, ports, limits, mode, tables: TABLES, home: "old" });
  };

  beforeAll(async () => {
    servers = await startServers(["old", "new"]);
    await Promise.all([prepareServer(servers.old), prepareServer(servers.new)]);
  }, 120_000);
  afterAll(() => stopServers(servers));
  afterEach(async () => {
    stop.abort();
    stop = new AbortController();
    await session?.close().catch(() => undefined);
    const cleaner = await homeOn(servers.old).open({ takeOver: "kill-holder" });
    await cleaner.dropFences("clean");
    await cleaner.close();
  });

  test.each(["oldUuid", "newUuid"] as const)(
    "is not begun where an address leads to another server than the streams use (%s), nor is that one watched",
    async (moved) => {
      const ends = { ...(await endsOf()), [moved]: "uuid-before" };
      const home = (name: "old" | "new"): MysqlHome => homeOn(servers[name]);
      const attempt = { ports: { home }, ends } as unknown as Attempt;
      await expect(openSessions(attempt)).rejects.toMatchObject({ code: "CUTOVER_SERVER_CHANGED" });
      await closeAll(attempt.oldSession, attempt.newSession);
      const other = moved === "oldUuid" ? "old" : "new";
      expect(await servers[other].root("SELECT IS_USED_LOCK('switchyard:m1') id")).toEqual([{ id: null }]);
      await expect(home(other).watchStrays("", "uuid-before")).rejects.toMatchObject({
        code: "CUTOVER_SERVER_CHANGED",
      });
    },
  );

  // 1. A diff's session has read the tables on both homes, and its controller or its link has gone. 2. A switch is refused the
  // tables by it, and says whose it is. 3. The next one ends it first, and no session of anybody else.
  test("names what a diff of ours has left, which is ended when the next switch begins", async () => {
    const diffs = [];
    for (const [server, migration] of [
      [servers.old, "m1"],
      [servers.new, "m1"],
      [servers.old, "m2"],
    ] as const) {
      const attributes = { switchyard_migration: migration, switchyard_role: "diff" };
      const diff = await Connection.connect(server.endpoint("mover", "mover"), { attributes });
      await diff.query("BEGIN");
      if (migration === "m1") await diff.query("SELECT * FROM shop.items, shop.orders");
      diffs.push(diff);
    }
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const target = await homeOn(servers.new).open({ takeOver: "never" });
    const named = new RegExp(`connection ${diffs[0]?.threadId} mover@.*ours, of a diff.*shop.items.*Try again`, "s");
    await expect(lock(session, "write", { fenceWaitMs: 50 })).rejects.toThrow(named);
    await servers.old.root("INSERT INTO shop.items (id, a) VALUES (5000, 1)");
    await expect(raiseCounters(session, target, "token", 0n)).rejects.toThrow(
      new RegExp(`CUTOVER_COUNTER_REFUSED.*connection ${diffs[1]?.threadId} mover@.*ours, of a diff.*Try again`, "s"),
    );
    await closeAll(session, target);
    const store = { get: () => Promise.reject(new Error("both are open")) };
    const attempt = { ports: { home: (name: "old" | "new") => homeOn(servers[name]), store }, ends: await endsOf() };
    await expect(openSessions(attempt as unknown as Attempt)).rejects.toThrow("both are open");
    const { oldSession, newSession } = attempt as unknown as Attempt;
    await Promise.all(diffs.slice(0, 2).map((diff) => diff.closed));
    await lock(oldSession as HomeSession);
    await raiseCounters(oldSession as HomeSession, newSession as HomeSession, "token", 0n);
    await closeAll(oldSession, newSession);
    await diffs[2]?.query("SELECT 1");
    await closeAll(...diffs);
  });

  test("names the open transaction that stands in its way, and leaves nothing pending behind it", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const client = await app(servers.old, { program_name: "shop-api" });
    await client.query("BEGIN");
    await client.query("UPDATE shop.items SET a = a + 1");
    const started = performance.now();
    const error = await lock(session).catch((thrown: unknown) => thrown);
    expect(performance.now() - started).toBeLessThan(1500);
    expect(error).toBeInstanceOf(SwitchyardError);
    expect((error as SwitchyardError).code).toBe("CUTOVER_FENCE_BLOCKED");
    expect((error as SwitchyardError).message).toContain(`connection ${client.threadId} app@`);
    expect((error as SwitchyardError).message).toContain("(shop-api): open transaction, idle");
    expect((error as SwitchyardError).message).toContain("shop.items");
    expect(await pendingLocks(servers.old)).toBe(0);
    // Others were never kept waiting, and the transaction itself ends as it wishes.
    const other = await app(servers.old);
    await other.query("SELECT * FROM shop.items");
    await client.query("UPDATE shop.orders SET a = a + 1");
    await client.query("COMMIT");
    await closeAll(client, other);
  });

  test("waits for a transaction that ends in time, without making it a deadlock's victim", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const client = await app(servers.old);
    await client.query("BEGIN");
    await client.query("UPDATE shop.orders SET a = a + 1");
    const locking = lock(session);
    await sleep(150);
    await client.query("UPDATE shop.items SET a = a + 1");
    await client.query("COMMIT");
    await locking;
    await session.prove();
    await session.unlock();
    await client.close();
  });

  /** Between an abort in the store and the end of its fence, held statements go out: they may wait, and may not fail. */
  test("keeps clients waiting until it is taken back, where a server that is read_only tells them errors", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const client = await app(servers.old);
    const insert = "INSERT INTO shop.items (a) VALUES (1)";
    await servers.old.root("SET GLOBAL read_only = ON");
    const refused = await errnoOf(client.query(insert));
    await servers.old.root("SET GLOBAL read_only = OFF");
    expect(refused).toBe(1290);
    for (const mode of ["write", "read"] as const) {
      await lock(session, mode);
      const waiting = errnoOf(client.query(insert));
      await vi.waitFor(async () => expect(await pendingLocks(servers.old)).toBe(1), { timeout: 10_000, interval: 5 });
      await session.unlock();
      expect(await waiting).toBeUndefined();
    }
    await client.close();
  });

  test("takes a lock that is not granted back by interrupting it, long before the server's own whole second", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const client = await app(servers.old);
    await client.query("BEGIN");
    await client.query("SELECT * FROM shop.parts");
    const started = performance.now();
    expect(await session.lock("write", 60)).toBe(false);
    expect(performance.now() - started).toBeLessThan(600);
    expect(await pendingLocks(servers.old)).toBe(0);
    // Interrupted, it still works: no late KILL QUERY ends a later statement.
    await session.prove();
    expect(await session.lock("read", 500)).toBe(true);
    await session.unlock();
    await client.query("COMMIT");
    await client.close();
  });

  test("is granted among statements that come and go all the time", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const writers = await hammer(servers.old, stop.signal, 6);
    await sleep(100);
    await lock(session);
    const before = await session.executed();
    await sleep(80);
    expect(await session.executed()).toBe(before);
    await session.unlock();
    stop.abort();
    const { failures } = await writers.ended;
    expect(failures).toEqual([]);
  });

  test("refuses every kind of write for good, and lets our own account pass", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await lock(session);
    const waiting = await app(servers.old);
    const queued = errnoOf(waiting.query("INSERT INTO shop.items (a) VALUES (5)"));
    await session.installFences("token1");
    await session.installFences("token1");
    await session.unlock();
    expect(await queued, "a write that queued behind the lock").toBe(SIGNALLED);
    expect((await session.fences()).filter((fence) => fence.complete && fence.token === "token1")).toHaveLength(3);
    const client = await app(servers.old);
    for (const sql of [
      "INSERT INTO shop.items (a) VALUES (2)",
      "INSERT IGNORE INTO shop.items (a) VALUES (2)",
      "REPLACE INTO shop.items (id, a) VALUES (1, 2)",
      "INSERT INTO shop.items (id, a) VALUES (1, 2) ON DUPLICATE KEY UPDATE a = 9",
      "INSERT INTO shop.items (a) SELECT a FROM shop.orders",
      "UPDATE shop.items SET a = 9",
      "UPDATE IGNORE shop.items SET a = 9",
      "UPDATE shop.items i JOIN shop.orders o USING (id) SET i.a = 9",
      "DELETE FROM shop.items",
      "DELETE IGNORE FROM shop.items",
    ]) {
      expect(await errnoOf(client.query(sql)), sql).toBe(SIGNALLED);
    }
    const load = client.loadLocal("LOAD DATA LOCAL INFILE 'x' INTO TABLE shop.items (a)", lines("7\n"));
    expect(await errnoOf(load), "LOAD DATA").toBe(SIGNALLED);
    const [row] = await client.rows("SELECT COUNT(*) n, MAX(a) m FROM shop.items");
    expect(row?.["m"]).not.toBe("9");
    const own = await Connection.connect(servers.old.endpoint("mover", "mover"));
    await own.query("UPDATE shop.items SET b = 'by the stream'");
    await session.dropFences("token1");
    expect(await session.fences()).toEqual([]);
    await client.query("INSERT INTO shop.items (a) VALUES (2)");
    await closeAll(client, own, waiting);
  });

  test("does not take a user whose name differs in case alone for our own", async () => {
    await servers.old.root(
      "CREATE USER IF NOT EXISTS 'MOVER'@'%' IDENTIFIED BY 'x'; GRANT ALL ON shop.* TO 'MOVER'@'%'",
    );
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await lock(session);
    await session.installFences("token2");
    await session.unlock();
    const client = await Connection.connect(servers.old.endpoint("MOVER", "x"));
    expect(await errnoOf(client.query("UPDATE shop.items SET a = 9"))).toBe(SIGNALLED);
    await client.close();
  });

  test("writes its DDL into the binary log with our comment", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await lock(session);
    await session.installFences("token3");
    await session.unlock();
    await session.raiseAutoIncrement("shop.items", 500n, "token3");
    await session.dropFences("token3");
    const log = await servers.old.root("SHOW BINARY LOGS");
    const file = log.at(-1)?.["Log_name"] ?? "";
    const events = await servers.old.root(`SHOW BINLOG EVENTS IN '${file}'`);
    const ddl = events.map((event) => event["Info"] ?? "").filter((info) => /TRIGGER|ALTER TABLE/.test(info));
    const ours = ddl.filter((info) => info.includes("/* switchyard migration=m1 token=token3 */"));
    expect(ours).toHaveLength(3 * 3 + 3 * 3 + 1);
  });

  ddlBehindTheFence(() => servers.old);

  test("notices at once that its session was killed, and never opens another by itself", async () => {
    const own = await homeOn(servers.old).open({ takeOver: "never" });
    await lock(own);
    const [row] = await servers.old.root("SELECT IS_USED_LOCK('switchyard:m1') id");
    const lost = new Promise<void>((resolve) => own.lost.addEventListener("abort", () => resolve()));
    await servers.old.root(`KILL ${row?.["id"]}`);
    await lost;
    await expect(own.prove()).rejects.toMatchObject({ code: "CUTOVER_SESSION_LOST" });
    await expect(own.unlock()).rejects.toMatchObject({ code: "CUTOVER_SESSION_LOST" });
    await expect(own.installFences("late")).rejects.toMatchObject({ code: "CUTOVER_SESSION_LOST" });
    const client = await app(servers.old);
    await client.query("INSERT INTO shop.items (a) VALUES (1)");
    expect(await servers.old.root("SELECT IS_USED_LOCK('switchyard:m1') id")).toEqual([{ id: null }]);
    await closeAll(client, own);
  });

  test("keeps its session for ten times the longest hold, idle or not", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const [row] = await servers.old.root(
      "SELECT VARIABLE_VALUE seconds FROM performance_schema.variables_by_thread v JOIN performance_schema.threads t " +
        "USING (THREAD_ID) WHERE VARIABLE_NAME = 'wait_timeout' AND PROCESSLIST_ID = IS_USED_LOCK('switchyard:m1')",
    );
    expect(Number(row?.["seconds"]) * 1000).toBeGreaterThanOrEqual(10 * DEFAULT_SWITCH_LIMITS.holdBudgetMs);
  });

  test("is one session for a migration: a second is refused, and a take-over ends the first", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await expect(homeOn(servers.old).open({ takeOver: "never" })).rejects.toMatchObject({
      code: "CUTOVER_SESSION_HELD",
    });
    const other = await homeOn(servers.old, "m2").open({ takeOver: "never" });
    const successor = await homeOn(servers.old).open({ takeOver: "kill-holder" });
    await expect(session.prove()).rejects.toMatchObject({ code: "CUTOVER_SESSION_LOST" });
    await other.prove();
    await closeAll(successor, other);
  });

  test.each(["kill-holder", "keep-lock"] as const)(
    "is not ended by a controller that finds, once it knows whose session it is, that its attempt is over (%s)",
    async (takeOver) => {
      session = await homeOn(servers.old).open({ takeOver: "never" });
      await lock(session);
      const over = new Error("the attempt is over");
      const late = homeOn(servers.old).open({ takeOver, stillOurs: () => Promise.reject(over) });
      await expect(late).rejects.toBe(over);
      await session.prove();
      await session.unlock();
    },
  );

  test("passes to a successor with no moment at which a write gets in, on any of several tables", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await lock(session);
    const before = await session.executed();
    const writers = await hammer(servers.old, stop.signal, 12);
    await sleep(100);
    const successor = await homeOn(servers.old).open({ takeOver: "keep-lock" });
    await sleep(50);
    expect(await successor.executed(), "nothing was written while the lock changed hands").toBe(before);
    await expect(session.prove()).rejects.toMatchObject({ code: "CUTOVER_SESSION_LOST" });
    await successor.prove();
    await successor.installFences("token4");
    await successor.unlock();
    await sleep(50);
    stop.abort();
    const { failures, written } = await writers.ended;
    expect(written).toBe(0);
    expect(new Set(failures)).toEqual(new Set([SIGNALLED]));
    await successor.close();
  });

  test("beside a reader, lets it finish, keeps writers out meanwhile, and then becomes a lock for writing", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const reader = await app(servers.old);
    await reader.query("BEGIN");
    await reader.query("SELECT * FROM shop.items");
    await lock(session, "read");
    const before = await session.executed();
    const writers = await hammer(servers.old, stop.signal, 6);
    expect(await reader.rows("SELECT COUNT(*) n FROM shop.items")).toHaveLength(1);
    expect((await session.holders()).map((holder) => holder.connectionId)).toEqual([String(reader.threadId)]);
    await reader.query("COMMIT");
    const successor = await homeOn(servers.old).open({ takeOver: "keep-lock" });
    await successor.installFences("token6");
    expect(await onlyOurs(servers.old, before, await successor.executed())).toBe(true);
    await successor.unlock();
    await sleep(50);
    stop.abort();
    expect((await writers.ended).written).toBe(0);
    await closeAll(successor, reader);
  });

  test("gives way to guards with no moment at which a write gets in, and guards fall in one round trip", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await lock(session);
    await session.installFences("token7");
    await session.unlock();
    // Left beside the fences by an attempt that died before it had taken these away: its time is over.
    const left = { migration: "m1", token: "token6", ownUser: "mover", guardUntilUnixSeconds: 1 };
    for (const statement of createTriggers("shop.parts", "guard", left)) await servers.old.root(statement);
    const writers = await hammer(servers.old, stop.signal, 6);
    await sleep(30);
    await session.installGuards("token7");
    expect(await session.fences()).toEqual([]);
    const triggers = "FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'";
    const guards = await servers.old.root(`SELECT ACTION_STATEMENT body ${triggers}`);
    expect(guards.filter(({ body }) => body?.includes("token=token7"))).toHaveLength(3 * TABLES.length);
    await sleep(30);
    stop.abort();
    expect((await writers.ended).written, "fenced, then guarded").toBe(0);
    const client = await app(servers.old);
    expect(await errnoOf(client.query("INSERT INTO shop.parts (a) VALUES (1)"))).toBe(SIGNALLED);
    const own = await Connection.connect(servers.old.endpoint("mover", "mover"));
    await own.query("INSERT INTO shop.parts (a) VALUES (2)");
    await session.liftGuard();
    await session.liftGuard();
    const proxied = await app(servers.old, PROXIED);
    await proxied.query("INSERT INTO shop.parts (a) VALUES (3)");
    expect(await errnoOf(client.query("INSERT INTO shop.parts (a) VALUES (4)"))).toBe(SIGNALLED);
    // What waits for nobody is given its time.
    expect(await session.removeGuards("token7", 0)).toBe(true);
    await client.query("INSERT INTO shop.parts (a) VALUES (5)");
    expect(await servers.old.root(`SELECT COUNT(*) n ${triggers}`)).toEqual([{ n: "0" }]);
    await closeAll(client, own, proxied);
  });

  // 1. Guards have taken the place of fences. 2. Their session dies. 3. Whether the home is in use by now nobody on the server
  // can say: the proxies' clients must get in, also where nothing can be told of sessions; nobody else may while it can.
  test("a guard whose session is lost shuts no proxy's client out, and for a time whoever comes past the proxies", async () => {
    const own = await homeOn(servers.old).open({ takeOver: "never" });
    await own.installGuards("token8");
    const long = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [`of-the-client-${index}`, "x".repeat(60)]),
    );
    const proxied = [await app(servers.old, PROXIED), await app(servers.old, { ...PROXIED, ...long })];
    const past = await app(servers.old, { program_name: "cron" });
    const write = "INSERT INTO shop.parts (a) VALUES (1)";
    for (const client of [...proxied, past]) expect(await errnoOf(client.query(write))).toBe(SIGNALLED);
    const [row] = await servers.old.root("SELECT IS_USED_LOCK('switchyard:m1') id");
    await servers.old.root(`KILL ${row?.["id"]}`);
    await sleep(50);
    for (const statement of [write, "UPDATE shop.parts SET a = a + 1 LIMIT 1", "DELETE FROM shop.parts LIMIT 1"]) {
      for (const client of proxied) await client.query(statement);
      expect(await errnoOf(past.query(statement)), statement).toBe(SIGNALLED);
    }
    const grant = "SELECT ON `performance\\_schema`.*";
    await servers.old.root(`REVOKE ${grant} FROM mover`);
    for (const client of [...proxied, past]) await client.query(write);
    await servers.old.root(`GRANT ${grant} TO mover`);
    expect(await errnoOf(past.query(write))).toBe(SIGNALLED);
    await closeAll(own, past, ...proxied);
  });

  test("a guard that nobody has come for refuses nobody past its time, which is the server's own", async () => {
    const past = await app(servers.old);
    const now = Math.floor(Date.now() / 1000);
    for (const [until, errno] of [
      [now + 600, SIGNALLED],
      [now - 600, undefined],
    ] as const) {
      const definition = { migration: "m1", token: "token8", ownUser: "mover", guardUntilUnixSeconds: until };
      for (const statement of createTriggers("shop.parts", "guard", definition)) await servers.old.root(statement);
      for (const timestamp of ["1", "2147483647", "DEFAULT"]) {
        await past.query(`SET timestamp = ${timestamp}, time_zone = '+09:00'`);
        expect(await errnoOf(past.query("INSERT INTO shop.parts (a) VALUES (1)"))).toBe(errno);
      }
      const cleaner = await homeOn(servers.old).open({ takeOver: "kill-holder" });
      await cleaner.dropFences("clean");
      await cleaner.close();
    }
    await past.close();
  });

  test("a guard is taken off a home in use without keeping its clients waiting behind a long transaction", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await session.installGuards("token9");
    await session.liftGuard();
    const long = await app(servers.old, PROXIED);
    await long.query("BEGIN");
    await long.query("INSERT INTO shop.items (a) VALUES (1)");
    const started = performance.now();
    expect(await session.removeGuards("token9", 30)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1500);
    expect(await pendingLocks(servers.old)).toBe(0);
    await long.query("COMMIT");
    expect(await session.removeGuards("token9", 300)).toBe(true);
    await long.close();
  });

  // 1. A client's transaction has read the table. 2. DDL on the table waits for it. 3. The client writes to the table,
  // for which it needs a stronger lock, behind the DDL: a circle, and the server would end the client's transaction.
  test("a guard that is taken off makes no transaction a deadlock's victim that has read and now writes", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await session.installGuards("token10");
    await session.liftGuard();
    const client = await app(servers.old, PROXIED);
    await client.query("BEGIN");
    await client.query("SELECT * FROM shop.items");
    const removing = session.removeGuards("token10", 500);
    await sleep(100);
    await client.query("INSERT INTO shop.items (a) VALUES (1)");
    await client.query("COMMIT");
    await removing;
    expect(await session.removeGuards("token10", 300)).toBe(true);
    await client.close();
  });

  test("locks anew on a take-over when the one who had it is gone", async () => {
    const successor = await homeOn(servers.old).open({ takeOver: "keep-lock" });
    const client = await app(servers.old);
    const write = client.query("INSERT INTO shop.parts (a) VALUES (1)");
    const first = await Promise.race([write.then(() => "written"), sleep(150).then(() => "waits")]);
    expect(first).toBe("waits");
    await successor.unlock();
    await write;
    await closeAll(successor, client);
  });

  test("raises AUTO_INCREMENT to what the old home would give next, cached statistics or not", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    const target = await homeOn(servers.new).open({ takeOver: "never" });
    await session.autoIncrements();
    await servers.old.root("INSERT INTO shop.orders (a) VALUES (1), (2), (3); DELETE FROM shop.orders WHERE a > 1");
    await servers.old.root("START TRANSACTION; INSERT INTO shop.orders (a) VALUES (7), (8); ROLLBACK");
    await lock(session);
    await raiseCounters(session, target, "token5", 0n);
    expect(await target.autoIncrements()).toEqual(await session.autoIncrements());
    await session.unlock();
    await servers.old.root("INSERT INTO shop.orders (id, a) VALUES (NULL, 100)");
    await servers.new.root("INSERT INTO shop.orders (id, a) VALUES (NULL, 100)");
    const id = "SELECT MAX(id) id FROM shop.orders WHERE a = 100";
    expect(await servers.new.root(id)).toEqual(await servers.old.root(id));
    await raiseCounters(session, target, "token5", 1000n);
    await target.close();
  });

  test("ends the connections of a proxy that vanished, also one that waits for a row lock", async () => {
    session = await homeOn(servers.old).open({ takeOver: "never" });
    await servers.old.root("REPLACE INTO shop.items (id, a) VALUES (1, 1)");
    const blocker = await app(servers.old);
    await blocker.query("BEGIN");
    await blocker.query("UPDATE shop.items SET a = 50 WHERE id = 1");
    const vanished = await app(servers.old, { switchyard_proxy: "boot-1" });
    const late = vanished.query("UPDATE shop.items SET a = 77 WHERE id = 1").catch(() => undefined);
    await sleep(100);
    vanished.destroy();
    await sleep(50);
    expect(await session.connectionsOf(["boot-1"]), "closing its socket did not end it").toHaveLength(1);
    await session.kill(await session.connectionsOf(["boot-1", "boot-2"]));
    while ((await session.connectionsOf(["boot-1"])).length > 0) await sleep(5);
    await blocker.query("COMMIT");
    await late;
    const [row] = await blocker.rows("SELECT a FROM shop.items WHERE id = 1");
    expect(row?.["a"]).toBe("50");
    await blocker.close();
  });
});

/** Whether everything after `from` is DDL of ours. */
async function onlyOurs(server: TestServer, from: string, to: string): Promise<boolean> {
  const watch = await homeOn(server).watchStrays(from);
  const strays = await watch.upTo(to, { timeoutMs: 5000 });
  await watch.close();
  return strays.length === 0;
}

async function* lines(text: string): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.from(text));
}

/** Clients that write to all tables, one statement after the other, until told to stop. */
async function hammer(
  server: TestServer,
  stop: AbortSignal,
  clients: number,
): Promise<{
  readonly ended: Promise<{ readonly written: number; readonly failures: readonly (number | undefined)[] }>;
}> {
  const connections = await Promise.all(Array.from({ length: clients }, () => app(server)));
  let written = 0;
  const failures: (number | undefined)[] = [];
  const ended = connections.map(async (connection, index) => {
    while (!stop.aborted) {
      const errno = await errnoOf(connection.query(`INSERT INTO ${TABLES[index % TABLES.length]} (a) VALUES (0)`));
      if (errno === undefined) written += 1;
      else failures.push(errno);
    }
    await connection.close();
  });
  return { ended: Promise.all(ended).then(() => ({ written, failures })) };
}
