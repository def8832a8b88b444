import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { BypassingWriter } from "../../support/bypassing-writer.ts";
import { LEDGER_TABLES, LedgerWriters } from "../../support/ledger-writers.ts";
import type { ServeProcess } from "../../support/serve-process.ts";
import { TestSystem } from "../../support/system.ts";

/** Each takes seconds; `npm run test:all` does more. */
const ROUNDS = Number(process.env["SWITCHYARD_MOVES"] ?? 2);

/** Of the home that is left; what keeps him out of the other one are its triggers, and guards in their place. */
const FENCES = { switch: ["lock", "lock-read"], rollback: ["lock-read", "none", "lock"] } as const;
const FORCED = ["--force", "--reason", "nobody goes past the proxies there"];

describe("a client that writes straight to the source", () => {
  let system: TestSystem;
  let serve: ServeProcess;
  beforeAll(async () => {
    system = await TestSystem.start();
    await system.resetTables();
    serve = await system.serve();
  }, 60_000);
  afterAll(async () => {
    await serve?.stop();
    await system?.stop();
  });

  test("and to the target is found, and his rows are repaired from the source", async () => {
    const created = await serve.run(
      "migration",
      "create",
      "m",
      "--from",
      "old",
      "--to",
      "new",
      "--tables",
      LEDGER_TABLES,
      "--wait",
    );
    expect(created, created.stdout + created.stderr).toMatchObject({ exit: 0 });
    const early = await serve.run("diff", "repair", "m");
    expect(early, early.stdout + early.stderr).toMatchObject({
      exit: 1,
      stdout: expect.stringContaining("DIFF_STALE"),
    });
    await system.old.root("INSERT INTO ledger.entry (client, sequence, note) VALUES (-3, 1, 'a'), (-3, 2, 'b')");
    await vi.waitFor(async () => expect(await targetNotes()).toEqual(["a", "b"]), { timeout: 10_000, interval: 50 });
    await system.new.root(
      "SET sql_log_bin = 0; UPDATE ledger.entry SET note = 'B' WHERE client = -3 AND sequence = 2;" +
        "DELETE FROM ledger.entry WHERE client = -3 AND sequence = 1;" +
        "INSERT INTO ledger.entry (client, sequence, note) VALUES (-3, 3, 'c')",
    );
    // Of what is to be repaired one process has found a part, and another the rest.
    serve.armFailpoints("diff-after-range-kept");
    const found = await serve.run("diff", "start", "m");
    expect(found, found.stdout + found.stderr).toMatchObject({ exit: 1 });
    expect(serve.failpointsLeft).toEqual([]);
    const { report } = (await serve.get("/v1/migrations/m/diff")) as { report: { files?: { directory: string } } };
    const { files } = report;
    const lines = readFileSync(join(files?.directory ?? "", "ledger.entry.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines.map((line) => JSON.parse(line).kind).toSorted()).toEqual([
      "different",
      "missing-on-source",
      "missing-on-target",
    ]);
    const counts = { inserted: 1, deleted: 1, rewritten: 1, equal: 0, refused: 0 };
    const looked = await serve.run("diff", "repair", "m", "--dry-run", "--json");
    expect(JSON.parse(looked.stdout)).toMatchObject({ ...counts, dryRun: true });
    expect(await targetNotes()).toEqual(["B", "c"]);
    const repaired = await serve.run("diff", "repair", "m", "--json");
    expect(JSON.parse(repaired.stdout)).toMatchObject({ ...counts, dryRun: false, complete: true });
    expect(await targetNotes()).toEqual(["a", "b"]);
    const resumed = await serve.run("diff", "resume", "m");
    expect(resumed).toMatchObject({ exit: 1, stdout: expect.stringContaining("DIFF_STALE") });
    const again = await serve.run("diff", "repair", "m");
    expect(again).toMatchObject({ exit: 1, stdout: expect.stringContaining("DIFF_STALE") });
  });

  /**
   * 1. A diff finds both sides equal; then somebody changes a row of the target.
   * 2. The stream changes that row, misses it, and commits. Its process is killed in the same moment.
   * 3. The next one finds nothing wrong with the rows to come: did it know of no drift, that diff would open the gate.
   */
  test("is found by the stream, and no switch relies on the diff of before, or on a fast one, though its process is killed right behind the commit", async () => {
    const clean = await serve.run("diff", "start", "m");
    expect(clean, clean.stdout + clean.stderr).toMatchObject({ exit: 0 });
    await system.new.root("SET sql_log_bin = 0; DELETE FROM ledger.entry WHERE client = -3 AND sequence = 2");
    serve.armFailpoints("catch-up-after-commit");
    await system.old.root("UPDATE ledger.entry SET note = 'late' WHERE client = -3 AND sequence = 2");
    await vi.waitFor(() => expect(serve.failpointsLeft).toEqual([]), { timeout: 20_000, interval: 20 });
    await system.old.root("UPDATE ledger.entry SET note = 'later' WHERE client = -3 AND sequence = 1");
    await vi.waitFor(async () => expect(await targetNotes()).toEqual(["later"]), { timeout: 20_000, interval: 50 });
    const history = await serve.run("migration", "history", "m");
    expect(history.stdout).toMatch(/drift on .*: 1 rows were not as expected/);
    expect(serve.log).toContain('"keys":');
    const [row] = await system.old.root("SELECT id FROM ledger.entry WHERE client = -3 AND sequence = 2");
    await system.new.root(`SET sql_log_bin = 0; INSERT INTO ledger.entry VALUES (${row?.["id"]}, -3, 2, 'late')`);
    // Sums are no proof, though they are equal.
    const fast = await serve.run("diff", "start", "m", "--fast");
    expect(fast, fast.stdout + fast.stderr).toMatchObject({ exit: 0 });
    expect(JSON.parse(fast.stdout)).toMatchObject({ fast: true, proves: false, differences: 0 });
    const refused = await serve.run("switch", "m");
    expect(refused).toMatchObject({ exit: 3, stdout: expect.stringContaining("diff-fresh: no diff has been run") });
  });

  /** Two clients: one has a temporary table, one an open transaction on the tables. Both are there until they end. */
  test("is not needed for a dry run to say who cannot follow, how long somebody has had the tables, and the pause to expect", async () => {
    const url = system.appUrl(serve);
    const clients = [await mysql.createConnection(url), await mysql.createConnection(url)];
    try {
      await clients[0]?.query("CREATE TEMPORARY TABLE ledger.mine (i INT)");
      await clients[1]?.query("START TRANSACTION");
      await clients[1]?.query("SELECT * FROM ledger.counter LIMIT 1");
      const looked = async () => {
        const { json } = await serve.run("switch", "m", "--dry-run");
        expect(json).toMatchObject({
          dryRun: true,
          pinned: [{ reason: expect.stringContaining("temporary table"), statement: expect.stringContaining("mine") }],
          longestOpenMs: expect.toSatisfy((ms: number) => ms >= 1000),
          pause: { statements: expect.any(Object), typicalMs: expect.toSatisfy((ms: number) => ms > 0) },
        });
      };
      await vi.waitFor(looked, { timeout: 30_000, interval: 100 });
    } finally {
      for (const client of clients) client.destroy();
    }
  }, 60_000);

  async function targetNotes(): Promise<unknown[]> {
    const rows = await system.new.root("SELECT note FROM ledger.entry WHERE client = -3 ORDER BY sequence");
    return rows.map((row) => row["note"]);
  }

  test(`has each acknowledged write on the then home, or got an error, through ${ROUNDS} switches and ${ROUNDS} rollbacks`, async () => {
    const writers = new LedgerWriters(system.appUrl(serve), 4, 5);
    await writers.start();
    const compared = await serve.run("diff", "start", "m");
    expect(compared, compared.stdout + compared.stderr).toMatchObject({ exit: 0 });
    const bypassing = new BypassingWriter(-2);
    bypassing.start(system.appUrl(system.old));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const command of ["switch", "rollback"] as const) {
        // A busy machine has one refused or given up that comes right behind another; it has changed nothing then.
        const fence = FENCES[command][round % FENCES[command].length];
        const moved = async () => {
          const how = [`--fence=${fence}`, ...(fence === "none" ? FORCED : [])];
          const result = await serve.run(command, "m", "--json", ...how);
          expect(result, result.stdout + result.stderr).toMatchObject({ exit: 0 });
          expect(JSON.parse(result.stdout)).toMatchObject({ strays: [] });
        };
        await vi.waitFor(moved, { timeout: 60_000, interval: 200 });
      }
    }
    await bypassing.stop();
    await writers.stop();
    expect(writers.told.errors).toEqual([]);
    expect(await writers.check(system.old)).toEqual([]);
    const rows = await system.old.root(
      "SELECT sequence, COUNT(*) AS copies FROM ledger.entry WHERE client = -2 GROUP BY sequence",
    );
    const found = new Map(rows.map((row) => [Number(row["sequence"]), Number(row["copies"])]));
    expect(bypassing.acknowledged.filter((sequence) => found.get(sequence) !== 1)).toEqual([]);
    expect(found.size).toBe(bypassing.acknowledged.length);
    expect(bypassing.acknowledged.length).toBeGreaterThan(20);
    expect(bypassing.refused).toBeGreaterThan(20);
  }, 180_000);

  test("is shown where he gets past the fence that a rollback has left, and no diff of before opens the gate", async () => {
    await system.new.root("TRUNCATE TABLE ledger.counter");
    const told = async () => {
      const { history } = (await serve.get("/v1/migrations/m/history")) as { history: { what: string }[] };
      expect(history.at(-1)?.what).toMatch(/^1 writes on new that are not ours, the first: TRUNCATE/);
      const { status } = (await serve.get("/v1/migrations/m")) as { status?: { strays?: { total: number } } };
      expect(status?.strays?.total).toBe(1);
    };
    await vi.waitFor(told, { timeout: 30_000, interval: 50 });
    const refused = await serve.run("switch", "m");
    expect(refused).toMatchObject({ exit: 3, stdout: expect.stringContaining("diff-fresh") });
  });

  // The log is searched every two seconds: what is found a second after a diff has ended may have been there before it began.
  test("takes no proof from a diff that has begun since, however late he is found", async () => {
    await system.new.root("RENAME TABLE ledger.counter TO ledger.away, ledger.away TO ledger.counter");
    const compared = await serve.run("diff", "start", "m");
    expect(compared.json, compared.stdout).toMatchObject({ direction: "forward" });
    await sleep(2500);
    const { status, migration } = (await serve.get("/v1/migrations/m")) as {
      status?: { strays?: { total: number } };
      migration: { diffs: unknown[] };
    };
    expect(status?.strays?.total).toBe(2);
    expect(migration.diffs).toHaveLength(1);
  });

  test("is named where a switch was told to fence nothing, in its outcome, the history and the status", async () => {
    serve.armWait("switch-after-swap");
    const switching = serve.run("switch", "m", "--json", "--fence=none", ...FORCED);
    await vi.waitFor(() => expect(serve.waitsAtFailpoint).toBe(true), { timeout: 60_000, interval: 5 });
    const bypassing = await mysql.createConnection(system.appUrl(system.old));
    // Guards that the last rollback may have left there would keep rows out.
    await bypassing.query("TRUNCATE TABLE ledger.counter");
    serve.letGo();
    const { exit, stdout, stderr } = await switching;
    expect(exit, stdout + stderr).toBe(0);
    expect(JSON.parse(stdout).strays).toEqual([
      { gtid: expect.any(String), table: "ledger.counter", what: expect.stringContaining("TRUNCATE") },
    ]);
    const insert = "INSERT INTO ledger.entry (client, sequence, note) VALUES (-4, 1, 'too late')";
    await expect(bypassing.query(insert)).rejects.toMatchObject({ errno: 1644 });
    bypassing.destroy();
    const told = async () => {
      const { history } = (await serve.get("/v1/migrations/m/history")) as { history: { what: string }[] };
      expect(history.at(-1)?.what).toMatch(/^1 writes on old that are not ours, the first: TRUNCATE/);
      const { status } = (await serve.get("/v1/migrations/m")) as { status?: { strays?: { total: number } } };
      expect(status?.strays?.total).toBe(1);
    };
    await vi.waitFor(told, { timeout: 30_000, interval: 50 });
  });

  // 1. A rollback has guards on its new home, which a transaction keeps there past its end. 2. That is the home again, for
  // whoever goes past the proxies as well. 3. Its controller dies: from then on it might be any server with guards.
  test("may write to the home of a rollback when that has ended, though its guards could not go yet", async () => {
    const direct = await mysql.createConnection(system.appUrl(system.old));
    const long = await mysql.createConnection(system.appUrl(system.old));
    serve.armWait("switch-after-return-stream");
    const rolling = serve.run("rollback", "m", "--json", ...FORCED);
    await vi.waitFor(() => expect(serve.waitsAtFailpoint).toBe(true), { timeout: 60_000, interval: 5 });
    const insert = "INSERT INTO ledger.entry (client, sequence, note) VALUES (-4, 2, 'past')";
    await expect(direct.query(insert)).rejects.toMatchObject({ errno: 1644 });
    await long.query("START TRANSACTION");
    await long.query("SELECT * FROM ledger.entry LIMIT 1");
    serve.letGo();
    const { exit, stdout, stderr } = await rolling;
    expect(exit, stdout + stderr).toBe(0);
    expect(JSON.parse(stdout).notes).toEqual([expect.stringContaining("triggers are left on old")]);
    await direct.query(insert);
    await serve.kill9();
    const refused = { errno: 1644, message: expect.stringContaining("writes from the proxies alone") };
    await vi.waitFor(() => expect(direct.query(insert.replace("2", "3"))).rejects.toMatchObject(refused), {
      timeout: 5000,
    });
    for (const client of [direct, long]) client.destroy();
  });
});
