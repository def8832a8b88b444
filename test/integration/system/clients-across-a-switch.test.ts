import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClientTls, type ProgramRun, runClientProgram } from "../../support/client-programs.ts";
import { LEDGER_TABLES } from "../../support/ledger-writers.ts";
import type { ServeProcess } from "../../support/serve-process.ts";
import type { TestServer } from "../../support/servers.ts";
import { TestSystem } from "../../support/system.ts";

/*
 * What people have on their machines: `mysql`, `mysqldump` and mysql2, with an account that has a password
 * (caching_sha2_password, the only way of MySQL 9), with TLS and without. Each command is run through the proxy and
 * once more at the server on which the tables live, and must have the same outcome: before a switch, after it, and
 * after a rollback.
 */

const ACCOUNT = { user: "app", password: "app-secret" };
const TABLES = `${LEDGER_TABLES},ledger.thing`;
/** What names stand for that are no tables; on the target it is created by hand, after the copy. */
const BEHIND = `
  SET GLOBAL log_bin_trust_function_creators = ON;
  USE ledger;
  CREATE VIEW priced AS SELECT code, price FROM thing WHERE price IS NOT NULL;
  CREATE PROCEDURE entries_of(IN whose INT) BEGIN SELECT @@server_id, COUNT(*) FROM entry WHERE client = whose; END;
  CREATE FUNCTION last_entry() RETURNS INT READS SQL DATA RETURN (SELECT MAX(id) FROM entry)`;
const TLS: readonly ClientTls[] = ["required", "disabled"];

let system: TestSystem;
let serve: ServeProcess;
/** Where the tables live. */
let home: TestServer;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  await system.old.root(`
    CREATE TABLE ledger.thing (code CHAR(4) PRIMARY KEY, name VARCHAR(40), price DECIMAL(12,2), weight DOUBLE,
      made DATETIME(6), seen TIMESTAMP NULL, data BLOB, facts JSON, kind ENUM('a','b'), flags SET('x','y'),
      total DECIMAL(14,2) AS (price * 2) STORED) CHARACTER SET utf8mb4;
    INSERT INTO ledger.thing (code, name, price, weight, made, seen, data, facts, kind, flags) VALUES
      ('A', 'Zoë 🚲', 12.50, 0.1, '2024-02-29 12:34:56.789012', '2024-06-01 10:00:00', UNHEX('00FF27'), '{"a": [1, null]}', 'a', 'x,y'),
      ('B', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), ('C', 'it''s \\\\ "q"', -1, 1e300, NULL, NULL, '', '[]', 'b', '');
    INSERT INTO ledger.entry (client, sequence, note) VALUES (-1, 1, 'first'), (-1, 2, 'zweite Zeile: ü');
    INSERT INTO ledger.counter VALUES (-1, 2)`);
  await system.old.root(BEHIND);
  for (const server of [system.old, system.new]) {
    // What mysqldump asks for: tablespaces, and a read lock around its snapshot where GTIDs are on.
    await server.root("GRANT PROCESS, RELOAD, SHOW_ROUTINE ON *.* TO app@'127.0.0.1'");
  }
  serve = await system.serve();
  home = system.old;
  await order("migration", "create", "clients", "--from", "old", "--to", "new", "--tables", TABLES, "--wait");
  await order("diff", "start", "clients");
  // Without these on the target the gate refuses: the proxy would have nowhere to send what uses them. And where the stream
  // back could not write its ledger.
  await system.old.root("ALTER TABLE _switchyard.ledger ADD CONSTRAINT shut CHECK (worker < 1000)");
  const refused = await serve.run("switch", "clients");
  await system.old.root("ALTER TABLE _switchyard.ledger DROP CONSTRAINT shut");
  expect(refused.stderr + refused.stdout).toContain("the stream that leads back could begin");
  expect(refused.stderr + refused.stdout).toContain("view ledger.priced uses it; the target has none");
  expect(refused.exit).toBe(3);
  await system.new.root(BEHIND);
});

afterAll(async () => {
  await serve?.stop();
  await system?.stop();
});

