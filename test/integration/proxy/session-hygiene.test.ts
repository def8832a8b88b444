import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PacketInbox } from "../../../src/mysql/packet-inbox.ts";
import { PacketLink } from "../../../src/mysql/packet-link.ts";
import { KILLS_PREFIX } from "../../../src/rules/store-keys.ts";
import { CAP, COM } from "../../../src/wire/capabilities.ts";
import { type Greeting, parseGreeting } from "../../../src/wire/greeting.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { arm, disarm, drained, type Harness, hold, seed, startHarness, swap, USER } from "./proxy-harness.ts";
import { command, RawClient } from "./raw-client.ts";

/** `shop.orders` has moved to `new`, `shop.other` has not. */
let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let clients: Connection[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  harness = await startHarness(servers);
  await arm(harness);
  await hold(harness);
  await drained(harness);
  await swap(harness);
  await disarm(harness);
}, 60_000);
afterEach(() => {
  for (const client of clients) client.destroy();
  clients = [];
});
afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

async function connect(port = harness.port): Promise<Connection> {
  const client = await harness.connect({ port });
  client.on("error", () => undefined);
  clients.push(client);
  return client;
}

async function greetingOf(port: number): Promise<Greeting> {
  const link = await PacketLink.dial("127.0.0.1", port, AbortSignal.timeout(5000));
  const greeting = parseGreeting(await new PacketInbox(link).next());
  link.end("only the greeting was wanted");
  return greeting;
}

test("the greeting is the server's: version, collation, status, and every capability that the proxy has too", async () => {
  const [direct, through] = [await greetingOf(servers.old.port), await greetingOf(harness.port)];
  const what = ({ serverVersion, collation, status }: Greeting) => ({ serverVersion, collation, status });
  expect(what(through)).toEqual(what(direct));
  const between = CAP.SSL | CAP.COMPRESS | CAP.ZSTD;
  const missing = direct.capabilities & ~through.capabilities & ~between;
  // Two that concern the login: one method after another, and a query that comes with it.
  expect(missing & ~(CAP.MULTI_FACTOR_AUTHENTICATION | CAP.REMEMBER_OPTIONS | CAP.SSL_VERIFY_SERVER_CERT)).toBe(0);
});

test("a prepared statement that a server may read anew by another sql_mode goes where its tables are by either", async () => {
  const client = await connect();
  // To the mode that is set later they have a table, and two tables on different servers.
  const texts = ["SELECT 'a\\' FROM orders -- ' AS it", "SELECT 'a\\' FROM orders JOIN other -- ' AS it"];
  for (const text of texts) expect((await client.execute<RowDataPacket[]>(text))[0]).toHaveLength(1);
  await client.query("SET sql_mode = 'NO_BACKSLASH_ESCAPES'");
  expect((await client.execute<RowDataPacket[]>(texts[0] ?? ""))[0]).toEqual([{ it: "a' FROM orders -- " }]);
  await expect(client.execute(texts[1] ?? "")).rejects.toMatchObject({ errno: 1235 });
});

describe("prepared statements", () => {
  const open = async (server: TestServer): Promise<number> =>
    Number((await server.root("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'"))[0]?.["Value"]);

  test("are closed at every server when the client closes them, and when its session ends", async () => {
    const [closes, leaves] = [await connect(), await connect()];
    for (const client of [closes, leaves]) {
      for (const table of ["orders", "other"]) await client.execute(`SELECT COUNT(*) FROM ${table}`);
    }
    expect([await open(servers.old), await open(servers.new)]).toEqual([2, 2]);
    for (const table of ["orders", "other"]) closes.unprepare(`SELECT COUNT(*) FROM ${table}`);
    await closes.ping();
    await expect.poll(async () => [await open(servers.old), await open(servers.new)]).toEqual([1, 1]);
    leaves.destroy();
    await expect.poll(async () => [await open(servers.old), await open(servers.new)]).toEqual([0, 0]);
  });

  test("that set something set it at every home", async () => {
    const client = await connect();
    await client.query("SELECT COUNT(*) FROM other");
    await client.execute("SET SESSION group_concat_max_len = 4321");
    const [[row]] = await client.query<RowDataPacket[]>("SELECT @@group_concat_max_len AS len, COUNT(*) FROM orders");
    expect(row?.["len"]).toBe(4321);
  });
});

