import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { COM } from "../../../src/wire/capabilities.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { runMysql } from "./mysql-client.ts";
import {
  abort,
  arm,
  disarm,
  drained,
  type Harness,
  hold,
  PASSWORD,
  seed,
  startHarness,
  swap,
  USER,
} from "./proxy-harness.ts";
import { command, RawClient } from "./raw-client.ts";

/** `here` and `there` are two proxies of one fleet; `shop.orders` has moved to `new`, `shop.other` has not. */
let servers: Record<"old" | "new", TestServer>;
let here: Harness;
let there: Harness;
let clients: { close(): void }[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  for (const server of [servers.old, servers.new]) {
    await server.root(`INSERT INTO shop.orders (id) VALUES (1);
      CREATE USER stranger@'%' IDENTIFIED BY 'stranger-1'; GRANT ALL ON shop.* TO stranger@'%'`);
  }
  here = await startHarness(servers);
  there = await startHarness(servers, { store: here.store });
  await arm(here);
  await hold(here);
  await drained(here);
  await swap(here);
  await disarm(here);
});

afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

afterAll(async () => {
  await there?.close();
  await here?.close();
  await stopServers(servers);
});

async function connect(harness: Harness, more = {}): Promise<Connection> {
  const client = await harness.connect(more);
  client.on("error", () => undefined);
  clients.push({ close: () => client.destroy() });
  return client;
}

async function executing(server: TestServer, mark: string, count: number): Promise<void> {
  const sql = `SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE '%${mark}%' AND ID <> CONNECTION_ID()`;
  await expect.poll(async () => (await server.root(sql)).length, { timeout: 5000 }).toBe(count);
}

/** How a query ends, by number. */
function outcome(query: Promise<unknown>): Promise<number | string> {
  return query.then(
    () => "done",
    (error: { errno?: number; code?: string }) => error.errno ?? error.code ?? "failed",
  );
}

const SLOW = (mark: string) => `UPDATE orders SET note = SLEEP(30) WHERE id = 1 /* ${mark} */`;

describe("a session that works at another home", () => {
  test.each([
    "SELECT CONNECTION_ID()",
    "select connection_id() as id",
    "/* a driver's */ SELECT @@pseudo_thread_id",
    "SELECT @@session.pseudo_thread_id AS `the id` FROM DUAL LIMIT 1;",
  ])("is told the id of its greeting by %s, as text and prepared, also within a transaction", async (sql) => {
    const client = await connect(here);
    const [native, [field]] = await client.query<RowDataPacket[]>(sql);
    await client.query("BEGIN");
    await client.query("SELECT COUNT(*) FROM orders");
    const [rows, [again]] = await client.query<RowDataPacket[]>(sql);
    expect(Object.values(rows[0] ?? {})).toEqual([client.threadId]);
    expect(rows).toEqual(native);
    expect(again).toMatchObject({ name: field?.name, columnType: field?.columnType });
    const [prepared] = await client.execute<RowDataPacket[]>(sql.replace(";", ""));
    expect(prepared).toEqual(native);
    await client.query("COMMIT");
  });

  test("is told that server's own id by a larger statement", async () => {
    const client = await connect(here);
    const last = await connect(here, { port: servers.new.port });
    // The two servers count for themselves, and may have come to the same number.
    if (last.threadId + 1 === client.threadId) await connect(here, { port: servers.new.port });
    const [rows] = await client.query<RowDataPacket[]>("SELECT CONNECTION_ID() AS id, COUNT(*) FROM orders");
    const there = await servers.new.root(`SELECT ID FROM information_schema.PROCESSLIST WHERE ID = ${rows[0]?.["id"]}`);
    expect(there).toHaveLength(1);
    expect(rows[0]?.["id"]).not.toBe(client.threadId);
  });

  test("finds itself under that id in the list of processes", async () => {
    const client = await connect(here);
    await client.query("SELECT COUNT(*) FROM orders");
    const [rows] = await client.query<RowDataPacket[]>("SHOW FULL PROCESSLIST");
    expect(rows.find((row) => row["Id"] === client.threadId)).toMatchObject({ Info: "SHOW FULL PROCESSLIST" });
  });
});

