import type { RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { withTable } from "../../../src/rules/rules-edits.ts";
import { buildAuthMoreData, parseAuthSwitch } from "../../../src/wire/auth-packets.ts";
import { cachingSha2Scramble } from "../../../src/wire/auth-scramble.ts";
import { CAP, COM } from "../../../src/wire/capabilities.ts";
import { buildChangeUser } from "../../../src/wire/change-user.ts";
import { parseErr } from "../../../src/wire/err-packet.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { arm, disarm, drained, type Harness, hold, PASSWORD, seed, startHarness, swap, USER } from "./proxy-harness.ts";
import { command, RawClient } from "./raw-client.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let raw: RawClient[] = [];

const OTHER = { user: "other", password: "other-pass-2" };
const ssl = { rejectUnauthorized: false };
const WHO = "SELECT CURRENT_USER() AS me, CONNECTION_ID() AS id, DATABASE() AS db, @a AS a, @@sql_mode AS mode";

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  for (const server of [servers.old, servers.new]) {
    await server.root(`
      CREATE USER other@'%' IDENTIFIED BY '${OTHER.password}'; GRANT ALL ON shop.* TO other@'%';
      CREATE USER nobody@'%' IDENTIFIED BY ''; GRANT ALL ON shop.* TO nobody@'%';
      CREATE USER sha@'%' IDENTIFIED WITH sha256_password BY 'sha-pass'; GRANT ALL ON shop.* TO sha@'%';
      CREATE DATABASE elsewhere; GRANT ALL ON elsewhere.* TO other@'%';
    `);
  }
  harness = await startHarness(servers);
});

