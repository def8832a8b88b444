import mysql, { type RowDataPacket } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { runMysql } from "./mysql-client.ts";
import { type Harness, PASSWORD, seed, startHarness, USER } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;

const ME = "SELECT CURRENT_USER(), CONNECTION_ID()";

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  await servers.old.root(`
    CREATE USER nobody@'%' IDENTIFIED BY '';
    CREATE USER sha@'%' IDENTIFIED WITH sha256_password BY 'sha-pass';
    CREATE USER umlaut@'%' IDENTIFIED BY 'pässwörd $ "quoted"';
    CREATE USER expiring@'%' IDENTIFIED BY 'first-1';
  `);
  harness = await startHarness(servers);
});

afterAll(async () => {
  await harness?.close();
  await stopServers(servers);
});

/** A login by MySQL's own client, through a proxy that has seen nobody yet. */
async function fresh<T>(tls: "generated" | "disabled", use: (port: number) => Promise<T>): Promise<T> {
  const own = await startHarness(servers, { tls });
  try {
    return await use(own.port);
  } finally {
    await own.close();
  }
}

describe("a login through the proxy", () => {
  test.each([
    ["over TLS with the generated certificate", ["--ssl-mode=REQUIRED"]],
    ["without TLS, the password encrypted with the proxy's key", ["--ssl-mode=DISABLED", "--get-server-public-key"]],
  ])("succeeds %s, and again on the fast path", async (_, how) => {
    await fresh("generated", async (port) => {
      const args = [`--user=${USER}`, `--password=${PASSWORD}`, "-N", "-e", ME];
      const full = await runMysql(port, [...how, ...args]);
      expect(full).toMatchObject({ code: 0, error: "" });
      expect(full.out).toContain(`${USER}@%`);
      // Without TLS and without asking for the key, only a scramble can get in: the proxy has learned the password.
      expect(await runMysql(port, ["--ssl-mode=DISABLED", ...args])).toMatchObject({ code: 0, error: "" });
    });
  });

  test("is refused on the fast path's terms where the password was never shown and cannot be asked for", async () => {
    await fresh("disabled", async (port) => {
      const run = await runMysql(port, ["--ssl-mode=DISABLED", `--user=${USER}`, `--password=${PASSWORD}`, "-e", ME]);
      expect(run.code).not.toBe(0);
      expect(run.error).toContain("Authentication requires secure connection");
    });
  });

  test("reports whom the server sees, and the server's own thread id", async () => {
    const client = await harness.connect();
    const [[row]] = await client.query<RowDataPacket[]>("SELECT CONNECTION_ID() AS id, VERSION() AS version");
    expect(row?.["id"]).toBe(client.threadId);
    await client.end();
    const [server] = await servers.old.root("SELECT VERSION() AS version");
    expect(row?.["version"]).toBe(server?.["version"]);
  });

  test("works with the empty password", async () => {
    expect(await runMysql(harness.port, ["--user=nobody", "--skip-password", "-e", ME])).toMatchObject({ code: 0 });
    const client = await mysql.createConnection({ host: "127.0.0.1", port: harness.port, user: "nobody" });
    await client.ping();
    await client.end();
  });

  test("does not let a known user in without a password", async () => {
    const run = await runMysql(harness.port, [`--user=${USER}`, "--skip-password", "-e", ME]);
    expect(run.error).toMatch(/^ERROR 1045 .*using password: NO/);
  });

  test("relays the server's refusal of an unknown schema", async () => {
    const run = await runMysql(harness.port, [`--user=${USER}`, `--password=${PASSWORD}`, "nowhere"]);
    expect(run.error).toMatch(/^ERROR 1044|^ERROR 1049/);
  });

  test("switches clients that begin with another method", async () => {
    for (const plugin of ["sha256_password", "mysql_clear_password"]) {
      const how = [`--default-auth=${plugin}`, "--enable-cleartext-plugin", "--ssl-mode=REQUIRED"];
      const run = await runMysql(harness.port, [...how, `--user=${USER}`, `--password=${PASSWORD}`, "-e", ME]);
      expect({ plugin, ...run }).toMatchObject({ plugin, code: 0, error: "" });
    }
  });

  test("serves accounts of sha256_password and passwords of any characters", async () => {
    expect(await runMysql(harness.port, ["--user=sha", "--password=sha-pass", "-e", ME])).toMatchObject({ code: 0 });
    const umlaut = await runMysql(harness.port, ["--user=umlaut", '--password=pässwörd $ "quoted"', "-e", ME]);
    expect(umlaut).toMatchObject({ code: 0, error: "" });
  });

  test.each([
    ["disabled", ""],
    ["required", "TLS"],
  ] as const)("reaches a server whose TLS mode is %s, its password cache cold", async (mode, expected) => {
    const own = await startHarness(servers, { backendTls: { mode } });
    await servers.old.root("FLUSH PRIVILEGES");
    const client = await own.connect();
    const [[row]] = await client.query<RowDataPacket[]>("SHOW SESSION STATUS LIKE 'Ssl_version'");
    expect(String(row?.["Value"]).slice(0, 3)).toBe(expected);
    await client.end();
    await own.close();
  });

  test("is refused where the server's certificate must be proven and cannot be", async () => {
    const own = await startHarness(servers, { backendTls: { mode: "verify_identity" } });
    await expect(own.connect()).rejects.toMatchObject({ errno: 2003 });
    await own.close();
  });

  test("follows a changed password: the old one is refused, the new one accepted", async () => {
    const login = (password: string) =>
      runMysql(harness.port, ["--user=expiring", `--password=${password}`, "--ssl-mode=REQUIRED", "-e", ME]);
    expect(await login("first-1")).toMatchObject({ code: 0 });
    await servers.old.root("ALTER USER expiring@'%' IDENTIFIED BY 'second-2'");
    expect((await login("first-1")).error).toContain("ERROR 1045");
    expect(await login("second-2")).toMatchObject({ code: 0 });
    expect((await login("first-1")).error).toContain("ERROR 1045");
  });

  test("of mysql2 works with and without TLS, many at once", async () => {
    const ssl = { rejectUnauthorized: false };
    const options = [{}, { ssl }, { ssl }, {}, { ssl }, {}, {}, { ssl }];
    const clients = await Promise.all(options.map((one) => harness.connect(one)));
    for (const client of clients) {
      const [[row]] = await client.query<RowDataPacket[]>("SELECT CONNECTION_ID() AS id");
      expect(row?.["id"]).toBe(client.threadId);
    }
    await Promise.all(clients.map((client) => client.end()));
  });

  test("puts the worker's boot nonce into the attributes of each connection, with the client's own", async () => {
    const client = await harness.connect({ connectAttributes: { program_name: "a-test" } });
    const rows = await servers.old.root(`
      SELECT ATTR_NAME AS name, ATTR_VALUE AS value FROM performance_schema.session_connect_attrs
      WHERE PROCESSLIST_ID = ${client.threadId} AND ATTR_NAME IN ('switchyard_proxy', 'program_name') ORDER BY 1`);
    const { bootNonce } = await harness.document();
    expect(rows).toContainEqual({ name: "switchyard_proxy", value: bootNonce });
    expect(rows).toContainEqual({ name: "program_name", value: "a-test" });
    await client.end();
  });

  test("names the account and the host that the server sees", async () => {
    const client = await harness.connect();
    const told = await harness.told(
      ({ accounts }) => accounts.some((one) => one.startsWith(`${USER}@`)),
      "the account",
    );
    expect(told.accounts).toContain(`${USER}@127.0.0.1`);
    await client.end();
  });
});

describe("a proxy whose server is away", () => {
  test("says so to the client, before the login", async () => {
    const gone = { ...servers, old: { host: "127.0.0.1", port: 1 } as TestServer };
    const own = await startHarness(gone);
    const run = await runMysql(own.port, [`--user=${USER}`, `--password=${PASSWORD}`, "-e", ME]);
    expect(run.error).toContain("ERROR 2003");
    expect(run.error).toContain('backend "old"');
    await own.close();
  });
});
