import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { ORDERS_PREFIX, RULES_KEY, SESSIONS_PREFIX } from "../../../src/rules/store-keys.ts";
import { admin, controller, MIGRATION, putMigration, putStatus, run, STREAM, store } from "./cli-stage.ts";

describe("a command that was not given as it must be ends with 2 and says how", () => {
  test.each([
    ["an unknown command", "migrate", "unknown command"],
    ["no subcommand", "migration", "create"],
    ["an unknown option", "rules show --colour", "unknown option"],
    ["no name", "switch", "missing required argument"],
    ["a choice that does not exist", "switch orders --open-transactions=hope", "Allowed choices are wait, abort, kill"],
    ["a lag in words", "switch orders --max-lag-ms=soon", "whole number of milliseconds"],
    ["create without its tables", "migration create orders --from old --to new", "--tables"],
    ["create from a file that is not there", "migration create orders -f no-such.yaml", "no-such.yaml"],
    ["a server that is no address", "rules show --server http://:x", "--server"],
  ])("%s", async (_, line, expected) => {
    const text = await run(line);
    expect([text.exit, text.out]).toEqual([2, ""]);
    expect(text.err).toContain(expected);
    const { exit, json } = await run(`${line} --json`);
    expect([exit, json.error.code, json.error.exit]).toEqual([2, "CLI_USAGE", 2]);
    expect(json.error.message).toContain(expected);
  });

  test("while help and version end with 0", async () => {
    expect(await run("--version")).toMatchObject({ exit: 0, out: "9.9.9\n" });
    const help = await run("switch --help");
    expect([help.exit, help.err]).toEqual([0, ""]);
    expect(help.out).toContain("--dry-run");
  });
});

