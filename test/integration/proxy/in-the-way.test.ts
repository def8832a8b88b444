import { setTimeout as sleep } from "node:timers/promises";
import mysql, { type Connection } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { PACKET_PAYLOAD_MAX } from "../../../src/wire/capabilities.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { type Harness, PASSWORD, seed, startHarness, USER } from "./proxy-harness.ts";
import { type Insistent, SwitchSteps } from "./switch-steps.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let opened: Connection[] = [];
let steps: SwitchSteps | undefined;
let tokens = 0;

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  await servers.old.root(
    "CREATE TABLE shop.spare (id INT PRIMARY KEY, note VARCHAR(20)); INSERT INTO shop.spare VALUES (1, 'a')",
  );
  harness = await startHarness(servers);
});

afterEach(async () => {
  await steps?.end();
  for (const client of opened) client.destroy();
  opened = [];
  await servers.old.root("DELETE FROM shop.orders");
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

/** A client that has used the table that is to move, and what it is told unasked. */
async function client(): Promise<{ readonly one: Connection; readonly told: unknown[] }> {
  const one = await harness.connect();
  const told: unknown[] = [];
  one.on("error", ({ code }: { code?: unknown }) => told.push(code));
  opened.push(one);
  await one.query("SELECT COUNT(*) FROM orders");
  return { one, told };
}

async function toDrained(
  how: Insistent,
): Promise<{ readonly error: SwitchyardError | undefined; readonly ms: number }> {
  steps = await SwitchSteps.begin(harness, `attempt-${++tokens}`, how);
  const began = performance.now();
  const error = await steps.toDrained().then(
    () => undefined,
    (cause: unknown) => {
      if (cause instanceof SwitchyardError) return cause;
      throw new Error("the switch broke", { cause });
    },
  );
  return { error, ms: performance.now() - began };
}

const notes = async (): Promise<unknown[]> =>
  (await servers.old.root("SELECT note FROM shop.orders ORDER BY id")).map(({ note }) => note);

const INSERT = "INSERT INTO orders (note) VALUES ('mine')";

describe("a transaction that never ends", () => {
  test.each([
    ["wait", "transactions on old did not end within "],
    ["abort", "none is to be waited for"],
  ] as const)("with --open-transactions=%s aborts the switch by name, and goes on", async (openTransactions, what) => {
    const { one } = await client();
    await one.query("BEGIN");
    await one.query(INSERT);
    const limits = openTransactions === "abort" ? { drainTimeoutMs: 5000 } : {};
    const { error, ms } = await toDrained({ openTransactions, limits });
    expect(error?.code).toBe("CUTOVER_PROXIES_NOT_READY");
    expect(error?.message).toContain(what);
    const who = `session ${one.threadId} of app (Node-MySQL-2, from 127.0.0.1): a transaction is open for`;
    expect(error?.message).toContain(who);
    expect(error?.message).toContain("s, by: INSERT INTO orders (note) VALUES (?)");
    expect(ms).toBeLessThan(4000);
    await one.query("COMMIT");
    expect(await notes()).toEqual(["mine"]);
  });

  test.each(["COMMIT", "SELECT 1", "BEGIN"])(
    "with --open-transactions=kill is rolled back, and its client told by 1213 at its %s",
    async (next) => {
      const { one } = await client();
      await one.query("BEGIN");
      await one.query(INSERT);
      expect((await toDrained({ openTransactions: "kill" })).error).toBeUndefined();
      await one.ping();
      await expect(one.query(next)).rejects.toMatchObject({ errno: 1213, sqlState: "40001" });
      expect(await notes()).toEqual([]);
      await steps?.end();
      await one.query(INSERT);
      expect(await notes()).toEqual(["mine"]);
    },
  );

  test("with --open-transactions=kill is told nothing where its client rolls back, also by a prepared statement", async () => {
    const [{ one }, { one: two }] = [await client(), await client()];
    for (const each of [one, two]) await each.query("BEGIN");
    for (const each of [one, two]) await each.execute(INSERT);
    expect((await toDrained({ openTransactions: "kill" })).error).toBeUndefined();
    await one.query("ROLLBACK");
    await expect(two.execute("COMMIT")).rejects.toMatchObject({ errno: 1213 });
    await steps?.end();
    expect(await notes()).toEqual([]);
  });

  test("with --open-transactions=kill is told by 1213 at a statement of many packets, which is not executed", async () => {
    const { one } = await client();
    await one.query("BEGIN");
    await one.query(INSERT);
    expect((await toDrained({ openTransactions: "kill" })).error).toBeUndefined();
    const large = `INSERT INTO spare VALUES (2, LEFT('${"x".repeat(PACKET_PAYLOAD_MAX)}', 3))`;
    await expect(one.query(large)).rejects.toMatchObject({ errno: 1213 });
    expect(await servers.old.root("SELECT id FROM shop.spare")).toEqual([{ id: "1" }]);
    await one.query("SELECT 1");
  });

  test("with --open-transactions=kill is rolled back also where the session's ROLLBACK begins another, or leaves", async () => {
    const [{ one }, { one: two }] = [await client(), await client()];
    await one.query("SET completion_type = 'CHAIN'");
    await two.query("SET completion_type = 'RELEASE'");
    for (const each of [one, two]) await each.query("BEGIN");
    for (const each of [one, two]) await each.query(INSERT);
    expect((await toDrained({ openTransactions: "kill" })).error).toBeUndefined();
    for (const each of [one, two]) await expect(each.query("SELECT 1")).rejects.toMatchObject({ errno: 1213 });
    for (const each of [one, two]) await each.query("UPDATE spare SET note = 'e'");
    expect(await servers.old.root("SELECT note FROM shop.spare")).toEqual([{ note: "e" }]);
  });

  /**
   * 1. A transaction has written, and its next statement waits for a row that somebody else has locked.
   * 2. The switch waits, and then has it ended: the statement first, by KILL QUERY.
   * 3. Its client hears 1317 of the statement and still believes in the transaction; its COMMIT must not look like one.
   */
  test("with --open-transactions=kill and a statement that runs is told of both, one after the other", async () => {
    const { host, port } = servers.old;
    const locker = await mysql.createConnection({ host, port, user: USER, password: PASSWORD, database: "shop" });
    opened.push(locker);
    await locker.query("BEGIN");
    await locker.query("UPDATE spare SET note = 'b'");
    const { one } = await client();
    await one.query("BEGIN");
    await one.query(INSERT);
    const running = one.query("UPDATE spare SET note = 'c'").catch((error: unknown) => error);
    await sleep(30);
    expect((await toDrained({ openTransactions: "kill" })).error).toBeUndefined();
    expect(await running).toMatchObject({ errno: 1317 });
    await expect(one.query("COMMIT")).rejects.toMatchObject({ errno: 1213 });
    expect(await notes()).toEqual([]);
  });
});

describe("a drainTimeoutMs that is longer than all there is", () => {
  const drainTimeoutMs = 10_000;

  /** A transaction that is rolled back for a switch that then aborts all the same was ended for nothing. */
  test("leaves --open-transactions=kill half of the hold to end a transaction and to switch", async () => {
    const { one } = await client();
    await one.query("BEGIN");
    await one.query(INSERT);
    const limits = { drainTimeoutMs, holdBudgetMs: 800 };
    const { error, ms } = await toDrained({ openTransactions: "kill", limits });
    expect(error).toBeUndefined();
    expect(ms).toBeGreaterThan(400);
    await expect(one.query("COMMIT")).rejects.toMatchObject({ errno: 1213 });
  });

  test("leaves --pinned=kill half of the time to get ready", async () => {
    const { one, told } = await client();
    await one.query("SET rand_seed1 = 7");
    const limits = { drainTimeoutMs, armTimeoutMs: 500 };
    expect((await toDrained({ pinned: "kill", limits })).error).toBeUndefined();
    for (let i = 0; i < 100 && told.length === 0; i++) await sleep(10);
    expect(told[0]).toBe(3169);
  });

  test("is not what the message tells: it is the time that was waited", async () => {
    const { one } = await client();
    await one.query("BEGIN");
    await one.query(INSERT);
    const { error } = await toDrained({ limits: { drainTimeoutMs, holdBudgetMs: 1200 } });
    expect(error?.message).toMatch(/did not end within 1[1-4]\d\d ms/);
    expect(error?.facts.fix).toContain("holdBudgetMs");
  });
});

/**
 * 1. A session has a transaction open, and is ready to follow.
 * 2. Statements are held. It goes on, as it may, and makes a temporary table.
 * 3. Its transaction ends, and with it all that was waited for: after the swap it would be left where it is.
 */
describe("a session that was ready, and makes a temporary table while statements are held", () => {
  async function pinsItselfWhileHeld(how: Insistent): Promise<Awaited<ReturnType<typeof client>> & { error: unknown }> {
    const made = await client();
    await made.one.query("BEGIN");
    await made.one.query(INSERT);
    const drained = toDrained({ ...how, limits: { drainTimeoutMs: 1000 } });
    const token = `attempt-${tokens}`;
    await harness.told(({ holds }) => holds["orders"]?.token === token, "holding");
    await made.one.query("CREATE TEMPORARY TABLE scratch (id INT)");
    await made.one.query("COMMIT").catch(() => undefined);
    if (how.pinned === "wait") {
      await sleep(50);
      await made.one.query("DROP TEMPORARY TABLE scratch");
    }
    return { ...made, error: (await drained).error };
  }

  test("aborts the switch by name", async () => {
    const { error } = await pinsItselfWhileHeld({});
    expect(String(error)).toContain("sessions that were ready cannot follow any more");
    expect(String(error)).toContain("it has the temporary table shop.scratch");
  });

  test("is waited for with --pinned=wait", async () => {
    expect((await pinsItselfWhileHeld({ pinned: "wait" })).error).toBeUndefined();
  });

  test("is ended with --pinned=kill", async () => {
    const { error, told } = await pinsItselfWhileHeld({ pinned: "kill" });
    expect(error).toBeUndefined();
    for (let i = 0; i < 100 && told.length === 0; i++) await sleep(10);
    expect(told[0]).toBe(3169);
  });
});

describe("tables that are locked", () => {
  test("with --open-transactions=kill end their session, which is told why, and are free", async () => {
    const { one, told } = await client();
    await one.query("LOCK TABLES spare WRITE");
    expect(
      (await toDrained({ openTransactions: "kill", pinned: "kill", limits: { armTimeoutMs: 10_000 } })).error,
    ).toBeUndefined();
    await servers.old.root("SET SESSION lock_wait_timeout = 1; UPDATE shop.spare SET note = 'd'");
    for (let i = 0; i < 100 && told.length === 0; i++) await sleep(10);
    expect(told[0]).toBe(3169);
    await expect(one.query("SELECT 1")).rejects.toThrow();
  });
});

describe("a session that is pinned", () => {
  test.each([
    ["abort", "sessions cannot follow"],
    ["wait", "not every session got ready for the new home in time"],
  ] as const)("with --pinned=%s aborts the switch by name, and goes on", async (pinned, what) => {
    const { one } = await client();
    await one.query("CREATE TEMPORARY TABLE scratch SELECT 'secret' AS note");
    const limits = pinned === "abort" ? { armTimeoutMs: 10_000 } : {};
    const { error, ms } = await toDrained({ pinned, limits });
    expect(error?.code).toBe("CUTOVER_PROXIES_NOT_READY");
    expect(error?.message).toContain(what);
    expect(error?.message).toContain("(Node-MySQL-2, from 127.0.0.1): it has the temporary table shop.scratch for");
    expect(error?.message).toContain("by: CREATE TEMPORARY TABLE scratch SELECT ? AS note");
    expect(ms).toBeLessThan(4000);
    await one.query("SELECT * FROM scratch");
  });

  test("with --pinned=wait is waited for until it is free", async () => {
    const { one } = await client();
    await one.query("CREATE TEMPORARY TABLE scratch (id INT)");
    const drained = toDrained({ pinned: "wait", limits: { armTimeoutMs: 10_000 } });
    await sleep(100);
    await one.query("DROP TEMPORARY TABLE scratch");
    expect((await drained).error).toBeUndefined();
  });

  test("with --pinned=kill is ended after drainTimeoutMs, and told why", async () => {
    const [pinned, free] = [await client(), await client()];
    await pinned.one.query("SET rand_seed1 = 7");
    const { error, ms } = await toDrained({ pinned: "kill", limits: { armTimeoutMs: 10_000 } });
    expect(error).toBeUndefined();
    expect(ms).toBeGreaterThan(140);
    for (let i = 0; i < 100 && pinned.told.length === 0; i++) await sleep(10);
    expect(pinned.told[0]).toBe(3169);
    await free.one.query("SELECT 1");
  });
});
