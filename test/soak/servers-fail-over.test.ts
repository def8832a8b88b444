import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { printGrants } from "../../src/preflight/grants.ts";
import { type CommandResult, ServeProcess } from "../support/serve-process.ts";
import { startServers, stopServers, type TestServer } from "../support/servers.ts";

const NAMES = ["old", "good", "bad", "new", "spare"] as const;
type Name = (typeof NAMES)[number];
const PASSWORD = "switchyard-secret";

let servers: Record<Name, TestServer>;
let serve: ServeProcess;
const folder = mkdtempSync(join(tmpdir(), "switchyard-failover-"));
let written = 0;

beforeAll(async () => {
  servers = await startServers(NAMES);
  for (const server of [servers.old, servers.new]) {
    const account = { user: "switchyard", host: "127.0.0.1", schemas: ["shop"], password: PASSWORD };
    await server.root(printGrants("serve", account).join("\n"));
    await server.root(`CREATE USER repl@'127.0.0.1' IDENTIFIED BY 'r'; GRANT REPLICATION SLAVE ON *.* TO repl@'127.0.0.1';
      CREATE USER app@'127.0.0.1' IDENTIFIED BY 'a'; GRANT ALL ON shop.* TO app@'127.0.0.1'`);
  }
  await replicate("good", "old");
  await replicate("bad", "old");
  await replicate("spare", "new");
  await servers.old.root(`CREATE DATABASE shop; CREATE TABLE shop.item (id INT PRIMARY KEY, v VARCHAR(40));
    CREATE TABLE shop.big (id INT PRIMARY KEY, v CHAR(200)); SET SESSION cte_max_recursion_depth = 1000000;
    INSERT INTO shop.big WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT i, i FROM n`);
  const entry = ({ host, port }: TestServer): string =>
    `{ host: ${host}, port: ${port}, user: switchyard, password: "${PASSWORD}" }`;
  const backends = NAMES.map((name) => `  ${name}: ${entry(servers[name])}`).join("\n");
  const config = `backends:\n${backends}\ndefault: old\nlimits: { diffMaxAgeHours: 1 }\nlog: { level: debug, format: json }`;
  serve = await ServeProcess.start({ folder, config });
}, 120_000);
afterAll(async () => {
  await serve?.stop();
  await stopServers(servers);
  rmSync(folder, { recursive: true, force: true });
});

async function replicate(replica: Name, source: Name): Promise<void> {
  await servers[replica].root(
    `CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ${servers[source].port}, SOURCE_USER = 'repl',
      SOURCE_PASSWORD = 'r', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA`,
  );
}

async function executed(name: Name): Promise<GtidSet> {
  const [row] = await servers[name].root("SELECT @@global.gtid_executed AS g");
  return GtidSet.parse(row?.["g"] ?? "");
}

async function caughtUp(replica: Name, source: Name): Promise<void> {
  const wanted = await executed(source);
  for (let tries = 0; !(await executed(replica)).contains(wanted); tries += 1) {
    if (tries > 600) throw new Error(`${replica} did not catch up: ${await status(replica)}`);
    await sleep(50);
  }
}

async function status(replica: Name): Promise<string> {
  return JSON.stringify(await servers[replica].root("SHOW REPLICA STATUS"));
}

/** The source ends; its replica has all of it, and takes its place. */
async function failOver(from: Name, to: Name): Promise<void> {
  await servers[from].root("SET GLOBAL super_read_only = ON");
  await caughtUp(to, from);
  await servers[from].kill9();
  await promote(to);
}

async function promote(name: Name): Promise<void> {
  await servers[name].root("STOP REPLICA; RESET REPLICA ALL");
}

async function run(...args: readonly string[]): Promise<CommandResult> {
  const result = await serve.run(...args);
  expect(result, result.stdout + result.stderr).toMatchObject({ exit: 0 });
  return result;
}

