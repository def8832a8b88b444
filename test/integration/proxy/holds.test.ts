import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { SessionReport } from "../../../src/proxy/session-report.ts";
import { SESSIONS_PREFIX } from "../../../src/rules/store-keys.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import {
  abort,
  arm,
  disarm,
  drained,
  type Harness,
  type HarnessOptions,
  hold,
  seed,
  startHarness,
  swap,
  TOKEN,
  USER,
} from "./proxy-harness.ts";
import { startRelay } from "./tcp-relay.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let clients: Connection[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"], { args: ["--max-connections=600"] });
  await seed(servers);
});

beforeEach(async () => {
  for (const server of Object.values(servers)) await server.root("TRUNCATE shop.orders; TRUNCATE shop.other");
  await start();
});

afterEach(async () => {
  for (const client of clients) client.destroy();
  clients = [];
  await harness.close();
});

afterAll(() => stopServers(servers));

async function start(options: HarnessOptions = {}): Promise<void> {
  await harness?.close();
  harness = await startHarness(servers, { ...options, limits: { reportEveryMs: 50, ...options.limits } });
}

async function client(): Promise<Connection> {
  const connection = await harness.connect();
  connection.on("error", () => undefined);
  clients.push(connection);
  return connection;
}

/** A client that has used the table, so that arming gets it ready. */
async function user(): Promise<Connection> {
  const connection = await client();
  await connection.query("SELECT COUNT(*) FROM orders");
  return connection;
}

async function notes(server: "old" | "new", table = "orders"): Promise<(string | null | undefined)[]> {
  return (await servers[server].root(`SELECT note FROM shop.${table} ORDER BY id`)).map((row) => row["note"]);
}

const insert = (table: string, note: string): string => `INSERT INTO ${table} (note) VALUES ('${note}')`;

/** What became of a statement; undefined while it waits. */
function watch(work: Promise<unknown>): { value: unknown } {
  const seen: { value: unknown } = { value: undefined };
  work.then(
    () => {
      seen.value = "done";
    },
    (error: { errno?: number }) => {
      seen.value = error.errno ?? error;
    },
  );
  return seen;
}

async function settled(seen: { value: unknown }): Promise<unknown> {
  for (let i = 0; i < 500 && seen.value === undefined; i++) await sleep(10);
  return seen.value;
}

async function report(): Promise<SessionReport> {
  const { entries } = await harness.store.list(SESSIONS_PREFIX);
  return JSON.parse(entries[0]?.value ?? "{}") as SessionReport;
}

async function waitForHeld(count: number): Promise<void> {
  for (let i = 0; i < 500; i++) {
    const { sessions = [] } = await report();
    if (sessions.filter(({ state }) => state === "held").length >= count) return;
    await sleep(10);
  }
  throw new Error(`${count} held statements were never reported`);
}

describe("two hundred statements that wait", () => {
  test.each([
    ["a switch", "new", swap],
    ["an abort", "old", abort],
  ] as const)("all go on after %s, each once", async (_, home, end) => {
    const all: Connection[] = [];
    for (let i = 0; i < 200; i += 20) all.push(...(await Promise.all(Array.from({ length: 20 }, user))));
    expect((await arm(harness)).armed["orders"]?.blocked).toEqual([]);
    await hold(harness);
    await drained(harness);
    const waiting: Promise<unknown>[] = [];
    for (const [at, one] of all.entries()) waiting.push(one.query(insert("orders", String(at))));
    await waitForHeld(200);
    expect([...(await notes("old")), ...(await notes("new"))]).toEqual([]);
    await end(harness);
    await Promise.all(waiting);
    await disarm(harness);
    const written = (await notes(home)).map(Number);
    expect([...written].sort((a, b) => a - b)).toEqual(all.map((__, at) => at));
    expect(await notes(home === "new" ? "old" : "new")).toEqual([]);
  });
});

describe("a new home that is cold", () => {
  test("gets only so many at a time of the statements that have waited", async () => {
    await start({ limits: { releaseInFlightMax: 4, releaseSlotMs: 10_000 } });
    const all = await Promise.all(Array.from({ length: 24 }, user));
    await arm(harness);
    await hold(harness);
    await drained(harness);
    const waiting = all.map((one) => one.query("INSERT INTO orders (note) SELECT SLEEP(0.05)"));
    await waitForHeld(24);
    let most = 0;
    // A server says `Query` of a session for a moment after it has answered.
    let done = false;
    const seen = (async () => {
      while (!done) {
        const [row] = await servers.new.root(
          `SELECT COUNT(*) AS n FROM performance_schema.processlist WHERE USER = '${USER}' AND STATE = 'User sleep'`,
        );
        most = Math.max(most, Number(row?.["n"]));
      }
    })();
    await swap(harness);
    await Promise.all(waiting);
    done = true;
    await seen;
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
    await disarm(harness);
    expect(await notes("new")).toHaveLength(24);
  });
});

