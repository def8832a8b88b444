import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { COM } from "../../../src/wire/capabilities.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { abort, arm, disarm, drained, type Harness, hold, seed, startHarness, swap } from "./proxy-harness.ts";
import { command, RawClient } from "./raw-client.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let clients: RawClient[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  for (const server of [servers.old, servers.new]) await server.root("INSERT INTO shop.orders (id) VALUES (1)");
  harness = await startHarness(servers);
  await (await harness.connect()).end();
});

afterEach(() => {
  for (const client of clients) client.close();
  clients = [];
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

async function send(text: string): Promise<RawClient> {
  const client = await RawClient.connect(harness.port);
  clients.push(client);
  client.send(command(COM.QUERY, text));
  return client;
}

/** How many statements with this mark the server executes. */
async function executing(server: TestServer, mark: string): Promise<number> {
  const sql = `SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE '%${mark}%' AND ID <> CONNECTION_ID()`;
  return (await server.root(sql)).length;
}

async function until(server: TestServer, mark: string, count: number): Promise<void> {
  await expect.poll(() => executing(server, mark), { timeout: 10_000 }).toBe(count);
}

/** Nothing of the session is left on the server that greeted it. */
async function ended({ threadId }: RawClient): Promise<void> {
  const sql = `SELECT ID FROM information_schema.PROCESSLIST WHERE ID = ${threadId}`;
  await expect.poll(async () => (await servers.old.root(sql)).length, { timeout: 10_000 }).toBe(0);
}

describe("a client that dies in the middle of a query", () => {
  test("has it killed also where it had sent on, more than is read of it meanwhile", async () => {
    const client = await send("SELECT SLEEP(60) /* ahead */");
    await until(servers.old, "ahead", 1);
    // Its end comes behind all this, much of which its own system still has.
    for (let at = 0; at < 8; at++) client.send(command(COM.QUERY, `SELECT '${"x".repeat(1024 * 1024)}'`));
    client.close();
    await until(servers.old, "ahead", 0);
  });

  test("has nothing carried out that it had sent behind a statement that was killed", async () => {
    const client = await send("SELECT SLEEP(60) /* first */");
    client.send(command(COM.QUERY, "INSERT INTO other (id) VALUES (78)"));
    client.send(command(COM.QUERY, "SELECT SLEEP(60) /* last */"));
    await until(servers.old, "first", 1);
    client.close();
    await ended(client);
    expect(await servers.old.root("SELECT id FROM shop.other WHERE id = 78")).toEqual([]);
  });

  test("has it killed on the server", async () => {
    const client = await send("SELECT SLEEP(60) /* one */");
    await until(servers.old, "one", 1);
    client.close();
    await until(servers.old, "one", 0);
  });

  test("has what it had sent behind a held statement go unsent with it", async () => {
    await arm(harness);
    await hold(harness);
    const client = await send("INSERT INTO orders (id) VALUES (79)");
    client.send(command(COM.QUERY, "INSERT INTO other (id, note) VALUES (79, 'it is in orders')"));
    await sleep(100);
    client.close();
    await ended(client);
    await abort(harness);
    for (const table of ["orders", "other"]) {
      expect(await servers.old.root(`SELECT id FROM shop.${table} WHERE id = 79`)).toEqual([]);
    }
  });

  test("has it killed where its tables live, and what it had begun is rolled back", async () => {
    await arm(harness);
    await hold(harness);
    await drained(harness);
    await swap(harness);
    await disarm(harness);
    const client = await send("BEGIN");
    await client.next();
    client.send(command(COM.QUERY, "UPDATE orders SET note = 'never' WHERE id = 1"));
    await client.next();
    client.send(command(COM.QUERY, "SELECT id, SLEEP(60) FROM orders WHERE id = 1 /* two */"));
    await until(servers.new, "two", 1);
    client.close();
    await until(servers.new, "two", 0);
    await servers.new.root("SET innodb_lock_wait_timeout = 5; UPDATE shop.orders SET client = 2 WHERE id = 1");
    expect(await servers.new.root("SELECT note FROM shop.orders WHERE id = 1")).toEqual([{ note: null }]);
  });

  test("has a short statement carried out that it did not wait for", async () => {
    const client = await send("INSERT INTO other (id, note) SELECT 77, SLEEP(0.1)");
    await until(servers.old, "SLEEP(0.1)", 1);
    client.close();
    await sleep(1000);
    expect(await servers.old.root("SELECT id FROM shop.other WHERE id = 77")).toEqual([{ id: "77" }]);
  });
});