describe("an order", () => {
  test("is placed, followed step by step, and its result is printed", async () => {
    await putMigration();
    const taken = await controller(() => ({
      state: "done",
      steps: ["gate passed", "held", "switched"],
      result: { outcome: "switched", home: "new", pauseMs: 12.4, generation: 3, strays: [], notes: [] },
    }));
    const { exit, out, err } = await run("switch orders --max-lag-ms 50 --reason because");
    expect(exit).toBe(0);
    expect(err.split("\n")).toEqual(["gate passed", "held", "switched", ""]);
    expect(out).toBe("Switched: the tables of orders live on new now.\nStatements were held for 12 ms.\n");
    expect(taken[0]).toMatchObject({ command: "switch", options: { maxLagMs: 50, force: false }, reason: "because" });
    const again = await run("switch orders --json");
    expect(again.err).toBe("");
    expect(again.json).toEqual({
      format: 1,
      outcome: "switched",
      home: "new",
      pauseMs: 12.4,
      generation: 3,
      strays: [],
      notes: [],
    });
  });

  test.each([
    [1, "STORE_UNAVAILABLE"],
    [3, "CUTOVER_GATE_REFUSED"],
    [4, "CUTOVER_ABORTED"],
    [5, "CUTOVER_OUTCOME_UNKNOWN"],
  ])("that ends with exit code %d ends the command with it, in the controller's own words", async (exit, code) => {
    await putMigration();
    await controller(() => ({ state: "failed", error: { code, message: `${code}: why\nwhat to do`, exit } }));
    expect(await run("rollback orders")).toMatchObject({ exit, out: "", err: `${code}: why\nwhat to do\n` });
    const { json } = await run("rollback orders --json");
    expect(json).toEqual({ error: { code, message: `${code}: why\nwhat to do`, exit } });
  });

  test("that the admin API refuses ends with its exit code, and nothing is ordered", async () => {
    expect(await run("switch orders")).toMatchObject({ exit: 3, err: expect.stringContaining("MIGRATION_NOT_FOUND") });
    await putMigration();
    expect(await run("switch orders --force")).toMatchObject({ exit: 2, err: expect.stringContaining("reason") });
    expect((await store.list(ORDERS_PREFIX)).entries).toEqual([]);
  });

  test("carries the options of each command", async () => {
    await putMigration();
    const taken = await controller(() => ({ state: "done", result: { tuning: {} } }));
    await run("migration create m --from old --to new --tables shop.a,shop.b --on-ddl apply --reason r");
    await run("migration pause orders --reason r");
    await run("migration resume orders --after-ddl 3e11fa47-71ca-11e1-9e33-c80aa9429562:7");
    expect((await run("migration resume orders --after-ddl 1-7")).err).toContain("one GTID, as status shows it");
    await run("migration tune orders --max-commit-ms 80 --speed 40 --watch-replicas r1,r2 --on-ddl ignore --reset");
    await run("migration repoint orders --source db1b --reason r");
    await run("migration cancel orders --keep-data");
    await run("migration complete orders --old-tables rename");
    await run("rollback orders --dry-run --open-transactions kill --fence lock-read --force --reason r");
    await run("proxies forget db1-77-1-boot --reason gone");
    expect(taken.map(({ command, migration, options, reason }) => ({ command, migration, options, reason }))).toEqual([
      {
        command: "migration-create",
        migration: "m",
        options: { from: "old", to: "new", tables: ["shop.a", "shop.b"], onDdl: "apply" },
        reason: "r",
      },
      { command: "migration-pause", migration: "orders", options: {}, reason: "r" },
      {
        command: "migration-resume",
        migration: "orders",
        options: { afterDdl: "3e11fa47-71ca-11e1-9e33-c80aa9429562:7" },
      },
      {
        command: "migration-tune",
        migration: "orders",
        options: {
          throttleCommitMs: 80,
          throttleSpeedPercent: 40,
          replicas: ["r1", "r2"],
          onDdl: "ignore",
          reset: true,
        },
      },
      { command: "migration-repoint", migration: "orders", options: { source: "db1b" }, reason: "r" },
      { command: "migration-cancel", migration: "orders", options: { keepData: true } },
      { command: "migration-complete", migration: "orders", options: { oldTables: "rename", force: false } },
      {
        command: "rollback",
        migration: "orders",
        options: {
          dryRun: true,
          rehearse: false,
          openTransactions: "kill",
          pinned: "abort",
          fence: "lock-read",
          force: true,
        },
        reason: "r",
      },
      { command: "proxy-forget", migration: "", options: { proxy: "db1-77-1-boot" }, reason: "gone" },
    ]);
  });

  test("of a rehearsal prints what clients waited, step by step, and where the tables still are", async () => {
    await putMigration();
    const steps = [
      { step: "hold", tookMs: 3.1 },
      { step: "drain", tookMs: 12.8 },
    ];
    const taken = await controller(() => ({
      state: "done",
      result: { outcome: "rehearsed", kind: "switch", home: "old", heldMs: 31.4, steps, notes: [] },
    }));
    const { exit, out } = await run("switch orders --rehearse");
    expect(exit).toBe(0);
    expect(out.split("\n")).toEqual([
      "Rehearsed: a switch of orders would go through. The tables are where they were, on old.",
      "Statements were held for 31 ms, until they went on there.",
      "  hold             3 ms",
      "  drain            13 ms",
      "",
    ]);
    expect(taken[0]).toMatchObject({ command: "switch", options: { rehearse: true, dryRun: false } });
    expect((await run("switch orders --rehearse --dry-run")).exit).toBe(2);
    expect(await run("switch orders --rehearse --pinned kill")).toMatchObject({
      exit: 2,
      err: expect.stringContaining("pinned: wait or abort with rehearse"),
    });
  });

  test("of a dry run prints gate and steps, and ends with 3 where the gate would refuse", async () => {
    await putMigration();
    const finding = { id: "lag", title: "lag", observed: "2 s", expected: "less than 1 s", fix: "Wait.", ok: false };
    let refused = true;
    const session = { proxy: "p1", session: "7", user: "app", program: "shop", address: "10.0.0.5" };
    const ahead = {
      pinned: [{ ...session, reason: "temporary table t", statement: "CREATE TEMPORARY TABLE t", forMs: 3100 }],
      longestOpenMs: 2000,
      pause: {
        phases: [{ step: "drain", from: "a write to the store", typicalMs: 4, slowestMs: 12.5 }],
        typicalMs: 13,
        slowestMs: 41.5,
        statements: { typical: 26, most: 83 },
      },
    };
    await controller(() => ({
      state: "done",
      result: { dryRun: true, steps: ["arm", "hold"], findings: [{ ...finding, ok: !refused }], ...ahead },
    }));
    const no = await run("switch orders --dry-run");
    expect(no.exit).toBe(3);
    expect(no.out).toContain("REFUSED lag: 2 s; expected less than 1 s. Wait.");
    expect(no.err).toContain("CUTOVER_GATE_REFUSED");
    const { json } = await run("switch orders --dry-run --json");
    expect([json.error.exit, json.findings.length, json.steps]).toEqual([3, 1, ["arm", "hold"]]);
    refused = false;
    const yes = await run("switch orders --dry-run");
    expect(yes.exit).toBe(0);
    expect(yes.out).toContain("  1. arm\n  2. hold\nSessions");
    expect(yes.out).toContain(
      "  proxy p1: session 7 of app (shop, from 10.0.0.5): temporary table t for 3.1 s, by: CREATE TEMPORARY TABLE t\n" +
        "Pause to expect: 13 ms, up to 41.5 ms, by what was measured just now:\n" +
        "  drain  4 ms  12.5 ms  a write to the store\n" +
        "About 26 statements come in that time, at most 83.\n" +
        "The longest transaction on the tables has been open for 2.0 s",
    );
    expect(yes.out.trimEnd()).toMatch(/Nothing was changed\.$/);
  });

  test("of a diff that finds differences prints them and ends with 1", async () => {
    await putMigration();
    const columns = [
      { column: "v", atByte: 3 },
      { column: "w", atByte: 0 },
    ];
    const samples = [
      { table: "shop.a", key: "id=1", kind: "missing-on-target", source: { id: "1" } },
      { table: "shop.a", key: "id=2", kind: "different", columns, source: { id: "2" }, target: { id: "2" } },
    ];
    const files = {
      directory: "/data/differences/orders",
      bytes: 4321,
      ended: "they reached diffFileBytesMax, 5000 bytes",
    };
    const tables = [{ table: "shop.a", rows: 10, rowsBefore: 6, differences: 1 }];
    const report = { direction: "forward", verifiedAt: "u:1-9", rows: 10, differences: 1, tables, samples, files };
    await controller(() => ({ state: "done", result: report }));
    const text = await run("diff start orders");
    expect(text.exit).toBe(1);
    expect(text.out).toContain('missing-on-target shop.a id=1\n  source {"id":"1"}\n  target absent');
    expect(text.out).toContain("different shop.a id=2 in v from byte 3, w from byte 0\n");
    expect(text.out).toMatch(/written to +\/data\/differences\/orders on the controller's machine, 4,321 bytes/);
    expect(text.out).toContain("not all of them: they reached diffFileBytesMax, 5000 bytes");
    expect(text.out).toMatch(/read before +6 of them/);
    const { json } = await run("diff start orders --json");
    expect(json).toMatchObject({ differences: 1, samples, error: { code: "DIFF_FOUND_DIFFERENCES", exit: 1 } });
  });

  test("that is interrupted while it runs says that it goes on, and ends with 5", async () => {
    await putMigration();
    const interrupt = new AbortController();
    await controller(() => {
      setTimeout(() => interrupt.abort(), 50);
      return { state: "running", steps: ["held"] };
    });
    const { exit, err } = await run("switch orders", { signal: interrupt.signal });
    expect(exit).toBe(5);
    expect(err).toContain("goes on without it");
  });
});

describe("a server that is away", () => {
  test("is one clear error with what to do", async () => {
    const url = admin.url;
    await admin.close();
    const { exit, err } = await run(`migration list --server ${url}`);
    expect(exit).toBe(1);
    expect(err).toMatch(/CLI_SERVER_UNREACHABLE[\s\S]*Nothing was changed[\s\S]*switchyard serve/);
  });

  test("or is not Switchyard is one clear error too", async () => {
    const other = createServer((_, response) => response.end("<html>")).listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as AddressInfo;
    const { exit, err } = await run(`rules show --server 127.0.0.1:${port}`);
    other.close();
    expect([exit, err.includes("CLI_ANSWER_INVALID")]).toEqual([1, true]);
  });

  /*
   * 1. The command sends an order; the process reads it, and the connection breaks before the answer.
   * 2. The command asks again under the same order id.
   * 3. There is one order, not two.
   */
  test("in the middle of an order does not make it two orders", async () => {
    await putMigration();
    const taken = await controller(() => ({ state: "done", result: {} }));
    let dropped = 0;
    const flaky = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = Buffer.concat(chunks);
        const { method = "GET", url = "/" } = request;
        const headers = { "content-type": "application/json" };
        void fetch(admin.url + url, method === "GET" ? {} : { method, headers, body }).then(async (answer) => {
          if (method === "POST" && dropped++ === 0) request.socket.destroy();
          else response.writeHead(answer.status, headers).end(await answer.text());
        });
      });
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => flaky.once("listening", resolve));
    const { port } = flaky.address() as AddressInfo;
    const { exit } = await run(`migration pause orders --server 127.0.0.1:${port}`);
    flaky.close();
    expect([exit, dropped, taken.length]).toEqual([0, 2, 1]);
  });
});