describe("a hold", () => {
  test("lets statements on other tables pass, reads and writes, and keeps both on its own", async () => {
    const [reader, writer, other] = [await user(), await user(), await client()];
    await arm(harness);
    await hold(harness);
    const held = [watch(reader.query("SELECT * FROM orders")), watch(writer.execute(insert("orders", "late")))];
    await other.query(insert("other", "passes"));
    await other.query("SELECT 1");
    await sleep(50);
    expect(held.map(({ value }) => value)).toEqual([undefined, undefined]);
    await abort(harness);
    expect(await Promise.all(held.map(settled))).toEqual(["done", "done"]);
  });

  test("is drained at once where transactions have begun but no server knows of them", async () => {
    const lazy = await user();
    await arm(harness);
    await lazy.beginTransaction();
    await hold(harness);
    await drained(harness);
    const late = watch(lazy.query(insert("orders", "late")));
    await sleep(30);
    expect(late.value).toBeUndefined();
    await swap(harness);
    expect(await settled(late)).toBe("done");
    await lazy.commit();
    expect([await notes("old"), await notes("new")]).toEqual([[], ["late"]]);
  });

  /**
   * 1. A transaction is open on the old home and has touched another table only.
   * 2. The hold comes. Were it taken for drained, the switch could go on.
   * 3. The transaction now writes to the table that is held: it may, and is waited for.
   */
  test("waits for a distributed transaction until it is prepared, and lets pass what ends it at the old home", async () => {
    const [first, second] = [await user(), await user()];
    await first.query("XA START 'x'");
    await first.query(insert("orders", "distributed"));
    await first.query("XA END 'x'");
    await arm(harness);
    await hold(harness);
    expect((await harness.document()).holds["orders"]?.state).toBe("holding");
    await first.query("XA PREPARE 'x'");
    await drained(harness);
    await second.query("XA COMMIT 'x'");
    expect(await notes("old")).toEqual(["distributed"]);
    await abort(harness);
  });

  test("waits for transactions that have touched other tables only, and lets them touch its own", async () => {
    const open = await client();
    await arm(harness);
    await open.beginTransaction();
    await open.query(insert("other", "first"));
    await hold(harness);
    await sleep(50);
    const told = await harness.document();
    expect(told.holds["orders"]).toMatchObject({ state: "holding", open: [{ reason: "a transaction is open" }] });
    await open.query(insert("orders", "second"));
    await open.commit();
    await drained(harness);
    const late = watch(open.query(insert("orders", "third")));
    await swap(harness);
    expect(await settled(late)).toBe("done");
    expect([await notes("old"), await notes("new")]).toEqual([["second"], ["third"]]);
  });

  test("waits for statements that were in flight, and not for those on other tables", async () => {
    const [slow, elsewhere] = [await user(), await client()];
    await arm(harness);
    const flying = watch(slow.query("INSERT INTO orders (note) SELECT 'slow' FROM (SELECT SLEEP(0.4)) AS s"));
    const other = watch(elsewhere.query("INSERT INTO other (note) SELECT 'slow' FROM (SELECT SLEEP(1.5)) AS s"));
    await sleep(100);
    await hold(harness);
    expect((await harness.document()).holds["orders"]?.state).toBe("holding");
    await drained(harness);
    expect(await settled(flying)).toBe("done");
    expect(other.value).toBeUndefined();
    await abort(harness);
    await settled(other);
  });

  test("waits for a transaction whose client has gone until the server has rolled it back", async () => {
    const gone = await user();
    await arm(harness);
    await gone.beginTransaction();
    await gone.query(insert("orders", "never"));
    await hold(harness);
    gone.destroy();
    await drained(harness);
    expect(await servers.old.root("SELECT COUNT(*) AS n FROM information_schema.innodb_trx")).toEqual([{ n: "0" }]);
    expect(await notes("old")).toEqual([]);
    await abort(harness);
  });

  test("waits for a transaction that is being undone by order though its client has gone, and closes its connection", async () => {
    const relay = await startRelay(servers.old);
    const ownHarness = harness;
    try {
      harness = await startHarness({ old: { host: "127.0.0.1", port: relay.port }, new: servers.new });
      const one = await user();
      await one.query("BEGIN");
      await one.query(insert("orders", "undone"));
      await arm(harness);
      relay.delayMs = 250;
      await hold(harness, { endOpenAfterMs: 0 });
      await sleep(30);
      one.destroy();
      await sleep(50);
      expect((await harness.document()).holds["orders"]?.state).toBe("holding");
      await drained(harness);
      await expect
        .poll(() => servers.old.root(`SELECT COUNT(*) AS n FROM information_schema.processlist WHERE user = '${USER}'`))
        .toEqual([{ n: "0" }]);
    } finally {
      await harness.close();
      harness = ownHarness;
      await relay.close();
    }
  });

  test("that is aborted is not seen by a transaction that began during it and has reached its tables", async () => {
    const late = await user();
    await arm(harness);
    await hold(harness);
    await late.beginTransaction();
    await late.query(insert("other", "one"));
    const reached = watch(late.query(insert("orders", "two")));
    await drained(harness);
    await waitForHeld(1);
    await abort(harness);
    expect(await settled(reached)).toBe("done");
    await late.commit();
    expect([await notes("old", "other"), await notes("old")]).toEqual([["one"], ["two"]]);
  });

  test("that ends in a switch rolls back a transaction that began during it and has reached its tables: 1213", async () => {
    const late = await user();
    await arm(harness);
    await hold(harness);
    await late.beginTransaction();
    await late.query(insert("other", "one"));
    const reached = watch(late.query(insert("orders", "two")));
    await drained(harness);
    await waitForHeld(1);
    await swap(harness);
    expect(await settled(reached)).toBe(1213);
    await late.query(insert("orders", "again"));
    expect([await notes("old", "other"), await notes("old"), await notes("new")]).toEqual([[], [], ["again"]]);
  });

  // 1. A hold has drained: nothing is open on the old home, and the switch counts on it.
  // 2. Sessions that were ready get something that ties them there, by statements that no hold concerns.
  // 3. The tables move before anybody has heard of it.
  test("that has drained moves its tables past sessions that tie themselves to the old home then, which write nothing there", async () => {
    const [temporary, seeded, inside] = [await user(), await user(), await user()];
    await arm(harness);
    await hold(harness);
    await drained(harness);
    await temporary.query("CREATE TEMPORARY TABLE scratch (id INT)");
    await seeded.query("SET rand_seed1 = 7");
    await inside.query("CREATE TEMPORARY TABLE scratch (id INT)");
    await inside.query("BEGIN");
    await inside.query(insert("other", "inside"));
    const waits = watch(temporary.query(insert("orders", "waited")));
    await harness.told((said) => said.armed["orders"]?.blocked.length === 3, "all three are named");
    await swap(harness);
    expect(await settled(waits), "beside its temporary table it uses the new home").toBe("done");
    await expect(seeded.query(insert("orders", "seeded"))).rejects.toMatchObject({ errno: 1235 });
    await expect(inside.query(insert("orders", "inside"))).rejects.toMatchObject({ errno: 1235 });
    await inside.query("ROLLBACK");
    expect([await notes("old"), await notes("new"), await notes("old", "other")]).toEqual([[], ["waited"], []]);
    for (const one of [temporary, inside]) await one.query("DROP TEMPORARY TABLE scratch");
    await seeded.reset();
    for (const one of [temporary, seeded, inside]) await one.query(insert("orders", "free"));
    expect([await notes("old"), await notes("new")]).toEqual([[], ["waited", "free", "free", "free"]]);
  });

  test("keeps prepared statements and goes on with them at the new home", async () => {
    const one = await user();
    const statement = await one.prepare("INSERT INTO orders (client, note) VALUES (?, ?)");
    await statement.execute([1, "before"]);
    await arm(harness);
    await hold(harness);
    const late = statement.execute([2, "after"]);
    await drained(harness);
    await swap(harness);
    await late;
    await statement.execute([3, "later"]);
    expect([await notes("old"), await notes("new")]).toEqual([["before"], ["after", "later"]]);
  });

  /**
   * 1. The session has a temporary table of the held table's name; its transaction is ended by order.
   * 2. Its prepared statement, which means the temporary table now, hears of that.
   * 3. The temporary table goes. The same statement means the held table, and must wait.
   */
  test("keeps a prepared statement that has meant a temporary table of the same name", async () => {
    const one = await user();
    const statement = await one.prepare(insert("orders", "late"));
    await arm(harness);
    await one.query("CREATE TEMPORARY TABLE orders (note VARCHAR(20))");
    await one.query("BEGIN");
    await one.query(insert("other", "undone"));
    await hold(harness, { endOpenAfterMs: 0 });
    await drained(harness);
    await expect(statement.execute([])).rejects.toMatchObject({ errno: 1213 });
    await one.query("DROP TEMPORARY TABLE orders");
    const late = watch(statement.execute([]));
    await sleep(30);
    expect(late.value).toBeUndefined();
    await abort(harness);
    expect(await settled(late)).toBe("done");
  });

  /**
   * 1. A prepared text is a constant. By another sql_mode it calls a routine, which may use any table.
   * 2. The session sets that mode. A server that prepares the text anew, as it may at any time, calls the routine.
   */
  test("keeps a prepared statement that may use any table by the present sql_mode alone", async () => {
    const one = await user();
    const statement = await one.prepare("SELECT 'a\\', unknown_to_all() -- ' AS it");
    await arm(harness);
    await hold(harness);
    await statement.execute([]);
    await one.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'");
    const late = watch(statement.execute([]));
    await waitForHeld(1);
    await abort(harness);
    expect(await settled(late)).toBe("done");
  });

  test("refuses statements beyond its bound at once, and keeps those that wait", async () => {
    await start({ limits: { holdStatementsMax: 2 } });
    const all = [await user(), await user(), await user()];
    await arm(harness);
    await hold(harness);
    const [first, second, third] = all.map((one, at) => watch(one.query(insert("orders", String(at)))));
    if (first === undefined || second === undefined || third === undefined) throw new Error("three were started");
    expect(await settled(third)).toBe(1205);
    await abort(harness);
    expect([await settled(first), await settled(second)]).toEqual(["done", "done"]);
    expect((await notes("old")).sort()).toEqual(["0", "1"]);
  });
});

