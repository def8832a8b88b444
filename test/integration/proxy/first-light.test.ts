import type { ResultSetHeader, RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { arm, disarm, drained, type Harness, hold, seed, startHarness, swap } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  harness = await startHarness(servers);
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

describe("a client behind the proxy", () => {
  test("reads and writes by text and by prepared statements", async () => {
    const client = await harness.connect();
    const [written] = await client.query<ResultSetHeader>("INSERT INTO orders (client, note) VALUES (1, 'text')");
    expect(written.affectedRows).toBe(1);
    await client.execute("INSERT INTO orders (client, note) VALUES (?, ?)", [2, "prepared"]);
    const [rows] = await client.execute<RowDataPacket[]>(
      "SELECT note FROM orders WHERE client IN (?, ?) ORDER BY id",
      [1, 2],
    );
    expect(rows.map((row) => row["note"])).toEqual(["text", "prepared"]);
    expect(client.threadId).toBeGreaterThan(0);
    await client.end();
    expect(await servers.old.root("SELECT COUNT(*) AS n FROM shop.orders")).toEqual([{ n: "2" }]);
  });

  test("is held during a switch and goes on at the new home", async () => {
    const client = await harness.connect();
    await client.query("SELECT * FROM orders");
    await client.execute("INSERT INTO orders (client, note) VALUES (?, ?)", [3, "before"]);
    expect((await arm(harness)).armed["orders"]?.blocked).toEqual([]);
    await hold(harness);
    await drained(harness);
    const late = client.execute("INSERT INTO orders (client, note) VALUES (?, ?)", [3, "after"]);
    await swap(harness);
    await late;
    await disarm(harness);
    await client.end();
    expect(await servers.old.root("SELECT note FROM shop.orders WHERE client = 3")).toEqual([{ note: "before" }]);
    expect(await servers.new.root("SELECT note FROM shop.orders WHERE client = 3")).toEqual([{ note: "after" }]);
  });
});