async function order(...args: string[]): Promise<void> {
  const { exit, stdout, stderr } = await serve.run(...args);
  if (exit !== 0) throw new Error(`${args.join(" ")} ended with ${exit}:\n${stdout}${stderr}`);
}

async function move(kind: "switch" | "rollback"): Promise<void> {
  await order(kind, "clients");
  home = kind === "switch" ? system.new : system.old;
}

/** One command, through the proxy and at the home. */
async function both(
  name: "mysql" | "mysqldump",
  tls: ClientTls,
  args: readonly string[],
  input = "",
): Promise<{ proxied: ProgramRun; direct: ProgramRun }> {
  const run = (port: number): Promise<ProgramRun> =>
    runClientProgram(name, { port, tls, account: ACCOUNT }, args, input);
  const [proxied, direct] = await Promise.all([run(serve.proxyPort), run(home.port)]);
  return { proxied, direct };
}

/** Statements as somebody types them, mistakes among them; `--force` goes on after those. */
const SESSION = `
SHOW TABLES;
SELECT * FROM entry ORDER BY id;
SELECT code, name, price, weight, made, seen, HEX(data), facts, kind, flags, total FROM thing ORDER BY code;
DESCRIBE counter;
SHOW CREATE TABLE thing;
SHOW INDEX FROM entry;
SELECT COUNT(*), MAX(c.n) FROM entry e JOIN counter c ON c.client = e.client;
SELECT 1/0;
SHOW WARNINGS;
SELECT FROM entry;
SELECT * FROM nowhere;
INSERT INTO counter VALUES (-1, 3);
SET @x = 41;
SELECT @x + 1, DATABASE(), USER(), CURRENT_USER();
SET NAMES latin1;
SELECT name FROM thing WHERE code = 'A';
SET NAMES utf8mb4;
SET SESSION sql_mode = 'ANSI_QUOTES';
SELECT "code" FROM "thing" ORDER BY "code";
SET SESSION sql_mode = DEFAULT;
BEGIN;
INSERT INTO entry VALUES (900, -9, 1, 'not to stay');
SAVEPOINT here;
UPDATE entry SET note = 'changed' WHERE id = 900;
SELECT ROW_COUNT(), note FROM entry WHERE id = 900;
ROLLBACK TO here;
SELECT note FROM entry WHERE id = 900;
ROLLBACK;
SELECT COUNT(*) FROM entry WHERE id = 900;
EXPLAIN FORMAT=JSON SELECT * FROM counter WHERE client = -1;
HELP 'ROLLBACK';
SELECT p.*, @@server_id FROM priced p ORDER BY code;
UPDATE priced SET price = price WHERE code = 'A';
SHOW CREATE VIEW priced;
SELECT last_entry() > 0, @@server_id FROM thing LIMIT 1;
SELECT last_entry() > 0;
CALL entries_of(-1);
`;