describe("what is shown", () => {
  test("of one migration, its stream, and its last diff", async () => {
    await putMigration();
    await putStatus({ stream: STREAM, strays: { server: "new", total: 2, strays: [] } });
    const { exit, out } = await run("migration status orders");
    expect(exit).toBe(0);
    expect(out).toContain("running, lag 234 ms, 4,321 transactions applied");
    expect(out).toContain("500,000 of about 500,000 rows");
    expect(out).toContain("forward: clean, 1,234,567 rows");
    expect(out).toContain("2 writes on new that are not ours");
    const { json } = await run("migration status orders --json");
    expect(json).toMatchObject({ format: 1, migration: { id: "orders" }, status: { stream: { lagMs: 234 } } });
  });

  test("of a migration to other columns: which, and what a diff leaves out", async () => {
    const mappings = { "shop.orders": { rename: { note: "remark" }, drop: ["legacy"], allowNarrowing: true } };
    await putMigration({ mappings });
    const { out } = await run("migration status orders");
    expect(out).toMatch(
      /mapping +shop\.orders: rename note → remark; drop legacy; narrowing allowed on the way back\n/,
    );
    const notCompared = { source: ["legacy"], target: [] };
    const tables = [{ table: "shop.orders", rows: 1, differences: 0, notCompared }];
    await controller(() => ({ state: "done", result: { direction: "forward", rows: 1, differences: 0, tables } }));
    const diff = await run("diff start orders");
    expect(diff.out).toMatch(/\nnot compared shop\.orders: legacy, which only the source has\n$/);
  });

  test("of a diff that runs: how far, how fast, and how long still", async () => {
    await putMigration();
    const diff = { rowsCompared: 12_000, rowsEstimated: 50_000, rowsPerSecond: 9000, leftMs: 4222, differences: 3 };
    await putStatus({ diff });
    const far = "12,000 of about 50,000 rows compared, 9,000/s, 4.2 s left, 3 differences";
    expect((await run("diff status orders")).out).toContain(`under way: ${far}`);
    expect((await run("migration status orders")).out).toContain(far);
  });

  test("of a clean diff that is kept fresh: as of when, what waits, what is behind, and why it is not any more", async () => {
    const [time, since] = ["2026-01-02T00:00:00Z", "2026-01-01T12:00:00Z"];
    const refreshed = { source: "u:1-7", target: "v:1", time, behind: { "shop.items": since } };
    const clean = { ...MIGRATION.diffs[0], verifiedAt: "u:1-7", verifiedTime: time };
    await putMigration({ diffs: [{ ...clean, refreshed }] });
    await putStatus({ freshness: { keysPending: 4321, keysRefreshed: 9, problem: "the source is away" } });
    for (const command of ["migration status orders", "diff status orders"]) {
      const { out } = await run(command);
      expect(out).toContain(`as of u:1-7 (${time}), 4,321 keys pending\n`);
      expect(out).toMatch(/ behind +shop\.items has no key and was changed: as of 2026-01-01T12:00:00Z,/);
      expect(out).toMatch(/ problem +the source is away/);
    }
    await putMigration({ diffs: [{ ...clean, notRefreshed: "its binary log is gone" }] });
    expect((await run("migration status orders")).out).toMatch(/ not again +its binary log is gone/);
    await putMigration({ diffs: [{ ...clean, refreshed, differences: 1 }] });
    expect((await run("migration status orders")).out).not.toContain("keys pending");
  });

  test("of a fast diff: that it opens no gate, and which tables were read whole", async () => {
    await putMigration();
    const tables = [{ table: "shop.orders", rows: 1, differences: 0, notFast: "it has no key" }];
    const pauses = { count: 1200, p50Ms: 3, p99Ms: 9, maxMs: 21 };
    const report = { direction: "forward", rows: 1, differences: 0, tables, fast: true, proves: false, pauses };
    await controller(() => ({ state: "done", result: report }));
    const { exit, out } = await run("diff start orders --fast");
    expect(exit).toBe(0);
    expect(out.match(/^note .*/gm)).toEqual([expect.stringContaining("a fast diff does not open the gate")]);
    expect(out).toMatch(
      /^stream +stood 1,200 times for a moment: half of them 3 ms at most, 99 % 9 ms, the longest 21 ms$/m,
    );
    expect(out).toMatch(/^read whole shop\.orders: it has no key$/m);
  });

  test.each([
    ["diff", /^The diff of orders is stopped: 5 of about 9 rows.*`switchyard diff resume orders` goes on\.\n$/],
    [
      "repair",
      /^The repair of orders is stopped; what it has written stays\. `switchyard diff repair orders` goes on\.\n$/,
    ],
  ])("of a %s that was told to stop: how it goes on", async (kind, expected) => {
    await putMigration();
    const progress = { rowsCompared: 5, rowsEstimated: 9 };
    const taken = await controller(() => ({ state: "done", result: { stopped: true, kind, progress } }));
    expect((await run("diff stop orders --reason peak")).out).toMatch(expected);
    expect(taken).toMatchObject([{ command: "diff-stop", reason: "peak" }]);
  });

  test("of a table whose copy was interrupted and begins anew: how often it has begun", async () => {
    const table = { rowsCopied: 1, rowsEstimated: 1, done: false };
    const tables = [
      { table: "shop.items", ...table },
      { table: "shop.orders", ...table, beginnings: 3 },
    ];
    await putMigration();
    await putStatus({ stream: { ...STREAM, tables } });
    const { out } = await run("migration status orders");
    expect(out.match(/begun.*/g)).toEqual([expect.stringMatching(/^begun +shop\.orders for the 3\. time/)]);
  });

  test("of a stream that is paused or has failed: by whom, and why", async () => {
    const streams = {
      forward: { paused: { by: "ann", reason: "backup" }, error: "REPLICATION_X: purged" },
      reverse: {},
    };
    await putMigration({ streams });
    const { out } = await run("migration status orders");
    expect(out).toMatch(/paused +by ann: backup/);
    expect(out).toMatch(/error +REPLICATION_X: purged/);
    expect(out).toContain("no controller works on it");
    expect((await run("migration list")).out).toMatch(/orders +running +old → new +2 +stopped/);
  });

  test("of nothing: a sentence, not an empty page", async () => {
    expect((await run("migration list")).out).toBe("There is no migration yet.\n");
    expect((await run("rules show")).out).toBe("There are no rules yet.\n");
    expect((await run("sessions")).out).toBe("No client is connected.\n");
  });

  test("of history and rules", async () => {
    await putMigration();
    expect((await run("migration history orders")).out).toBe("2026-01-01T00:00:00Z  ann  created  (a try) 2 tables\n");
    const rules = {
      format: 1,
      generation: 7,
      default: "old",
      tables: { "shop.orders": { to: "new", migration: "orders" } },
      armed: {},
      holds: {},
      switchId: "x",
    };
    await store.transact([], [{ put: RULES_KEY, value: JSON.stringify(rules) }]);
    const { out } = await run("rules show");
    expect(out).toMatch(/^generation 7\nshop.orders +→ new {2}migration orders\neverything else +→ old\n$/);
  });

  test("explain a statement: its tables and homes, what holds it, and what is refused", async () => {
    const rules = {
      format: 1,
      generation: 7,
      default: "old",
      tables: { "shop.orders": { to: "new", migration: "orders" } },
      armed: {},
      holds: { orders: { token: "t", tables: ["shop.orders"], ttlMs: 5000 } },
      switchId: "x",
    };
    await store.transact([], [{ put: RULES_KEY, value: JSON.stringify(rules) }]);
    const explain = async (sql: string, ...options: string[]) =>
      (await run(["rules", "explain", sql, "--json", ...options])).json.statements;
    expect(await explain("SELECT o.id FROM `orders` AS o", "--schema", "shop")).toMatchObject([
      { kind: "select", goes: "one", backend: "new", homes: { "shop.orders": "new" }, heldBy: ["orders"] },
    ]);
    expect(await explain("DELETE o FROM shop.orders o JOIN shop.users u USING (id)")).toMatchObject([
      { goes: "split", homes: { "shop.orders": "new", "shop.users": "old" } },
    ]);
    expect(await explain("CALL shop.p()")).toMatchObject([{ goes: "everything", because: expect.any(String) }]);
    expect(await explain('SELECT 1 FROM "orders"', "--schema", "shop")).toMatchObject([{ goes: "everything" }]);
    expect(await explain('SELECT 1 FROM "orders"', "--schema", "shop", "--sql-mode", "ansi_quotes")).toMatchObject([
      { goes: "one", backend: "new" },
    ]);
    const { out } = await run(["rules", "explain", "SELECT * FROM shop.orders; SELECT * FROM shop.users"]);
    expect(out.split("\n")).toEqual([
      "SELECT * FROM shop.orders",
      "  select: goes to new",
      "  shop.orders  → new",
      "  waits now: held by orders",
      "SELECT * FROM shop.users",
      "  select: goes to old",
      "  shop.users  → old",
      "Sent together they are refused with error 1235: they belong to different servers.",
      "",
    ]);
  });
});

