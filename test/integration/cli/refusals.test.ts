import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { SwitchyardRun } from "../../support/switchyard-run.ts";

const PASSWORD = "account-secret";

let servers: Record<"old" | "new" | "plain", TestServer>;
let folder: string;
let serve: SwitchyardRun;
let url: string | undefined;

beforeAll(async () => {
  servers = await startServers(["old", "new", "plain"], {
    argsOf: { plain: ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"] },
  });
  await servers.old.root(`CREATE DATABASE shop;
    CREATE TABLE shop.orders (id INT PRIMARY KEY);
    CREATE TABLE shop.engine (id INT PRIMARY KEY) ENGINE = MyISAM;
    INSERT INTO shop.orders VALUES (1), (2)`);
  folder = mkdtempSync(join(tmpdir(), "switchyard-refusals-"));
  const { host } = servers.old;
  const right = { user: "switchyard", password: PASSWORD };
  const config = {
    listen: "127.0.0.1:0",
    admin: { listen: "127.0.0.1:0" },
    dataDirectory: "data",
    default: "old",
    backends: {
      old: { host, port: servers.old.port, ...right },
      new: { host, port: servers.new.port, ...right },
      plain: { host, port: servers.plain.port, ...right },
      gone: { host, port: 1, ...right },
      locked: { host, port: servers.new.port, user: "switchyard", password: "wrong-secret" },
      weak: { host, port: servers.new.port, user: "weak", password: PASSWORD },
    },
  };
  writeFileSync(join(folder, "switchyard.yaml"), JSON.stringify(config));
  for (const name of ["old", "new", "plain"] as const) {
    const grants = await run("check", "--print-grants", name, "--with-passwords", "--tables", "shop.orders");
    await servers[name].root(grants.stdout);
  }
  await servers.new.root(`CREATE USER weak IDENTIFIED BY '${PASSWORD}'`);
  serve = new SwitchyardRun(["serve"], { cwd: folder });
  url = await serve.adminUrl();
});

afterAll(async () => {
  await serve.kill("SIGTERM");
  rmSync(folder, { recursive: true, force: true });
  await stopServers(servers);
});

interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...args: readonly string[]): Promise<Ran> {
  const env = url === undefined ? {} : { SWITCHYARD_SERVER: url };
  const one = new SwitchyardRun(args, { cwd: folder, env });
  const { code } = await one.ended;
  return { exit: code, stdout: one.stdout, stderr: one.stderr };
}

const create = (id: string, to: string, tables = "shop.orders"): Promise<Ran> =>
  run("migration", "create", id, "--from", "old", "--to", to, "--tables", tables);

interface Listing {
  readonly migrations: readonly { readonly id: string }[];
}

const migrations = async (): Promise<readonly string[]> =>
  (JSON.parse((await run("migration", "list", "--json")).stdout) as Listing).migrations.map(({ id }) => id);

describe("a migration that cannot begin is one clear error, and nothing is half done", () => {
  test.each([
    ["a server that does not answer", "gone", undefined, 1, /MYSQL_UNREACHABLE[\s\S]*gone/],
    ["a wrong password", "locked", undefined, 1, /MYSQL_ACCESS_DENIED[\s\S]*locked/],
    [
      "a missing privilege, with its GRANT",
      "weak",
      undefined,
      3,
      /PREFLIGHT_REFUSED[\s\S]*GRANT .* ON .* TO 'weak'@'%';/,
    ],
    ["a table of another engine", "new", "shop.engine", 3, /PREFLIGHT_REFUSED[\s\S]*shop\.engine/],
    ["a table that is not there", "new", "shop.nothing", 3, /PREFLIGHT_REFUSED[\s\S]*shop\.nothing/],
    ["GTIDs off", "plain", undefined, 3, /PREFLIGHT_REFUSED[\s\S]*gtid_mode/],
    ["a backend that is not configured", "elsewhere", undefined, 2, /MIGRATION_REQUEST_INVALID[\s\S]*elsewhere/],
    ["a table of the server's own", "new", "mysql.user", 2, /MIGRATION_REQUEST_INVALID[\s\S]*mysql\.user/],
    ["no table name", "new", "orders", 2, /ADMIN_REQUEST_INVALID[\s\S]*schema\.table/],
  ])("%s", async (_, to, tables, exit, message) => {
    const ran = await create("doomed", to, tables);
    expect([ran.exit, ran.stdout], ran.stderr).toEqual([exit, ""]);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr.match(/^[A-Z]+_[A-Z_]+: /gm)).toHaveLength(1);
    // Of a server that was not even reached nothing needs to be said but what to look at.
    expect(ran.stderr).toMatch(exit === 1 ? /in the configuration/ : /nothing was changed/i);
    expect(ran.stderr).not.toMatch(/^ +at |secret/m);
    expect(await migrations()).toEqual([]);
    expect(await servers.new.root("SHOW DATABASES LIKE 'shop'")).toEqual([]);
  });

  test("a second migration of the same table, while the first goes on", async () => {
    const first = await run(
      "migration",
      "create",
      "orders",
      "--from",
      "old",
      "--to",
      "new",
      "--tables",
      "shop.orders",
      "--wait",
    );
    expect(first.exit, first.stderr).toBe(0);
    const second = await create("again", "new");
    expect(second.exit).toBe(3);
    expect(second.stderr).toMatch(/MIGRATION_TABLE_CLAIMED[\s\S]*shop\.orders[\s\S]*orders/);
    expect((await create("orders", "new")).stderr).toContain("MIGRATION_EXISTS");
    expect(await migrations()).toEqual(["orders"]);
    expect((await run("migration", "status", "orders", "--json")).stdout).toContain('"phase":"running"');
  });

  test("nothing secret has reached the log of all that", () => {
    expect(serve.stderr).not.toContain("secret");
  });
});