describe("a held statement", () => {
  test("that is killed goes unsent and answers as the server would", async () => {
    const [victim, killer] = [await user(), await client()];
    await arm(harness);
    await hold(harness);
    const held = watch(victim.query(insert("orders", "killed")));
    await waitForHeld(1);
    await killer.query(`KILL QUERY ${victim.threadId}`);
    expect(await settled(held)).toBe(1317);
    await abort(harness);
    await victim.query(insert("orders", "next"));
    expect(await notes("old")).toEqual(["next"]);
  });

  test("whose client has gone is never sent", async () => {
    const [gone, stays] = [await user(), await user()];
    await arm(harness);
    await hold(harness);
    watch(gone.query(insert("orders", "gone")));
    const held = watch(stays.query(insert("orders", "stays")));
    await waitForHeld(2);
    gone.destroy();
    await sleep(50);
    await swap(harness);
    expect(await settled(held)).toBe("done");
    await sleep(50);
    expect([await notes("old"), await notes("new")]).toEqual([[], ["stays"]]);
  });

  test.each([
    ["by its hint", "SELECT /*+ MAX_EXECUTION_TIME(150) */ * FROM orders", undefined],
    ["by its session", "SELECT * FROM orders", "SET SESSION max_execution_time = 150"],
  ])("that has a limit on its time %s is given up as the server would", async (_, text, before) => {
    const limited = await user();
    if (before !== undefined) await limited.query(before);
    await arm(harness);
    await hold(harness);
    expect(await settled(watch(limited.query(text)))).toBe(3024);
    await abort(harness);
    await limited.query(text);
  });

  test("may not be killed by another account", async () => {
    await servers.old.root("CREATE USER IF NOT EXISTS other_app@'%' IDENTIFIED BY 'other-1'");
    const victim = await user();
    const stranger = await harness.connect({ user: "other_app", password: "other-1", database: "" });
    clients.push(stranger);
    await arm(harness);
    await hold(harness);
    const held = watch(victim.query(insert("orders", "kept")));
    await waitForHeld(1);
    await expect(stranger.query(`KILL QUERY ${victim.threadId}`)).rejects.toMatchObject({ errno: 1095 });
    await abort(harness);
    expect(await settled(held)).toBe("done");
  });
});

