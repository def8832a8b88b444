import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Arena, expectEnd, nap } from "./unhappy/arena.ts";

const LOG_DISK_MEBIBYTES = 64;
const CASE_TIMEOUT_MS = 300_000;
/** A hold's time, what a gate or a shutdown waits for, and a busy machine's. */
const TOLD_MS_MAX = 60_000;

const FORMER_APPLIER = /MYSQL_COMMITS_STAND_STILL: the server keeps a former applier waiting: .*Disk is full/;
const FULL = /commits? ha(s|ve) stood still for \d+ s: Disk is full writing '.*binlog\.\d+' \(OS errno 28/;

let arena: Arena;
let met: Promise<unknown> = Promise.resolve();

beforeAll(async () => {
  arena = await Arena.start({ logDiskMebibytes: LOG_DISK_MEBIBYTES });
  await arena.system.new.root("CREATE DATABASE room; CREATE TABLE room.big (b LONGTEXT)");
}, 120_000);

afterEach(async () => {
  await arena?.atRest();
}, 180_000);

afterAll(async () => {
  await arena?.stop();
}, 60_000);

/** The new server's binary log has no more room than this from here until the end of the case, or until {@link freed}. */
function full(leaveMebibytes = 0): void {
  const { logDisk } = arena.system.new;
  arena.later(async () => logDisk.free());
  logDisk.fill(leaveMebibytes);
}

/** As {@link full}, and a commit of somebody else has met it: what is left of a page has room for small ones. */
async function fullAndMet(): Promise<void> {
  full();
  met = arena.system.new.root(`INSERT INTO room.big VALUES (REPEAT('r', 20000))`);
  await arena.until(
    async () => (/Disk is full/.test(arena.system.new.log()) ? true : undefined),
    20_000,
    "a full disk",
  );
}

/** There is room again, and the server has seen it: it looks once a minute. */
async function freed(): Promise<void> {
  arena.system.new.logDisk.free();
  await arena.system.new.root("INSERT INTO room.big VALUES ('there is')");
  await met;
}

/** Nobody has made the server stop itself: a KILL of a session that waits for room in the log does. */
async function expectAlive(): Promise<void> {
  expect(await arena.system.new.root("SELECT 1 AS one"), arena.system.new.log().slice(-1500)).toEqual([{ one: "1" }]);
  expect(arena.system.new.log()).not.toMatch(/ABORT_SERVER|got signal/);
}

/**
 * A server whose binary log has no room gives no error. It lets whoever commits wait, and looks for room once a minute. So
 * each write of ours there stands still, and whoever KILLs the session that waits for all makes the server stop itself.
 */
describe("a disk that is full beneath the target's binary log", () => {
  test(
    "in the midst of a switch: it is aborted and named, the controller may be killed, and all goes on when there is room",
    async () => {
      expectEnd(await arena.moveWith("switch", "switch-after-hold", fullAndMet), 4, FULL);
      expect(arena.writers.told.errors).toEqual([]);
      await arena.statusSays(FULL, TOLD_MS_MAX);
      // Its last write waits, and so does the end of the abort: that is no matter for clients, and needs nobody.
      expectEnd(await arena.run("switch", "m"), /^[35]$/, /MIGRATION_BUSY: .*: settling|CUTOVER_UNFINISHED/);
      process.kill(arena.serve.childPid("controller"), "SIGKILL");
      await nap(1000);
      await arena.statusSays(/last write into the stream's ledger waiting: .*Disk is full/, TOLD_MS_MAX);
      await expectAlive();
      await freed();
      await arena.calm();
      await arena.again();
    },
    CASE_TIMEOUT_MS,
  );

  // Nobody is held yet: the order would wait for as long as the disk is full, and say nothing.
  test(
    "before a switch has held anybody: it is aborted and named",
    async () => {
      expectEnd(await arena.moveWith("switch", "switch-after-sessions", fullAndMet), 4, FULL);
      await expectAlive();
      await freed();
      await arena.calm();
      await arena.caughtUp(TOLD_MS_MAX);
      await arena.again();
    },
    CASE_TIMEOUT_MS,
  );

  test(
    "while rows are copied: status, preflight and gate say so, the controller may be killed, and the copy goes on by itself when there is room",
    async () => {
      await arena.system.old.root(
        "CREATE TABLE ledger.wide (id INT PRIMARY KEY, b VARCHAR(4000)); SET SESSION cte_max_recursion_depth = 10000; " +
          "INSERT INTO ledger.wide WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 4000) " +
          "SELECT i, REPEAT('w', 4000) FROM n",
      );
      full(4);
      const created = arena.run(
        "migration",
        "create",
        "w",
        "--from",
        "old",
        "--to",
        "new",
        "--tables",
        "ledger.wide",
        "--wait",
      );
      await arena.statusSays(FULL, TOLD_MS_MAX, "w");
      expectEnd(await arena.run("switch", "m"), 3, FULL);
      const other = ["--from", "old", "--to", "new", "--tables", "ledger.other"];
      expectEnd(await arena.run("migration", "create", "o", ...other), 3, FULL);
      // The next controller finds the sessions of the one before, and ends none that waits for room.
      process.kill(arena.serve.childPid("controller"), "SIGKILL");
      await arena.statusSays(FORMER_APPLIER, TOLD_MS_MAX, "w");
      await expectAlive();
      await freed();
      expectEnd(await created, 0);
      expectEnd(await arena.run("diff", "start", "w"), 0);
      expectEnd(await arena.run("migration", "cancel", "w", "--reason", "the case is over"), 0);
      await arena.calm();
    },
    CASE_TIMEOUT_MS,
  );

  /**
   * 1. The tables are at home on a server whose log has no room: a client's commit waits, as it would without a proxy. 2. The client
   * gives up and leaves. 3. The proxy ends what such clients have left behind, by KILL.
   */
  test(
    "on the home itself: a client that gives up does not have the server stop itself, the others wait and see no error",
    async () => {
      await arena.moves("switch");
      const client = await arena.client();
      // Whoever commits first is the one whose KILL does harm.
      await arena.writers.pause();
      full();
      const rows = Array.from({ length: 500 }, (_, i) => `(-6, ${i}, '${"z".repeat(60)}')`).join();
      client.query(`INSERT INTO ledger.entry (client, sequence, note) VALUES ${rows}`).catch(() => undefined);
      await nap(300);
      arena.writers.resume();
      const moved = arena.client().then((other) => other.query("INSERT INTO ledger.counter VALUES (-5, 1)"));
      await nap(700);
      client.destroy();
      await nap(3000);
      await expectAlive();
      await freed();
      await moved;
      await arena.moves("rollback");
      await arena.calm();
    },
    CASE_TIMEOUT_MS,
  );
});