test("reading variables ties a session to no home, and what one session sets no other sees", async () => {
  const [client, other] = [await connect(), await connect()];
  await client.query("SELECT @@transaction_isolation, @@session.autocommit, @@sql_mode, @mine");
  await client.query("SET sql_safe_updates = 1, @mine = 7");
  for (const table of ["orders", "other", "orders"]) await client.query(`SELECT COUNT(*) FROM ${table}`);
  for (const table of ["orders", "other"]) {
    const sql = `SELECT @@sql_safe_updates AS safe, @mine AS mine, COUNT(*) FROM ${table}`;
    const [[seen]] = await other.query<RowDataPacket[]>(sql);
    expect(seen).toMatchObject({ safe: 0, mine: null });
    const [[own]] = await client.query<RowDataPacket[]>(sql);
    expect(own).toMatchObject({ safe: 1, mine: 7 });
  }
});

test("a session outlives the connection that its own wait_timeout has ended, and keeps what it has set", async () => {
  const client = await connect();
  await client.query("SET SESSION wait_timeout = 1, @mine = 7");
  await sleep(1500);
  const [[row]] = await client.query<RowDataPacket[]>("SELECT @@wait_timeout AS timeout, @mine AS mine");
  expect(row).toEqual({ timeout: 1, mine: 7 });
});

test("a KILL by an id that a server has given anew is not one of the session that was greeted by it before", async () => {
  const client = await connect();
  const id = Number(client.threadId);
  const killed = async (): Promise<unknown> => {
    const sql = "SELECT SLEEP(0.6) AS slept FROM (SELECT 1) one LEFT JOIN orders ON orders.id = 0";
    const running = client.query<RowDataPacket[]>(sql).then(([[row]]) => row?.["slept"]);
    const where = "FROM performance_schema.processlist WHERE INFO LIKE 'SELECT SLEEP(0.6)%'";
    await expect.poll(() => servers.new.root(`SELECT 1 ${where}`)).toHaveLength(1);
    // As another worker asks all others, once the server has allowed it.
    const value = JSON.stringify({ format: 1, thread: id });
    await harness.store.transact([], [{ put: `${KILLS_PREFIX}${Math.random()}`, value }]);
    return await running.catch(({ errno }: { errno: number }) => errno);
  };
  expect(await killed(), "while it is known by that id").not.toBe(0);
  await client.query("SET SESSION wait_timeout = 1");
  await sleep(1200);
  expect(await killed(), "at the new home, while the server that greeted it knows it by another id").toBe(0);
});

test("a client has one connection of its own at each server, once its tables are there, and nothing else moves it", async () => {
  const at = async (server: TestServer): Promise<number> => {
    const sql = `SELECT COUNT(*) AS n FROM performance_schema.processlist WHERE USER = '${USER}'`;
    return Number((await server.root(sql))[0]?.["n"]);
  };
  const counts = async (): Promise<readonly number[]> => [await at(servers.old), await at(servers.new)];
  await expect.poll(counts).toEqual([0, 0]);
  const [first, ...others] = [await connect(), await connect(), await connect()];
  for (const client of [first, ...others]) await client.query("SELECT COUNT(*) FROM other");
  expect(await counts()).toEqual([3, 0]);
  for (let times = 0; times < 3; times++) await first.query("SELECT COUNT(*) FROM orders");
  expect(await counts()).toEqual([3, 1]);
});

test("a client that closes only its sending half counts as gone", async () => {
  await connect();
  const sql = `SELECT 1 FROM performance_schema.processlist WHERE USER = '${USER}'`;
  await expect.poll(() => servers.old.root(sql)).toHaveLength(1);
  const socket = await RawClient.socket(harness.port);
  expect(await servers.old.root(sql)).toHaveLength(2);
  socket.end();
  await expect.poll(() => servers.old.root(sql)).toHaveLength(1);
  socket.destroy();
});

