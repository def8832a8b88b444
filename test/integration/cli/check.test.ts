import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mysqlTool } from "../../../servers/programs.ts";
import { openAdmin } from "../../../src/mysql/admin-connection.ts";
import type { Finding } from "../../../src/preflight/finding.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { SwitchyardRun } from "../../support/switchyard-run.ts";

const PASSWORD = "s3cret of 'the' \\ account";
const TABLES = "shop.orders,shop.items";

let servers: Record<"old" | "new" | "plain", TestServer>;
let folder: string;

beforeAll(async () => {
  servers = await startServers(["old", "new", "plain"], {
    argsOf: { plain: ["--gtid-mode=OFF", "--enforce-gtid-consistency=OFF"] },
  });
  await servers.old.root(`CREATE DATABASE shop;
    CREATE TABLE shop.orders (id INT PRIMARY KEY, note VARCHAR(20));
    CREATE TABLE shop.items (id INT PRIMARY KEY);
    CREATE TABLE shop.other_engine (id INT PRIMARY KEY) ENGINE = MyISAM;
    CREATE TABLE shop.keyless (id INT)`);
  await servers.plain.root("CREATE DATABASE shop");
  folder = mkdtempSync(join(tmpdir(), "switchyard-check-"));
  writeConfig();
  for (const name of ["old", "new", "plain"] as const) {
    const { stdout } = await run("check", "--print-grants", name, "--with-passwords", "--tables", TABLES);
    await servers[name].root(stdout);
  }
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await stopServers(servers);
});

beforeEach(() => writeConfig());

function writeConfig(changes: { password?: string; port?: number } = {}): void {
  const backends = Object.fromEntries(
    (["old", "new", "plain"] as const).map((name) => {
      const { host, port } = servers[name];
      return [name, { host, port, user: "switchyard", password: PASSWORD }];
    }),
  );
  const config = { backends: { ...backends, new: { ...backends["new"], ...changes } }, default: "old" };
  writeFileSync(join(folder, "switchyard.yaml"), JSON.stringify(config));
}

/** As an administrator does it: by the server's own program, which knows DELIMITER. */
async function intoMysql(server: TestServer, script: string): Promise<void> {
  const { command, args } = mysqlTool("mysql");
  const child = spawn(command, [
    ...args,
    `--socket=${server.socket}`,
    `--user=${server.rootUser}`,
    "--default-character-set=utf8mb4",
  ]);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  child.stdin.end(script);
  const [code] = (await once(child, "close")) as [number | null];
  expect(code, errors).toBe(0);
}

interface Ran {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...args: readonly string[]): Promise<Ran> {
  const one = new SwitchyardRun(args, { cwd: folder });
  const { code } = await one.ended;
  return { exit: code, stdout: one.stdout, stderr: one.stderr };
}

interface Report {
  readonly errors: number;
  readonly findings: readonly Finding[];
  readonly error?: { readonly code: string; readonly message: string; readonly exit: number };
}

const report = ({ stdout }: Ran): Report => JSON.parse(stdout) as Report;
const errorsOf = (ran: Ran): Finding[] => report(ran).findings.filter(({ severity }) => severity === "error");

