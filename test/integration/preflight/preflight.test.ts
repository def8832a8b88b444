import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseTableKey } from "../../../src/base/table-name.ts";
import { openAdmin } from "../../../src/mysql/admin-connection.ts";
import { runPreflight } from "../../../src/preflight/run-preflight.ts";
import { ACCOUNT, PreflightServers, problems } from "./preflight-servers.ts";

let servers: PreflightServers;

beforeAll(async () => {
  servers = await PreflightServers.start();
  await servers.source.root(
    "CREATE TABLE shop.orders (id INT PRIMARY KEY, total DECIMAL(10,2), note VARCHAR(50), KEY (note)); " +
      "INSERT INTO shop.orders VALUES (1, 2.50, 'x')",
  );
});

afterAll(async () => {
  await servers.stop();
});

const request = (tables: readonly string[]) => ({
  source: { endpoint: servers.source.endpoint(ACCOUNT.user, ACCOUNT.password) },
  target: { endpoint: servers.target.endpoint(ACCOUNT.user, ACCOUNT.password) },
  tables: tables.map(parseTableKey),
});

describe("two servers as they should be", () => {
  test("have no problem, seen through an account with exactly the printed grants", async () => {
    const findings = await runPreflight(request(["shop.orders"]));
    expect(problems(findings)).toEqual([]);
  });

  test("are looked at by sessions that wait seconds for a lock, such as a backup's, where the server would wait a year", async () => {
    const asked = request(["shop.orders"]);
    const connection = await openAdmin(asked.target.endpoint);
    await runPreflight({ ...asked, target: { ...asked.target, connection } });
    expect(await connection.rows("SELECT @@lock_wait_timeout waits")).toMatchObject([{ waits: "3" }]);
    await connection.close();
  });
});