/** Acknowledged writes of a client of the proxy. */
async function write(rows: number): Promise<void> {
  const connection = await mysql.createConnection({
    host: "127.0.0.1",
    port: serve.proxyPort,
    user: "app",
    password: "a",
  });
  for (let i = 0; i < rows; i += 1) {
    written += 1;
    await connection.query("INSERT INTO shop.item VALUES (?, 'x')", [written]);
    await connection.query("UPDATE shop.item SET v = CONCAT(v, ?) WHERE id = ?", [i % 10, Math.ceil(written / 2)]);
  }
  await connection.end();
}

/** Both servers' own checksums, once the stream has brought one level with the other. */
async function equal(home: Name, other: Name, tables = "shop.item"): Promise<void> {
  const sums = async (name: Name): Promise<unknown> => await servers[name].root(`CHECKSUM TABLE ${tables} EXTENDED`);
  for (let tries = 0; ; tries += 1) {
    const [a, b] = [await sums(home), await sums(other)];
    if (JSON.stringify(a) === JSON.stringify(b)) break;
    if (tries > 200) expect(b).toEqual(a);
    await sleep(50);
  }
  expect(await servers[home].root("SELECT COUNT(*) AS n FROM shop.item")).toEqual([{ n: String(written) }]);
}

async function seen(migration: string): Promise<{ phase: string; error: string }> {
  const page = (await serve.get(`/v1/migrations/${migration}`)) as {
    migration: { phase: string; streams: Record<string, { error?: string }> };
  };
  const { phase, streams } = page.migration;
  const error = `${streams["forward"]?.error ?? ""}${streams["reverse"]?.error ?? ""}`;
  return { phase, error };
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await condition()); tries += 1) {
    if (tries > 2400) throw new Error(`not within a minute: ${what}; ${serve.log.slice(-3000)}`);
    await sleep(25);
  }
}