describe("check", () => {
  test("passes with nothing but the account that --print-grants has made", async () => {
    const ran = await run("check", "--to", "new", "--tables", TABLES, "--json");
    expect(errorsOf(ran)).toEqual([]);
    expect([ran.exit, ran.stderr]).toEqual([0, ""]);
    const text = await run("check", "--to", "new", "--tables", TABLES);
    expect(text.stdout).toMatch(/\n0 errors, \d+ warnings\.\n$/);
  });

  test("looks at the servers alone where no table is named, and says so", async () => {
    const ran = await run("check", "--to", "new");
    expect([ran.exit, ran.stderr]).toEqual([0, ""]);
    expect(ran.stdout).toContain("--tables");
  });

  test.each([
    ["a table of another engine", ["--to", "new", "--tables", "shop.other_engine"], "storage-engine"],
    ["a table that is not there", ["--to", "new", "--tables", "shop.nothing"], "tables-exist"],
    ["a server without GTIDs", ["--to", "plain", "--tables", TABLES], "gtid"],
  ])("ends with 3 and names what to mend: %s", async (_, args, id) => {
    const ran = await run("check", ...args, "--json");
    expect(ran.exit).toBe(3);
    const found = errorsOf(ran).filter((finding) => finding.id === id);
    expect(found.length, ran.stdout).toBeGreaterThan(0);
    for (const { fix } of found) expect(fix).not.toBe("");
    expect(report(ran).error).toMatchObject({ code: "PREFLIGHT_REFUSED", exit: 3 });
    const text = await run("check", ...args);
    expect(text.exit).toBe(3);
    expect(text.stdout).toMatch(new RegExp(`^ERROR +${id} `, "m"));
    expect(text.stderr).toMatch(/^PREFLIGHT_REFUSED[\s\S]*Nothing was changed[\s\S]*check again/);
  });

  test("reads the file of migration create, with the mapping in it", async () => {
    const request = { from: "old", to: "new", tables: ["shop.items"] };
    const write = (mapping: object): void =>
      writeFileSync(join(folder, "items.yaml"), JSON.stringify({ ...request, mapping }));
    write({ "shop.items": { rename: { id: "item" } } });
    const ran = await run("check", "-f", "items.yaml", "--json");
    expect(errorsOf(ran).map(({ id, subject }) => [id, subject])).toEqual([["mapping", "shop.items"]]);
    expect(errorsOf(ran)[0]?.fix).toContain("ALTER TABLE `shop`.`items` RENAME COLUMN `id` TO `item`;");
    write({ "shop.orders": {} });
    const other = await run("check", "-f", "items.yaml");
    expect([other.exit, other.stderr]).toEqual([2, expect.stringContaining("not among the tables")]);
  });

  test("prints the GRANT that is missing, and passes once it has been run", async () => {
    await servers.new.root("REVOKE CONNECTION_ADMIN ON *.* FROM switchyard");
    const ran = await run("check", "--to", "new", "--tables", TABLES, "--json");
    const [finding] = errorsOf(ran);
    expect([ran.exit, finding?.id]).toEqual([3, "privileges"]);
    expect(finding?.fix).toContain("GRANT CONNECTION_ADMIN ON *.*");
    await servers.new.root(finding?.fix ?? "");
    expect((await run("check", "--to", "new", "--tables", TABLES)).exit).toBe(0);
  });
});

describe("check of a server that cannot be asked is one clear error", () => {
  test("where the password is wrong", async () => {
    writeConfig({ password: "wrong-secret" });
    const ran = await run("check", "--to", "new");
    expect([ran.exit, ran.stdout]).toEqual([1, ""]);
    expect(ran.stderr).toMatch(/^MYSQL_ACCESS_DENIED: [\s\S]*new/);
    expect(ran.stderr).not.toContain("wrong-secret");
    expect(ran.stderr).not.toMatch(/^ +at /m);
  });

  test("where nothing listens", async () => {
    writeConfig({ port: 1 });
    const ran = await run("check", "--to", "new", "--json");
    expect(ran.exit).toBe(1);
    expect(report(ran).error).toMatchObject({ code: "MYSQL_UNREACHABLE", exit: 1 });
  });

  test("and where the question itself is not clear, that is usage", async () => {
    expect(await run("check")).toMatchObject({ exit: 2, stderr: expect.stringContaining("--to") });
    expect(await run("check", "--to", "nowhere")).toMatchObject({ exit: 2, stderr: expect.stringContaining("plain") });
    expect(await run("check", "--print-grants")).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("--tables"),
    });
  });
});