test("of sessions: who is where, who waits, and who cannot move", async () => {
  const one = { id: "7", user: "app", host: "10.0.0.1:5", backends: { old: 7 }, state: "idle", transaction: "none" };
  const sessions = [
    one,
    { ...one, id: "8", backends: { old: 8, new: 3 }, at: "old", state: "held", heldForMs: 1500, transaction: "open" },
    { ...one, id: "9", pinned: "temporary table t" },
    {
      ...one,
      id: "10",
      program: "nightly",
      ties: [
        { kind: "held", reason: "its statement waits", statement: "SELECT ?", forMs: 20 },
        { kind: "pinned", at: "old", reason: "it has locked tables", statement: "LOCK TABLES t READ", forMs: 61_000 },
      ],
    },
  ];
  const report = { format: 1, proxy: "p", at: "2026-01-01T00:00:00Z", total: 5, sessions };
  await store.transact([], [{ put: `${SESSIONS_PREFIX}p`, value: JSON.stringify(report) }]);
  const { out } = await run("sessions");
  expect(out.split("\n").map((line) => line.split(/ {2,}/).filter(Boolean))).toEqual([
    ["ID", "USER", "PROGRAM", "FROM", "STATE", "TRANSACTION", "BACKENDS"],
    ["7", "app", "10.0.0.1:5", "idle", "old"],
    ["8", "app", "10.0.0.1:5", "held 1.5 s", "open", "old* new"],
    ["9", "app", "10.0.0.1:5", "idle", "old"],
    ["pinned: temporary table t"],
    ["10", "app", "nightly", "10.0.0.1:5", "idle", "old"],
    ["held for 20 ms: its statement waits: SELECT ?"],
    ["pinned to old for 1 min 1 s: it has locked tables: LOCK TABLES t READ"],
    ["… and 1 more"],
    [],
  ]);
});