describe.each([
  ["of the same proxy", () => here],
  ["of another proxy", () => there],
])("KILL by the id of the greeting, through a session %s", (_, proxy) => {
  test("ends a statement that runs at the new home, and the session goes on", async () => {
    const [victim, killer] = [await connect(here), await connect(proxy())];
    const slow = outcome(victim.query(SLOW("query")));
    await executing(servers.new, "query", 1);
    await killer.query(`KILL QUERY ${victim.threadId}`);
    expect(await slow).toBe(1317);
    await executing(servers.new, "query", 0);
    await victim.query("SELECT COUNT(*) FROM orders");
  });

  test("is the same by a user variable, and by CONNECTION_ID() for itself", async () => {
    const [victim, killer] = [await connect(here), await connect(proxy())];
    const slow = outcome(victim.query(SLOW("variable")));
    await executing(servers.new, "variable", 1);
    await killer.query(`SET @victim = ${victim.threadId}`);
    await killer.query("KILL QUERY @victim");
    expect(await slow).toBe(1317);
    await executing(servers.new, "variable", 0);
    await killer.query("SELECT COUNT(*) FROM orders");
    expect(["PROTOCOL_CONNECTION_LOST", 1317, 2013]).toContain(await outcome(killer.query("KILL CONNECTION_ID()")));
    await expect(killer.query("SELECT 1")).rejects.toThrow();
  });

  test("by another expression is left to the server, which knows of what runs there alone", async () => {
    const [victim, killer] = [await connect(here), await connect(proxy())];
    const slow = outcome(victim.query(SLOW("expression")));
    await executing(servers.new, "expression", 1);
    await killer.query(`KILL QUERY ${victim.threadId} + 0`);
    await executing(servers.new, "expression", 1);
    await killer.query(`KILL QUERY ${victim.threadId}`);
    expect(await slow).toBe(1317);
  });

  test("ends a statement at the old home at once", async () => {
    const [victim, killer] = [await connect(here), await connect(proxy())];
    const slow = outcome(victim.query("SELECT SLEEP(30) /* stays */"));
    await executing(servers.old, "stays", 1);
    await killer.query(`KILL QUERY ${victim.threadId}`);
    expect(await slow).toBe("done");
  });

  test("ends a session, and what it runs at the new home", async () => {
    const [victim, killer] = [await connect(here), await connect(proxy())];
    const slow = outcome(victim.query(SLOW("connection")));
    await executing(servers.new, "connection", 1);
    await killer.query(`KILL CONNECTION ${victim.threadId}`);
    expect(["PROTOCOL_CONNECTION_LOST", 1317, 2013]).toContain(await slow);
    await executing(servers.new, "connection", 0);
  });

  test("ends a statement that waits for a switch, which goes unsent", async () => {
    const [victim, killer] = [await connect(here), await connect(proxy())];
    await arm(here, "back", "old");
    await hold(here, { token: "back", oldHome: "new", newHome: "old" });
    const held = outcome(victim.query("INSERT INTO orders (note) VALUES ('killed')"));
    await here.told(({ holds }) => holds["orders"]?.state === "drained", "drained");
    await killer.query(`KILL QUERY ${victim.threadId}`);
    expect(await held).toBe(1317);
    await abort(here, "back");
    const found = await servers.new.root("SELECT id FROM shop.orders WHERE note = 'killed'");
    expect(found).toEqual([]);
  });

  test("is refused to others and for ids that nobody has, in the server's words", async () => {
    const victim = await connect(here);
    const stranger = await connect(proxy(), { user: "stranger", password: "stranger-1" });
    await expect(stranger.query(`KILL ${victim.threadId}`)).rejects.toMatchObject({
      errno: 1095,
      message: `You are not owner of thread ${victim.threadId}`,
    });
    await expect(stranger.query("KILL QUERY 999999999")).rejects.toMatchObject({
      errno: 1094,
      message: "Unknown thread id: 999999999",
    });
    await victim.ping();
  });

  test("as COM_PROCESS_KILL does what the server does, which may not know it any more", async () => {
    const answer = async (port: number, threadId: number): Promise<string> => {
      const killer = await RawClient.connect(port);
      clients.push(killer);
      const id = Buffer.alloc(4);
      id.writeUInt32LE(threadId);
      killer.send(command(COM.PROCESS_KILL, id));
      return (await killer.next()).toString("latin1");
    };
    const [first, second] = [await connect(here), await connect(here)];
    expect(await answer(proxy().port, first.threadId)).toBe(await answer(servers.old.port, second.threadId));
    expect(await outcome(first.ping())).toBe(await outcome(second.ping()));
  });
});

test("MySQL's own client kills the statement that Ctrl-C interrupts, at the new home and through another proxy", async () => {
  const victim = await connect(here);
  const slow = outcome(victim.query(SLOW("cli")));
  await executing(servers.new, "cli", 1);
  const args = [`--user=${USER}`, `--password=${PASSWORD}`, "-e", `KILL QUERY ${victim.threadId}`];
  expect(await runMysql(there.port, args)).toMatchObject({ code: 0, error: "" });
  expect(await slow).toBe(1317);
});