describe("arming", () => {
  test("logs every session that has used the tables in to the new home, with its state, before the hold", async () => {
    const uses = await user();
    await uses.query("SET SESSION time_zone = '+05:00'");
    await client();
    const at = async (): Promise<string | null | undefined> =>
      (await servers.new.root("SELECT COUNT(*) AS n FROM performance_schema.processlist WHERE USER = 'app'"))[0]?.["n"];
    expect(await at()).toBe("0");
    const told = await arm(harness);
    expect(await at()).toBe("1");
    for (const name of ["old", "new"] as const) {
      const [row] = await servers[name].root("SELECT @@global.server_uuid AS uuid");
      const uuid = row?.["uuid"];
      expect(told.servers[name], `the server behind ${name}`).toEqual({ newest: uuid, open: [uuid] });
    }
    await hold(harness);
    await drained(harness);
    await swap(harness);
    const [[row]] = await uses.query<RowDataPacket[]>("SELECT @@time_zone AS zone, COUNT(*) AS n FROM orders");
    expect(row?.["zone"]).toBe("+05:00");
  });

  test("names the sessions that cannot move, and why, until they can", async () => {
    const [temporary, variable, locks] = [await user(), await user(), await user()];
    await temporary.query("CREATE TEMPORARY TABLE scratch (id INT)");
    await variable.query("SET rand_seed1 = 7");
    await locks.query("LOCK TABLES orders READ");
    const told = await arm(harness);
    const blocked = [...(told.armed["orders"]?.blocked ?? [])].sort((a, b) => (a.reason < b.reason ? -1 : 1));
    const app = { user: "app", program: "Node-MySQL-2", address: "127.0.0.1", forMs: expect.any(Number) };
    expect(blocked).toMatchObject([
      { ...app, reason: "it has locked tables", statement: "LOCK TABLES orders READ" },
      {
        ...app,
        reason: "it has the temporary table shop.scratch",
        statement: "CREATE TEMPORARY TABLE scratch (id INT)",
      },
      { ...app, reason: "the session variable rand_seed1 was set", statement: "SET rand_seed1 = ?" },
    ]);
    await temporary.query("DROP TABLE scratch");
    await locks.query("UNLOCK TABLES");
    await variable.end();
    await harness.told(({ armed }) => armed["orders"]?.blocked.length === 0, "that all can move");
    await abort(harness);
  });

  test("names a session whose account the new home does not let in", async () => {
    await servers.old.root("CREATE USER only_old@'%' IDENTIFIED BY 'only-1'; GRANT ALL ON shop.* TO only_old@'%'");
    const one = await harness.connect({ user: "only_old", password: "only-1" });
    clients.push(one);
    await one.query("SELECT * FROM orders");
    const told = await arm(harness);
    expect(told.armed["orders"]?.blocked).toMatchObject([
      { user: "only_old", reason: expect.stringMatching(/^it cannot log in to new: Access denied/) },
    ]);
    await abort(harness);
  });

  test("includes sessions that use the tables for the first time while it lasts", async () => {
    await arm(harness);
    const late = await user();
    for (let i = 0; i < 200; i++) {
      const { sessions = [] } = await report();
      if (sessions.find(({ id }) => id === String(late.threadId))?.backends["new"] !== undefined) break;
      await sleep(10);
    }
    const { sessions } = await report();
    expect(sessions.find(({ id }) => id === String(late.threadId))?.backends["new"]).toBeGreaterThan(0);
    await abort(harness);
  });
});

describe("what is seen of sessions", () => {
  test("is who waits, who has a transaction open and where, and why one cannot move", async () => {
    const [waits, open] = [await user(), await client()];
    await arm(harness);
    await hold(harness);
    watch(waits.query<ResultSetHeader>(insert("orders", "late")));
    await open.beginTransaction();
    await open.query(insert("other", "open"));
    await waitForHeld(1);
    await sleep(100);
    const { sessions, total } = await report();
    expect(total).toBe(2);
    const forMs = expect.any(Number);
    const statement = "INSERT INTO orders (note) VALUES (?)";
    expect(sessions).toMatchObject([
      {
        ...{ id: String(waits.threadId), user: "app", program: "Node-MySQL-2", host: "127.0.0.1" },
        ...{ state: "held", transaction: "none" },
        ties: [{ kind: "held", reason: "its statement waits for the switch of orders", statement, forMs }],
      },
      {
        ...{ id: String(open.threadId), state: "idle", transaction: "open", at: "old" },
        ties: [{ kind: "transaction", at: "old", statement: "INSERT INTO other (note) VALUES (?)", forMs }],
      },
    ]);
    expect(sessions[0]?.heldForMs).toBeGreaterThanOrEqual(0);
    await abort(harness, TOKEN);
  });
});
