import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AdminConnection, openAdmin } from "../../../src/mysql/admin-connection.ts";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { stopProcess } from "../../support/stop-process.ts";

let servers: { a: TestServer };
let endpoint: Endpoint;

beforeAll(async () => {
  servers = await startServers(["a"]);
  endpoint = await ownEndpoint(servers.a, "target-writer", ["t"]);
});
afterAll(() => stopServers(servers));

async function using<T>(target: Endpoint, work: (connection: AdminConnection) => Promise<T>): Promise<T> {
  const connection = await openAdmin(target, { attributes: { switchyard_role: "test" } });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

describe("an administrative session", () => {
  test("gives every value as the server's text, and parameters keep their digits", async () => {
    await using(endpoint, async (admin) => {
      const [row] = await admin.rows(
        `SELECT 18446744073709551615 big, 1.10 dec2, CAST('2024-02-29' AS DATE) day, CAST('{"a": 1.0}' AS JSON) json,
                NULL nothing, b'101' + 0 bits, TIMESTAMP'2024-01-01 10:00:00.120000' moment, ? given, ? text`,
        [9007199254740993n, "it's \\ \u{1F600}"],
      );
      expect(row).toEqual({
        big: "18446744073709551615",
        dec2: "1.10",
        day: "2024-02-29",
        json: '{"a": 1.0}',
        nothing: null,
        bits: "5",
        moment: "2024-01-01 10:00:00.120000",
        given: "9007199254740993",
        text: "it's \\ \u{1F600}",
      });
      expect(String(admin.threadId)).toBe((await admin.rows("SELECT CONNECTION_ID() id"))[0]?.["id"]);
      expect(admin.serverVersion).toBe((await admin.rows("SELECT VERSION() v"))[0]?.["v"]);
      await admin.exec("CREATE DATABASE t");
      await admin.exec("CREATE TABLE t.x (id INT PRIMARY KEY)");
      expect(await admin.exec("INSERT IGNORE INTO t.x VALUES (1), (2), ('3x')")).toEqual({
        affectedRows: 3,
        warnings: 1,
      });
      // Found rows are counted, as on the other connections.
      expect((await admin.exec("UPDATE t.x SET id = id")).affectedRows).toBe(3);
    });
  });

  test("says what the server said, with its number", async () => {
    await using(endpoint, async (admin) => {
      await expect(admin.rows("SELECT nope")).rejects.toMatchObject({ code: "MYSQL_SERVER_ERROR", errno: 1054 });
      expect(await admin.rows("SELECT 1 one")).toEqual([{ one: "1" }]);
    });
  });

  test.each<[Partial<Endpoint>, string]>([
    [{ password: "no" }, "MYSQL_ACCESS_DENIED"],
    [{ port: 1 }, "MYSQL_UNREACHABLE"],
    [{ host: "no-such-host.invalid" }, "MYSQL_UNREACHABLE"],
    [{ tls: { mode: "verify_ca" } }, "MYSQL_TLS_FAILED"],
  ])("that cannot be opened with %j says %s", async (change, code) => {
    await expect(openAdmin({ ...endpoint, ...change })).rejects.toMatchObject({ code });
  });

  test("verifies the certificate's authority, and falls back from TLS only where preferred", async () => {
    const ca = readFileSync(`${servers.a.datadir}/ca.pem`, "utf8");
    const cipher = "SHOW STATUS LIKE 'Ssl_cipher'";
    for (const tls of [{ mode: "verify_ca", ca }, { mode: "required" }, { mode: "preferred" }] as const) {
      await using({ ...endpoint, tls }, async (admin) => {
        expect((await admin.rows(cipher))[0]?.["Value"]).not.toBe("");
      });
    }
    await using({ ...endpoint, tls: { mode: "disabled" } }, async (admin) => {
      expect((await admin.rows(cipher))[0]?.["Value"]).toBe("");
    });
    await servers.a.root("ALTER INSTANCE RELOAD TLS");
    await servers.a.restart(["--tls-version="]);
    await using({ ...endpoint, tls: { mode: "preferred" } }, async (admin) => {
      expect((await admin.rows(cipher))[0]?.["Value"] ?? "").toBe("");
    });
    await expect(openAdmin({ ...endpoint, tls: { mode: "required" } })).rejects.toMatchObject({
      code: "MYSQL_TLS_UNAVAILABLE",
    });
    await servers.a.restart();
  });

  test("that is killed tells its listener once, and rejects what comes later", async () => {
    const admin = await openAdmin(endpoint);
    const reasons: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    admin.onClose((reason) => {
      reasons.push(reason);
      resolve();
    });
    const sleeping = admin.rows("SELECT SLEEP(30)").catch((error: unknown) => error);
    await servers.a.root(`DO SLEEP(0.1); KILL ${admin.threadId}`);
    expect(await sleeping).toMatchObject({ code: expect.stringMatching(/MYSQL_CONNECTION_LOST|MYSQL_SERVER_ERROR/) });
    await promise;
    await expect(admin.rows("SELECT 1")).rejects.toMatchObject({ code: "MYSQL_CONNECTION_LOST", sent: false });
    await admin.close();
    expect(reasons).toHaveLength(1);
  });

  test("leaves no socket to a server that stands still, and no statement unanswered", async () => {
    const sockets = (): number => process.getActiveResourcesInfo().filter((one) => /TCP|TLS/.test(one)).length;
    const before = sockets();
    const [cut, closed] = [await openAdmin(endpoint), await openAdmin(endpoint)];
    await stopProcess(servers.a.pid);
    try {
      const asked = [cut, closed].map((admin) => admin.rows("SELECT 1").catch((error: unknown) => error));
      cut.destroy();
      expect(await asked[0]).toMatchObject({ code: "MYSQL_CONNECTION_LOST", sent: true });
      await closed.close();
      expect(await asked[1]).toMatchObject({ code: "MYSQL_CONNECTION_LOST", sent: true });
      await expect.poll(sockets).toBe(before);
    } finally {
      process.kill(servers.a.pid, "SIGCONT");
    }
  });
});