test.each(["SELECT LAST_INSERT_ID() AS `x y`;", "select last_insert_id( )", "SELECT @@last_insert_id"])(
  "%s is the id of the session's last insert, at whichever home it was, as text and prepared",
  async (sql) => {
    const client = await connect();
    for (const table of ["orders", "other", "orders"]) {
      const [{ insertId }] = await client.query<ResultSetHeader>(`INSERT INTO ${table} (note) VALUES ('x')`);
      const [[text]] = await client.query<RowDataPacket[]>(sql);
      const [[prepared]] = await client.execute<RowDataPacket[]>(sql.replace(";", ""));
      expect([Object.values(text ?? {}), Object.values(prepared ?? {})]).toEqual([[insertId], [insertId]]);
    }
  },
);

test("a client that does not read its rows keeps the server waiting, not the proxy's memory growing", async () => {
  const client = await connect();
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  const before = process.memoryUsage();
  const many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)";
  client.query(`${many} SELECT RANDOM_BYTES(1024) FROM n a JOIN n b`).catch(() => undefined);
  await new Promise((resolve) => stream.once("data", resolve));
  stream.pause();
  await sleep(1000);
  const after = process.memoryUsage();
  expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(32 * 1024 ** 2);
  const busy = await servers.old.root(
    "SELECT STATE FROM performance_schema.processlist WHERE INFO LIKE 'WITH RECURSIVE%'",
  );
  expect(busy).toHaveLength(1);
  await (await connect()).query("SELECT 1");
});

