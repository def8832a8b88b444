import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ServeProcess } from "../support/serve-process.ts";
import { startServers, stopServers, type TestServer } from "../support/servers.ts";
import { TestSystem } from "../support/system.ts";

/** One migration that is told to be gentle, through the commands and past the death of its controller. */
let system: TestSystem;
let replica: { r1: TestServer };
let serve: ServeProcess;
const ROWS = 150_000;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  replica = await startServers(["r1"]);
  await system.old.root(`CREATE USER repl IDENTIFIED BY 'r'; GRANT REPLICATION SLAVE ON *.* TO repl;
    CREATE TABLE ledger.big (id INT PRIMARY KEY, v INT, w CHAR(200) DEFAULT 'some text');
    SET SESSION cte_max_recursion_depth = 1000000;
    INSERT INTO ledger.big (id, v) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS}) SELECT i, i FROM n`);
  await replica.r1.root(`
    CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ${system.old.port}, SOURCE_USER = 'repl',
      SOURCE_PASSWORD = 'r', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1;
    START REPLICA`);
  const [old = ""] = /^ {2}old: .*$/m.exec(system.config) ?? [];
  const r1 = old.replace("old:", "r1:").replace(`port: ${system.old.port}`, `port: ${replica.r1.port}`);
  const config = system.config.replace(old, `${old}\n${r1}`);
  serve = await system.serve({ config: `${config}\nlimits: { throttleSpeedPercent: 1 }` });
}, 120_000);

afterAll(async () => {
  await serve?.kill9();
  await stopServers(replica);
  await system?.stop();
});

interface Shown {
  readonly migration: Readonly<Record<string, unknown>> & { readonly phase: string };
  readonly status?: {
    readonly throttle?: { readonly share: number; readonly heldBackBy: readonly string[] };
    readonly stream?: { readonly state: string; readonly rowsCopied: number };
    readonly paused?: { readonly lagMs: number; readonly runwayMs: number };
  };
}

async function shown(): Promise<Shown> {
  return (await serve.get("/v1/migrations/m")) as unknown as Shown;
}

async function run(...args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const result = await serve.run(...args);
  expect(result, `${args.join(" ")}\n${result.stdout}${result.stderr}`).toMatchObject({ exit: 0 });
  return result.json;
}

async function never(...args: readonly string[]): Promise<string> {
  const result = await serve.run(...args);
  expect(result.exit, result.stdout).not.toBe(0);
  return JSON.stringify(result.json);
}

async function killController(): Promise<void> {
  const before = serve.childPid("controller");
  process.kill(before, "SIGKILL");
  await expect.poll(() => serve.childPid("controller"), { timeout: 30_000 }).not.toBe(before);
}

describe("a migration that is told to be gentle", () => {
  test("refuses a replica that is none, before anything is made", async () => {
    const refused = await never(
      ...["migration", "create", "m", "--from", "old", "--to", "new", "--tables", "ledger.big", "--read-from", "new"],
    );
    expect(refused).toContain("MYSQL_REPLICA_UNFIT");
    expect(await never("migration", "status", "m")).toContain("MIGRATION_NOT_FOUND");
  });

  test("copies a replica's rows at the configured speed, and shows it", async () => {
    await run(
      ...["migration", "create", "m", "--from", "old", "--to", "new", "--tables", "ledger.big", "--read-from", "r1"],
    );
    await expect.poll(async () => (await shown()).status?.throttle?.share, { timeout: 20_000 }).toBe(0.01);
    expect((await shown()).migration).toMatchObject({ tuning: { readFrom: "r1" }, copiedFrom: ["r1"] });
    const metrics = await (await fetch(`http://127.0.0.1:${serve.adminPort}/metrics`)).text();
    expect(metrics).toMatch(/switchyard_throttle_share\{migration="m"\} 0\.01/);
    expect(metrics).toMatch(/switchyard_throttle_signal\{migration="m",signal="source-history"\}/);
  });

  test("stops while clients' statements take longer at the proxy than they may, and goes on when they do not", async () => {
    const client = await mysql.createConnection(system.appUrl(serve));
    let slow = true;
    const working = (async () => {
      while (slow) await client.query("SELECT SLEEP(0.2)");
    })();
    const held = async (): Promise<readonly string[]> => (await shown()).status?.throttle?.heldBackBy ?? [];
    try {
      await run("migration", "tune", "m", "--max-proxy-p99-ms", "100");
      await expect.poll(held, { timeout: 20_000 }).toEqual(["proxy-p99"]);
      await expect.poll(async () => (await shown()).status?.throttle?.share, { timeout: 20_000 }).toBe(0);
    } finally {
      slow = false;
      await working;
      await client.end();
    }
    await expect.poll(held, { timeout: 20_000 }).toEqual([]);
    await run("migration", "tune", "m", "--max-proxy-p99-ms", "0");
  });

  test("stops behind a late replica that it is told to watch, also at the controller that comes next", async () => {
    await replica.r1.root("STOP REPLICA SQL_THREAD");
    await run("migration", "tune", "m", "--watch-replicas", "r1", "--max-replica-lag-ms", "1000", "--speed", "2");
    const held = async (): Promise<readonly string[]> => (await shown()).status?.throttle?.heldBackBy ?? [];
    await expect.poll(held, { timeout: 20_000 }).toEqual(["replica-lag"]);
    await killController();
    await expect.poll(held, { timeout: 30_000 }).toEqual(["replica-lag"]);
    const { rowsCopied } = (await shown()).status?.stream ?? { rowsCopied: 0 };
    expect(rowsCopied).toBeLessThan(ROWS);
    expect((await shown()).migration).toMatchObject({
      tuning: { readFrom: "r1", replicas: ["r1"], limits: { throttleSpeedPercent: 2 } },
    });
    await replica.r1.root("START REPLICA SQL_THREAD");
    await run("migration", "tune", "m", "--speed", "100");
    await expect.poll(async () => (await shown()).migration.phase, { timeout: 90_000 }).toBe("running");
  });

  test("does not take the replica that was copied from as a witness for the source", async () => {
    expect(await run("diff", "start", "m")).toMatchObject({
      differences: 0,
      rows: ROWS,
      readFrom: "r1",
      proves: false,
    });
    expect(await never("switch", "m")).toContain("no diff has been run");
    const read = await run("diff", "start", "m", "--read-from", "");
    expect(read).toMatchObject({ differences: 0, rows: ROWS });
    expect(read).not.toHaveProperty("readFrom");
    await run("switch", "m", "--dry-run");
  });

  test("stays paused over the death of its controller, shows how late it is, and goes on", async () => {
    await run("migration", "pause", "m", "--reason", "month end");
    await system.old.root("UPDATE ledger.big SET v = -1 WHERE id <= 1000");
    await killController();
    await expect.poll(async () => (await shown()).status?.paused?.runwayMs, { timeout: 30_000 }).toBeGreaterThan(0);
    expect((await shown()).status?.paused?.lagMs).toBeGreaterThan(0);
    expect(await never("switch", "m")).toMatch(/paused by [^"]*: month end/);
    expect(await system.new.root("SELECT COUNT(*) AS n FROM ledger.big WHERE v = -1")).toEqual([{ n: "0" }]);
    await run("migration", "resume", "m");
    await expect.poll(async () => (await shown()).status?.stream?.state, { timeout: 30_000 }).toBe("running");
    const sums = (server: TestServer): Promise<unknown> => server.root("CHECKSUM TABLE ledger.big EXTENDED");
    await expect.poll(() => sums(system.new), { timeout: 20_000 }).toEqual(await sums(system.old));
  });
});
