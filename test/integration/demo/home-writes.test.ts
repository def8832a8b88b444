import { afterAll, beforeAll, expect, test } from "vitest";
import { countClientTransactions, presentPlace } from "../../../demo/home-writes.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";

let servers: Record<"home", TestServer>;

beforeAll(async () => {
  servers = await startServers(["home"]);
});

afterAll(() => stopServers(servers));

test("only transactions of clients count as writes on the new home, over rotated logs", async () => {
  const { home } = servers;
  await home.root(`CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY);
    CREATE DATABASE _switchyard; CREATE TABLE _switchyard.ledger (id INT PRIMARY KEY); INSERT INTO shop.t VALUES (1)`);
  const from = await presentPlace(home);
  await home.root(
    "INSERT INTO shop.t VALUES (2); BEGIN; INSERT INTO shop.t VALUES (3); INSERT INTO shop.t VALUES (4); COMMIT",
  );
  // What a stream applies changes the ledger in the same transaction.
  await home.root("BEGIN; INSERT INTO _switchyard.ledger VALUES (1); INSERT INTO shop.t VALUES (5); COMMIT");
  await home.root("INSERT INTO _switchyard.ledger VALUES (2); CREATE TABLE shop.u (id INT); FLUSH BINARY LOGS");
  // Committed elsewhere and replicated here.
  await home.root(`SET gtid_next = 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa:7'; INSERT INTO shop.t VALUES (6);
    SET gtid_next = AUTOMATIC; BEGIN; INSERT INTO shop.t VALUES (7); ROLLBACK; DELETE FROM shop.t WHERE id = 2`);
  expect(await countClientTransactions(home, from)).toBe(3);
});