/** What the page of compatibility calls different: if it ceases to be, the page is to be changed. */
describe("where a session is told the truth of one server alone", () => {
  test("a file of the server's is that of the table's home", async () => {
    for (const [name, server] of Object.entries(servers)) {
      await server.root(`GRANT FILE ON *.* TO ${USER}; SELECT '${name}' INTO OUTFILE './whose.csv'`);
      await server.root("DELETE FROM shop.orders; DELETE FROM shop.other");
    }
    const client = await connect();
    for (const table of ["orders", "other"]) {
      await client.query(`LOAD DATA INFILE './whose.csv' INTO TABLE ${table} (note)`);
    }
    expect(await servers.new.root("SELECT note FROM shop.orders")).toEqual([{ note: "new" }]);
    expect(await servers.old.root("SELECT note FROM shop.other")).toEqual([{ note: "old" }]);
  });

  test("FOUND_ROWS() and ROW_COUNT() beside a table are those of its home", async () => {
    const client = await connect();
    await servers.new.root("DELETE FROM shop.orders");
    await servers.old.root("DELETE FROM shop.other");
    await client.query("INSERT INTO other (note) VALUES ('a'), ('b'), ('c')");
    await client.query("INSERT INTO orders (note) VALUES ('one')");
    await client.query("SELECT id FROM orders");
    await client.query("SELECT id FROM other");
    expect((await client.query("SELECT FOUND_ROWS() AS n FROM orders"))[0]).toEqual([{ n: 1 }]);
    await client.query("UPDATE other SET note = 'd'");
    expect((await client.query("SELECT ROW_COUNT() AS n FROM orders"))[0]).toEqual([{ n: -1 }]);
    await client.query("UPDATE other SET note = 'e'");
    expect((await client.query("SELECT ROW_COUNT() AS n"))[0]).toEqual([{ n: 3 }]);
  });

  test("the warnings of a SET from an expression are not told: its value was read back", async () => {
    const warnings = async (port: number): Promise<number> => {
      const client = await connect(port);
      await client.query("SET SESSION sort_buffer_size = 1 + 0");
      return (await client.query<RowDataPacket[]>("SHOW WARNINGS"))[0].length;
    };
    expect([await warnings(harness.port), await warnings(servers.old.port)]).toEqual([0, 1]);
  });

  test("user variables of a trigger that nobody has read are known at the home of the statement alone", async () => {
    await servers.new.root("CREATE TRIGGER shop.noted BEFORE INSERT ON shop.orders FOR EACH ROW SET @noted = NEW.note");
    const client = await connect();
    await client.query("INSERT INTO orders (note) VALUES ('seen')");
    await servers.new.root("DROP TRIGGER shop.noted");
    const noted = async (table: string): Promise<unknown> =>
      (await client.query(`SELECT @noted AS noted FROM (SELECT 1) one LEFT JOIN ${table} ON FALSE`))[0];
    expect([await noted("orders"), await noted("other")]).toEqual([[{ noted: "seen" }], [{ noted: null }]]);
  });

  test("the isolation of one transaction alone is not handed down to the next by a BEGIN within it", async () => {
    const isolation = async (port: number): Promise<unknown> => {
      const client = await connect(port);
      await client.query("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED");
      for (let times = 0; times < 2; times++) {
        await client.query("BEGIN");
        await client.query("SELECT COUNT(*) FROM orders");
      }
      // The server shows what it has noted within a tenth of a second.
      await sleep(150);
      const sql = "SELECT trx_isolation_level AS level FROM information_schema.INNODB_TRX";
      const rows = await servers.new.root(sql);
      await client.query("ROLLBACK");
      return rows;
    };
    expect(await isolation(servers.new.port)).toEqual([{ level: "READ UNCOMMITTED" }]);
    expect(await isolation(harness.port)).toEqual([{ level: "REPEATABLE READ" }]);
  });

  test("SET TRANSACTION for the next one is answered without its characteristics, where the client watches them", async () => {
    const told = async (port: number): Promise<boolean> => {
      await connect(port);
      const raw = await RawClient.connect(port, CAP.SESSION_TRACK);
      await raw.ask(command(COM.QUERY, "SET session_track_transaction_info = CHARACTERISTICS"));
      const [ok] = await raw.ask(command(COM.QUERY, "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"));
      raw.close();
      return ok?.includes("SERIALIZABLE") ?? false;
    };
    expect([await told(servers.old.port), await told(harness.port)]).toEqual([true, false]);
  });

  test("a PREPARE whose text cannot be told beforehand is refused", async () => {
    const client = await harness.connect({ multipleStatements: true });
    clients.push(client);
    const several = client.query("SET @t = 'SELECT COUNT(*) FROM orders'; PREPARE p FROM @t");
    await expect(several).rejects.toMatchObject({ errno: 1235 });
    await client.query("SET @t = CONCAT('SELECT COUNT(*) FROM orders -- ', REPEAT('x', 128 * 1024))");
    await expect(client.query("PREPARE p FROM @t")).rejects.toMatchObject({ errno: 1235 });
    await client.query("SET @t = 'SELECT COUNT(*) AS n FROM orders WHERE FALSE'");
    await client.query("PREPARE p FROM @t");
    expect((await client.query("EXECUTE p"))[0]).toEqual([{ n: 0 }]);
  });

  test("a view or routine that nobody has read is looked for at the default home, and refused; then it goes to its tables", async () => {
    const made = "CREATE VIEW shop.seen AS SELECT note FROM shop.orders";
    await servers.new.root(`${made}; CREATE PROCEDURE shop.counts() SELECT COUNT(*) FROM shop.orders`);
    await servers.new.root("DELETE FROM shop.orders; INSERT INTO shop.orders (note) VALUES ('new')");
    await servers.old.root("TRUNCATE shop.orders; INSERT INTO shop.orders (note) VALUES ('old')");
    const client = await connect();
    const seen = async (): Promise<unknown> => (await client.query("SELECT note FROM seen"))[0];
    await expect(seen()).rejects.toMatchObject({ errno: 1146 });
    await expect(client.query("CALL counts()")).rejects.toMatchObject({ errno: 1235 });
    await servers.old.root(made);
    expect(await seen(), "of a view that is made over the old tables, past the proxy").toEqual([{ note: "old" }]);
    const found = {
      views: { "shop.seen": ["shop.orders"] },
      triggers: {},
      routines: { "shop.counts": ["shop.orders"] },
    };
    await harness.change((rules) => ({ ...rules, generation: rules.generation + 1, behind: { new: found } }));
    await expect.poll(seen).toEqual([{ note: "new" }]);
    expect((await client.query("CALL counts()"))[0]).toMatchObject([[{ "COUNT(*)": 1 }], {}]);
  });

  test("an xid that is in use is told at the first statement that uses a table", async () => {
    const [first, second] = [await connect(), await connect()];
    await first.query("XA START 'taken'");
    await first.query("INSERT INTO orders (note) VALUES ('first')");
    await second.query("XA START 'taken'");
    await expect(second.query("INSERT INTO orders (note) VALUES ('second')")).rejects.toMatchObject({ errno: 1440 });
    await first.query("XA END 'taken'");
    await first.query("XA ROLLBACK 'taken'");
  });
});