/** The dump without the time at which it was made, and without the number of transactions so far, which goes on. */
function undated(run: ProgramRun): ProgramRun {
  const dated = /^-- Dump completed on .*$/m;
  const counted = /^(SET @@GLOBAL.GTID_PURGED=.*'[0-9a-f-]{36}:1)-\d+';$/m;
  return { ...run, out: run.out.replace(dated, "-- Dump completed").replace(counted, "$1-N';") };
}

const DUMPS: readonly (readonly [args: readonly string[], why: string])[] = [
  [["--set-gtid-purged=OFF", "ledger"], "tables locked, one schema"],
  [["--single-transaction", "ledger"], "a consistent snapshot, and the GTIDs of the server that it is of"],
  [["--single-transaction", "--set-gtid-purged=OFF", "--routines", "--events", "--databases", "ledger"], "all of it"],
  [["--set-gtid-purged=OFF", "--skip-extended-insert", "--hex-blob", "ledger", "thing"], "one table, row by row"],
];

function driverConnection(port: number, tls: ClientTls): Promise<mysql.Connection> {
  return mysql.createConnection({
    host: "127.0.0.1",
    port,
    ...ACCOUNT,
    database: "ledger",
    multipleStatements: true,
    ...(tls === "required" ? { ssl: { rejectUnauthorized: false } } : {}),
  });
}

/** What an application does with mysql2; leaves no row behind. */
async function driverSession(port: number, tls: ClientTls): Promise<unknown[]> {
  const connection = await driverConnection(port, tls);
  const found: unknown[] = [];
  try {
    found.push((await connection.query("SELECT * FROM thing ORDER BY code"))[0]);
    const prepared = "SELECT id, note FROM entry WHERE client = ? AND sequence = ?";
    for (const sequence of [1, 2, 3]) found.push((await connection.execute(prepared, [-1, sequence]))[0]);
    found.push((await connection.execute("SELECT price, made, data FROM thing WHERE code = ?", ["A"]))[0]);
    found.push((await connection.query("SELECT n FROM counter; SELECT note FROM entry ORDER BY id"))[0]);
    found.push(await connection.query("SELECT * FROM nowhere").catch((error: Error) => error.message));
    await connection.beginTransaction();
    const [inserted] = await connection.execute("INSERT INTO entry VALUES (?, ?, ?, ?)", [901, -9, 2, "brief"]);
    found.push((inserted as mysql.ResultSetHeader).affectedRows, (inserted as mysql.ResultSetHeader).insertId);
    found.push((await connection.execute("SELECT note FROM entry WHERE id = ?", [901]))[0]);
    await connection.rollback();
    found.push((await connection.query("SELECT COUNT(*) AS n FROM entry WHERE id = 901"))[0]);
    await connection.ping();
    await connection.reset();
    found.push((await connection.query("SELECT @@autocommit AS a, DATABASE() AS d"))[0]);
    return found;
  } finally {
    await connection.end();
  }
}

const STAGES = ["before a switch", "after a switch", "after a rollback"] as const;

describe.each(STAGES)("%s", (stage) => {
  beforeAll(async () => {
    if (stage === "after a switch") await move("switch");
    if (stage === "after a rollback") await move("rollback");
  });

  test.each(TLS)("mysql has the same outcome as at the server (TLS %s)", async (tls) => {
    const { proxied, direct } = await both("mysql", tls, ["--force", "--table", "ledger"], SESSION);
    expect(proxied).toEqual(direct);
    expect(direct.out).toContain("Zoë 🚲");
    const status = await runClientProgram("mysql", { port: serve.proxyPort, tls, account: ACCOUNT }, [
      "--commands",
      "-e",
      "\\s",
    ]);
    expect(`${status.error}${status.out}`).toMatch(tls === "required" ? /SSL:\s+Cipher in use/ : /SSL:\s+Not in use/);
  });

  test.each(TLS)("mysqldump writes the same as at the server (TLS %s)", async (tls) => {
    for (const [args, why] of DUMPS) {
      const { proxied, direct } = await both("mysqldump", tls, args);
      expect(undated(proxied), why).toEqual(undated(direct));
      expect(direct.code, why).toBe(0);
      expect(direct.out, why).toContain("INSERT INTO `thing`");
    }
  });

  test.each(TLS)("mysql2 gets the same values as at the server (TLS %s)", async (tls) => {
    const proxied = await driverSession(serve.proxyPort, tls);
    expect(proxied).toEqual(await driverSession(home.port, tls));
  });

  test.each(TLS)("what they write is at the home, and only their password lets them in (TLS %s)", async (tls) => {
    const note = `${stage}, ${tls}`;
    const to = { port: serve.proxyPort, tls, account: ACCOUNT };
    const written = await runClientProgram("mysql", to, [
      "-e",
      `INSERT INTO ledger.entry (client, sequence, note) VALUES (-2, 1, '${note}')`,
    ]);
    expect(written).toMatchObject({ code: 0, error: "" });
    expect(await home.root(`SELECT COUNT(*) AS n FROM ledger.entry WHERE note = '${note}'`)).toEqual([{ n: "1" }]);
    const wrong = { ...to, account: { ...ACCOUNT, password: "wrong" } };
    const refused = await runClientProgram("mysql", wrong, ["-e", "SELECT 1"]);
    expect(refused.error).toMatch(/^ERROR 1045 \(28000\): Access denied for user 'app'@/);
  });
});
