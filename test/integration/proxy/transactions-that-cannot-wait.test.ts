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

/** What a client sees of one statement after the other. */
async function seen(client: mysql.Connection, statements: readonly string[]): Promise<unknown[]> {
  const all: unknown[] = [];
  for (const sql of statements) {
    all.push(
      await client.query(sql).then(
        ([result]) => (Array.isArray(result) ? result : { ...result, stateChanges: undefined }),
        ({ errno, sqlState, message }) => ({ errno, sqlState, message: errno === undefined ? "" : message }),
      ),
    );
  }
  return all;
}

/** What a server lists is as old as a tenth of a second. */
const OWN_TRX =
  "DO SLEEP(0.15); SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = CONNECTION_ID()";
const DIAGNOSTICS = "GET DIAGNOSTICS @n = NUMBER, @r = ROW_COUNT";

/** Statements of one session each, apart by semicolons. */
const SESSIONS: readonly string[] = [
  "SELECT 1/0; BEGIN; SHOW WARNINGS; SHOW WARNINGS",
  "SELECT 1/0; BEGIN; SHOW COUNT(*) WARNINGS",
  "SELECT 1/0; BEGIN; SELECT @@warning_count",
  "SELECT 1/0; BEGIN; COMMIT; SHOW WARNINGS",
  "SELECT 1/0; SET TRANSACTION READ ONLY; SHOW WARNINGS; COMMIT",
  "SELECT 1/0; BEGIN; SAVEPOINT a; SHOW WARNINGS; SELECT 1/0; SHOW WARNINGS",
  `SELECT 1/0; BEGIN; ${DIAGNOSTICS}; SELECT @n, @r`,
  "DELETE FROM orders; BEGIN; SELECT ROW_COUNT()",
  "INSERT INTO orders (id) VALUES (7); BEGIN; SELECT ROW_COUNT(), LAST_INSERT_ID(); DELETE FROM orders; COMMIT",
  "SELECT 1 UNION SELECT 2; BEGIN; SELECT FOUND_ROWS()",
  "BEGIN; ROLLBACK TO nowhere; SHOW WARNINGS; SHOW ERRORS; SELECT 1",
  "BEGIN; RELEASE SAVEPOINT nowhere; SELECT @@error_count",
  "BEGIN; SET TRANSACTION READ ONLY; SHOW WARNINGS; SELECT ROW_COUNT(); ROLLBACK",
  "START TRANSACTION READ ONLY; INSERT INTO orders (note) VALUES ('x'); SHOW WARNINGS; ROLLBACK",
  "START TRANSACTION READ ONLY; COMMIT AND CHAIN; INSERT INTO orders (note) VALUES ('x'); ROLLBACK",
  "START TRANSACTION READ WRITE; SELECT note FROM orders; COMMIT",
  "START TRANSACTION READ WRITE, WITH CONSISTENT SNAPSHOT; SELECT note FROM orders; ROLLBACK AND CHAIN; ROLLBACK",
  "BEGIN WORK; ROLLBACK WORK AND CHAIN NO RELEASE; SELECT note FROM orders; ROLLBACK",
  "BEGIN; START TRANSACTION READ ONLY; BEGIN; INSERT INTO orders (note) VALUES ('x'); ROLLBACK",
  "START TRANSACTION READ ONLY; SELECT note FROM orders; BEGIN; INSERT INTO orders (note) VALUES ('x'); ROLLBACK",
  "BEGIN; SELECT note FROM orders; COMMIT RELEASE; SELECT 1",
  "SET TRANSACTION READ ONLY; BEGIN; INSERT INTO orders (note) VALUES ('x'); ROLLBACK",
  "SET SESSION TRANSACTION READ ONLY; BEGIN; SELECT 1; DELETE FROM orders; ROLLBACK; SELECT @@transaction_read_only",
  "SET TRANSACTION READ ONLY; START TRANSACTION READ WRITE; DELETE FROM orders; ROLLBACK",
  "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; BEGIN; SELECT @@transaction_isolation; COMMIT",
  `BEGIN; ${OWN_TRX}; SELECT note FROM orders; ${OWN_TRX}; COMMIT`,
  `START TRANSACTION WITH CONSISTENT SNAPSHOT; ${OWN_TRX}; COMMIT`,
  "BEGIN; COMMIT RELEASE; SELECT 1",
  "BEGIN; SELECT 1; ROLLBACK RELEASE; SELECT 1",
];

test("a transaction that no server knows of yet looks as at a server, statement by statement", async () => {
  for (const server of Object.values(servers)) await server.root("GRANT PROCESS ON *.* TO app@'%'");
  const all = async (port: number): Promise<Record<string, unknown>> => {
    const outcomes: Record<string, unknown> = {};
    for (const text of SESSIONS) {
      const client = await harness.connect({ port });
      outcomes[text] = await seen(client, text.split("; "));
      client.destroy();
    }
    return outcomes;
  };
  expect(await all(harness.port)).toEqual(await all(servers.old.port));
});
