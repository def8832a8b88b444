import type mysql from "mysql2/promise";
import type { RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { withTable } from "../../../src/rules/rules-edits.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { type Harness, seed, startHarness } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
});
beforeEach(async () => {
  await seed(servers);
  harness = await startHarness(servers);
  return async () => await harness.close();
});
afterAll(() => stopServers(servers));

async function using(use: (client: mysql.Connection) => Promise<void>): Promise<void> {
  const client = await harness.connect();
  try {
    await use(client);
  } finally {
    client.destroy();
  }
}

const INSERT = "INSERT INTO orders (note) VALUES ('one')";
const insertOnServer = (server: "old" | "new"): Promise<unknown> =>
  servers[server].root("INSERT INTO shop.orders (note) VALUES ('another')");
async function count(client: mysql.Connection): Promise<number> {
  const [rows] = await client.query<RowDataPacket[]>("SELECT COUNT(*) AS n FROM orders");
  return Number(rows[0]?.["n"]);
}

describe("a transaction", () => {
  test("that begins with a snapshot reads as of its beginning, not as of its first statement", () =>
    using(async (client) => {
      await client.query("START TRANSACTION WITH CONSISTENT SNAPSHOT");
      await insertOnServer("old");
      expect(await count(client)).toBe(0);
      await client.query("COMMIT");
      expect(await count(client)).toBe(1);
      await client.query("BEGIN");
      await insertOnServer("old");
      expect(await count(client), "a plain BEGIN reads nothing").toBe(2);
    }));

  test("that begins with a snapshot is refused where the schema's tables live on two servers: it would read only one", async () => {
    await harness.change((rules) => withTable(rules, "shop.orders", { to: "new", migration: "orders" }));
    await harness.change((rules) => withTable(rules, "shop.other", { to: "old", migration: "others" }));
    await harness.told((told) => told.generation === 3, "generation 3");
    await using(async (client) => {
      await expect(client.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")).rejects.toMatchObject({ errno: 1235 });
    });
  });

  test("that begins with a snapshot reads the one home of the tables, and never a table elsewhere beside it", async () => {
    await harness.change((rules) => withTable(rules, "shop.orders", { to: "new", migration: "orders" }));
    await harness.told((told) => told.generation === 2, "generation 2");
    await using(async (client) => {
      await client.query("START TRANSACTION WITH CONSISTENT SNAPSHOT");
      await insertOnServer("new");
      expect(await count(client), "as of its beginning, on the new home").toBe(0);
      await expect(client.query("SELECT * FROM other")).rejects.toMatchObject({ errno: 1235 });
      await client.query("COMMIT");
      expect(await count(client)).toBe(1);
    });
  });

  test("that is open is committed by the next BEGIN, before anything can undo it", () =>
    using(async (client) => {
      await client.query("BEGIN");
      await client.query(INSERT);
      await client.query("BEGIN");
      expect(await servers.old.root("SELECT note FROM shop.orders")).toEqual([{ note: "one" }]);
      await client.query("ROLLBACK");
      expect(await count(client)).toBe(1);
    }));

  test(
    "that begins under LOCK TABLES gives the locks back at once",
    () =>
      using(async (client) => {
        await client.query("LOCK TABLES orders WRITE");
        await client.query("BEGIN");
        await insertOnServer("old");
        expect(await count(client)).toBe(1);
      }),
    10_000,
  );
});
