import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PacketInbox } from "../../../src/mysql/packet-inbox.ts";
import { PacketLink } from "../../../src/mysql/packet-link.ts";
import { CAP } from "../../../src/wire/capabilities.ts";
import { type Greeting, parseGreeting } from "../../../src/wire/greeting.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { arm, disarm, drained, type Harness, hold, seed, startHarness, swap, USER } from "./proxy-harness.ts";

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