describe("what check prints for an administrator", () => {
  test("has no password unless it is asked for", async () => {
    const ran = await run("check", "--print-grants", "--tables", TABLES);
    expect(ran.stdout).not.toContain("s3cret");
    expect(ran.stdout.match(/^CREATE USER/gm)).toHaveLength(3);
  });

  test("is what the applications' accounts lack on the target", async () => {
    await servers.old.root("CREATE USER app IDENTIFIED BY 'app-password'; GRANT SELECT, INSERT ON shop.* TO app");
    const args = ["check", "--print-accounts", "--to", "new", "--tables", TABLES];
    const first = await run(...args);
    expect(first.stdout).toMatch(/CREATE USER 'app'@'%'[\s\S]*GRANT SELECT, INSERT ON/);
    await servers.new.root(first.stdout);
    expect((await run(...args)).stdout).toBe("-- nothing is missing on new\n");
    const login = await openAdmin(servers.new.endpoint("app", "app-password"));
    expect(await login.rows("SHOW GRANTS")).toContainEqual({
      "Grants for app@%": "GRANT SELECT, INSERT ON `shop`.* TO `app`@`%`",
    });
    await login.close();
  });

  /**
   * A view reads another that comes after it by name and calls a function; a procedure was made in a mode in which
   * double quotes are names; one view needs a table that stays.
   */
  test("is what stands behind names and moves along, in an order in which it can be made", async () => {
    await servers.old.root(`USE shop;
      CREATE FUNCTION twice (n INT) RETURNS INT DETERMINISTIC READS SQL DATA
        BEGIN DECLARE m INT; SELECT MAX(id) INTO m FROM shop.items; RETURN n * 2 + COALESCE(m, 0) * 0; END;
      CREATE VIEW zz AS SELECT id, shop.twice(id) AS double_id FROM shop.orders;
      CREATE VIEW aa AS SELECT COUNT(*) AS n FROM shop.zz;
      CREATE VIEW stays AS SELECT o.id FROM shop.orders o JOIN shop.keyless k ON k.id = o.id;
      SET sql_mode = 'ANSI_QUOTES';
      CREATE PROCEDURE "list $$" () SQL SECURITY INVOKER BEGIN SELECT 'it''s' AS "quoted;", id FROM "orders"; END;
      SET sql_mode = DEFAULT;
      CREATE EVENT tidy ON SCHEDULE EVERY 1 DAY COMMENT 'ENABLE DO' DO DELETE FROM shop.orders WHERE id < 0`);
    await servers.new.root(`CREATE DATABASE IF NOT EXISTS shop;
      CREATE TABLE shop.orders (id INT PRIMARY KEY, note VARCHAR(20)); CREATE TABLE shop.items (id INT PRIMARY KEY)`);
    const args = ["check", "--print-objects", "--to", "new", "--tables", TABLES];
    const first = await run(...args);
    expect(first.stdout).toContain("-- left out: view shop.stays: it also uses shop.keyless");
    await intoMysql(servers.new, first.stdout);
    expect((await run(...args)).stdout).toMatch(/^-- nothing is missing on new\n-- left out: [^\n]*\n$/);
    for (const what of ["VIEW zz", "VIEW aa", "FUNCTION twice", "PROCEDURE `list $$`"]) {
      const [here, there] = await Promise.all(
        [servers.old, servers.new].map((server) => server.root(`USE shop; SHOW CREATE ${what}`)),
      );
      expect(there, what).toEqual(here);
    }
    const events = await servers.new.root("SELECT STATUS s, EVENT_COMMENT c FROM information_schema.EVENTS");
    expect(events).toEqual([{ s: "DISABLED", c: "ENABLE DO" }]);
    await servers.old.root(
      "DROP VIEW shop.aa, shop.zz, shop.stays; DROP FUNCTION shop.twice; DROP PROCEDURE shop.`list $$`; DROP EVENT shop.tidy",
    );
    await servers.new.root("DROP DATABASE shop");
  });
});