afterEach(() => {
  for (const client of raw) client.close();
  raw = [];
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

/** The mark by which servers tell the proxy's connections from others: without it, guards would take one for a bypass. */
async function expectMarked(id: number): Promise<void> {
  const rows = await servers.old.root(
    `SELECT ATTR_VALUE AS value FROM performance_schema.session_connect_attrs
     WHERE PROCESSLIST_ID = ${id} AND ATTR_NAME = 'switchyard_proxy'`,
  );
  expect(rows).toEqual([{ value: (await harness.document()).bootNonce }]);
}

describe("a change of user", () => {
  test.each([
    ["over TLS", { ssl }],
    ["without TLS", {}],
  ])("of mysql2 %s starts the session anew, on the same thread, and again on the fast path", async (_, how) => {
    await (await harness.connect()).end();
    const client = await harness.connect(how);
    await client.query("SET @a = 1, sql_mode = 'ANSI_QUOTES'");
    for (const round of [1, 2]) {
      await client.changeUser({ ...OTHER, database: "elsewhere" });
      const [[row]] = await client.query<RowDataPacket[]>(WHO);
      expect({ round, ...row }).toMatchObject({ round, me: "other@%", id: client.threadId, db: "elsewhere", a: null });
      expect(row?.["mode"]).not.toBe("ANSI_QUOTES");
      await client.changeUser({ user: USER, password: PASSWORD, database: "shop" });
      const [[back]] = await client.query<RowDataPacket[]>(WHO);
      expect(back).toMatchObject({ me: "app@%", id: client.threadId, db: "shop" });
      await expectMarked(client.threadId);
    }
    await client.end();
  });

  test("reaches an account without a password, and one of sha256_password", async () => {
    // The library takes an empty password for that of the login.
    const client = await harness.connect({ ssl, user: "nobody", password: "" });
    await client.changeUser({ user: "nobody", password: "" });
    const [[row]] = await client.query<RowDataPacket[]>(WHO);
    expect(row).toMatchObject({ me: "nobody@%", id: client.threadId });
    await client.changeUser({ user: "sha", password: "sha-pass" });
    const [[sha]] = await client.query<RowDataPacket[]>(WHO);
    expect(sha?.["me"]).toBe("sha@%");
    await client.end();
  });

  test.each([
    ["a wrong password", { user: "other", password: "wrong" }, 1045, /^Access denied for user 'other'@'.*YES\)$/],
    ["a schema that is not there", { ...OTHER, database: "nowhere" }, 1044, /nowhere/],
  ])("with %s is refused in the server's words, and the session is over", async (_, to, errno, words) => {
    const client = await harness.connect({ ssl });
    client.on("error", () => undefined);
    await expect(client.changeUser(to)).rejects.toMatchObject({ errno, message: expect.stringMatching(words) });
    await expect(client.query("SELECT 1")).rejects.toThrow();
    await harness.told(() => true, "anything");
    const left = await servers.old.root(`SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = ${client.threadId}`);
    expect(left).toEqual([]);
  });

  test("with no password is refused where there is one", async () => {
    const client = await harness.connect({ ssl, user: "nobody", password: "" });
    client.on("error", () => undefined);
    await expect(client.changeUser({ user: "other", password: "" })).rejects.toMatchObject({
      errno: 1045,
      message: expect.stringMatching(/using password: NO/),
    });
  });

  test("rolls back what was open, and frees a session that could not be moved", async () => {
    const client = await harness.connect({ ssl });
    await client.query("CREATE TEMPORARY TABLE mine (id INT)");
    await client.query("SELECT @x := 1");
    await client.query("BEGIN");
    await client.query("INSERT INTO orders (id, note) VALUES (500, 'never')");
    await arm(harness, "busy");
    expect((await harness.document()).armed["orders"]?.blocked).toHaveLength(1);
    await hold(harness, { token: "busy" });
    expect((await harness.document()).holds["orders"]?.state).toBe("holding");
    await client.changeUser({ ...OTHER, database: "shop" });
    await drained(harness);
    expect(await servers.old.root("SELECT 1 FROM shop.orders WHERE id = 500")).toEqual([]);
    await swap(harness, "busy");
    await client.query("INSERT INTO orders (id, note) VALUES (501, 'by other')");
    const [[row]] = await client.query<RowDataPacket[]>(
      "SELECT USER() AS me, COUNT(*) AS n FROM orders WHERE id = 501",
    );
    expect(row).toMatchObject({ n: 1 });
    expect(String(row?.["me"])).toMatch(/^other@/);
    expect(await servers.new.root("SELECT note FROM shop.orders WHERE id = 501")).toEqual([{ note: "by other" }]);
    // The connection to the other server is made anew too.
    await client.changeUser({ user: USER, password: PASSWORD, database: "shop" });
    const [[again]] = await client.query<RowDataPacket[]>("SELECT USER() AS me FROM orders WHERE id = 501");
    expect(String(again?.["me"])).toMatch(/^app@/);
    await client.end();
    await disarm(harness, "busy");
    await harness.change((rules) => ({ ...rules, tables: {} }));
  });

  test("of MySQL's own library, which shows nothing before it is asked, keeps the order of commands", async () => {
    await (await harness.connect({ ssl, ...OTHER })).end();
    const client = await RawClient.connect(harness.port);
    raw.push(client);
    const change = {
      user: Buffer.from("other"),
      authResponse: Buffer.alloc(0),
      database: Buffer.from("shop"),
      collation: 255,
      authPlugin: "caching_sha2_password",
      attributes: new Map([["program_name", "a-test"]]),
    };
    const capabilities = CAP.SECURE_CONNECTION | CAP.PLUGIN_AUTH | CAP.CONNECT_ATTRS;
    client.send(command(COM.QUERY, "DO SLEEP(0.05)"), buildChangeUser(change, capabilities));
    expect((await client.next())[0]).toBe(0);
    const asked = parseAuthSwitch(await client.next());
    expect(asked.plugin).toBe("caching_sha2_password");
    client.sendFile(cachingSha2Scramble(Buffer.from(OTHER.password), asked.nonce));
    client.send(command(COM.PING));
    expect(await client.next()).toEqual(buildAuthMoreData(Buffer.from([3])));
    expect((await client.packets(2)).map((reply) => reply[0])).toEqual([0, 0]);
  });

  test("to a collation that no login can ask for is in force at every home, until a reset", async () => {
    const client = await harness.connect({ ssl, charset: "LATIN1_SWEDISH_CI" });
    const both = async (): Promise<unknown[]> => {
      const of = "SELECT @@collation_connection AS c, @@character_set_client AS cs, @@character_set_results AS r FROM";
      const seen: unknown[] = [];
      for (const table of ["orders", "other"]) seen.push((await client.query<RowDataPacket[]>(`${of} ${table}`))[0][0]);
      return seen;
    };
    await harness.change((rules) => withTable(rules, "shop.orders", { to: "new", migration: "orders" }));
    try {
      for (const server of [servers.old, servers.new]) {
        await server.root("INSERT INTO shop.orders (id) VALUES (700); INSERT INTO shop.other (id) VALUES (700)");
      }
      const latin1 = { c: "latin1_swedish_ci", cs: "latin1", r: "latin1" };
      expect(await both()).toEqual([latin1, latin1]);
      await client.changeUser({ user: USER, password: PASSWORD, database: "shop", charset: "UTF8MB4_0900_AS_CS" });
      const exotic = { c: "utf8mb4_0900_as_cs", cs: "utf8mb4", r: "utf8mb4" };
      expect(await both()).toEqual([exotic, exotic]);
      await client.reset();
      // What is connected to after a reset has the server's defaults as well, not the login's.
      const fresh = await harness.connect({ ssl, charset: "LATIN1_SWEDISH_CI" });
      await fresh.reset();
      const sql = "SELECT @@collation_connection AS c, @@character_set_client AS cs, @@character_set_results AS r";
      const [[old]] = await fresh.query<RowDataPacket[]>(sql);
      const [[moved]] = await fresh.query<RowDataPacket[]>(`${sql} FROM orders LIMIT 1`);
      expect([old?.["cs"], moved]).toEqual(["utf8mb4", old]);
      expect(await both()).toEqual([old, old]);
      await Promise.all([client.end(), fresh.end()]);
    } finally {
      await harness.change((rules) => ({ ...rules, tables: {} }));
      for (const server of [servers.old, servers.new]) {
        await server.root("DELETE FROM shop.orders; DELETE FROM shop.other");
      }
    }
  });

  test("cut short ends the connection, not the proxy", async () => {
    const client = await RawClient.connect(harness.port);
    raw.push(client);
    client.send(Buffer.from([COM.CHANGE_USER, 1, 2]));
    expect(parseErr(await client.next()).errno).toBe(1835);
    await (await harness.connect({ ssl })).end();
  });
});

describe("COM_RESET_CONNECTION", () => {
  test("leaves user, schema and thread, and nothing else", async () => {
    const client = await harness.connect({ ssl });
    await client.query("SET @a = 1, sql_mode = 'ANSI_QUOTES'");
    await client.query("BEGIN");
    await client.query("INSERT INTO orders (id, note) VALUES (600, 'never')");
    await client.reset();
    const [[row]] = await client.query<RowDataPacket[]>(WHO);
    expect(row).toMatchObject({ me: "app@%", id: client.threadId, db: "shop", a: null });
    expect(row?.["mode"]).not.toBe("ANSI_QUOTES");
    await expectMarked(client.threadId);
    expect(await servers.old.root("SELECT 1 FROM shop.orders WHERE id = 600")).toEqual([]);
    await client.end();
  });
});