describe("a migration whose servers fail over, each in its turn", () => {
  test("refuses a replica that has written of its own accord, and one that lacks transactions, with both sets", async () => {
    await run("migration", "create", "m", "--from", "old", "--to", "new", "--tables", "shop.item", "--wait");
    await write(20);
    await caughtUp("bad", "old");
    await servers.bad.root("CREATE DATABASE errant");
    await write(20);
    await caughtUp("bad", "old");
    const feeding = await serve.run("migration", "repoint", "m", "--source", "bad");
    expect(feeding).toMatchObject({ exit: 3, stdout: expect.stringContaining("still replicates") });
    await promote("bad");
    await servers.good.root("STOP REPLICA SQL_THREAD");
    const lacking = await executed("good");
    await write(20);
    await equal("old", "new");
    const refused = await serve.run("migration", "repoint", "m", "--source", "bad");
    const [row] = await servers.bad.root("SELECT @@server_uuid AS uuid");
    expect(refused).toMatchObject({ exit: 3, stdout: expect.stringContaining("MIGRATION_REPOINT_REFUSED") });
    expect(refused.stdout).toMatch(/missing there .*:\d/);
    expect(refused.stdout, "it still takes writes").toContain("super_read_only");
    await servers.good.root("STOP REPLICA");
    const late = await serve.run("migration", "repoint", "m", "--source", "good");
    const gone = (await executed("old")).subtract(lacking);
    expect(late.stdout).toContain(`errant there   nothing`);
    const missing = GtidSet.parse(/missing there {2}([0-9a-f:,-]+)/.exec(late.stdout)?.[1] ?? "");
    expect(gone.contains(missing) && !missing.isEmpty, late.stdout).toBe(true);
    await servers.good.root("START REPLICA");
    // It has every transaction of the former source, and one more in between.
    await replicate("bad", "old");
    await caughtUp("bad", "old");
    await promote("bad");
    const errant = await serve.run("migration", "repoint", "m", "--source", "bad");
    expect(errant.stdout).toContain(`errant there   ${row?.["uuid"]}:1`);
    await write(5);
    await equal("old", "new");
  }, 120_000);

  test("goes on exactly once from the source's replica, while copying and while running", async () => {
    await run("migration", "create", "c", "--from", "old", "--to", "new", "--tables", "shop.big");
    const { socket: socketPath, rootUser: user } = servers.new;
    const blocker = await mysql.createConnection({ socketPath, user });
    await until("some of it is copied", async () => {
      const [rows] = await blocker.query("SELECT 1 FROM shop.big LIMIT 1").catch(() => [[]]);
      return (rows as readonly unknown[]).length > 0;
    });
    await blocker.query("LOCK TABLES shop.big READ");
    await run("migration", "pause", "c");
    blocker.destroy();
    expect((await seen("c")).phase).toBe("copying");
    await servers.old.root(
      "UPDATE shop.big SET v = 'changed' WHERE id % 7 = 0; DELETE FROM shop.big WHERE id % 11 = 0",
    );
    await failOver("old", "good");
    const report = await run("migration", "repoint", "c", "--source", "good");
    expect(report.json).toMatchObject({ changed: true, from: "old", to: "good" });
    // Its controller is killed between ledger and journal, and again behind them: the order is taken up each time.
    serve.armFailpoints("repoint-after-ledger", "repoint-after-journal");
    await run("migration", "repoint", "m", "--source", "good");
    await until("both have killed", async () => serve.failpointsLeft.filter((point) => point !== "").length === 0);
    await run("migration", "resume", "c");
    await write(30);
    await servers.good.root("UPDATE shop.big SET v = 'again' WHERE id % 13 = 0");
    await until("c runs", async () => (await seen("c")).phase === "running");
    await equal("good", "new", "shop.item, shop.big");
    expect((await run("migration", "repoint", "m", "--source", "good")).json).toMatchObject({ changed: false });
    // An order that ended between ledger and journal, and was not taken up, is taken back by naming the journal's server.
    await servers.new.root(
      "UPDATE _switchyard.ledger SET epoch = epoch + 1, source_uuid = UUID() WHERE migration = 'm'",
    );
    const back = await run("migration", "repoint", "m", "--source", "good");
    expect(back.json).toMatchObject({ changed: true, notes: [] });
    await write(10);
    await equal("good", "new");
    expect((await run("migration", "repoint", "m", "--source", "good")).json).toMatchObject({ changed: false });
    await run("migration", "cancel", "c");
  }, 180_000);

  test("and to the target's replica, whose sidecar has come with it", async () => {
    await failOver("new", "spare");
    await run("migration", "repoint", "m", "--target", "spare");
    await write(30);
    await equal("good", "spare");
    await run("diff", "start", "m");
    await run("switch", "m");
    await write(30);
    await equal("spare", "good");
  }, 120_000);

  test("and back, after the switch: to the old home's replica with its fences, then to that of the new home", async () => {
    await servers.old.start();
    await replicate("old", "good");
    await failOver("good", "old");
    await run("migration", "repoint", "m", "--source", "old");
    const client = mysql.createConnection({ host: "127.0.0.1", port: servers.old.port, user: "app", password: "a" });
    await expect((await client).query("DELETE FROM shop.item")).rejects.toThrow(/has moved/);
    (await client).destroy();
    await write(30);
    await equal("spare", "old");
    await servers.new.start();
    await replicate("new", "spare");
    await failOver("spare", "new");
    await run("migration", "repoint", "m", "--target", "new");
    await write(30);
    await equal("new", "old");
    await run("diff", "start", "m");
    await run("rollback", "m");
    await write(30);
    await equal("old", "new");
    const history = await run("migration", "history", "m");
    expect(history.stdout.match(/repointed from/g)).toHaveLength(5);
  }, 180_000);

  test("and stops where an address leads elsewhere and nobody has said so", async () => {
    await serve.stop();
    const text = readFileSync(serve.configPath, "utf8");
    writeFileSync(serve.configPath, text.replaceAll(`port: ${servers.new.port},`, `port: ${servers.bad.port},`));
    await serve.restart();
    await until("it stops", async () => (await seen("m")).error !== "");
    expect((await seen("m")).error).toContain("STREAM_TARGET_CHANGED");
    const refused = await serve.run("migration", "repoint", "m", "--target", "new");
    expect(refused).toMatchObject({ exit: 3, stdout: expect.stringContaining("MIGRATION_REPOINT_REFUSED") });
    writeFileSync(serve.configPath, text);
    await serve.stop();
    await serve.restart();
    await run("migration", "resume", "m");
    await write(5);
    await equal("old", "new");
  }, 120_000);
});
