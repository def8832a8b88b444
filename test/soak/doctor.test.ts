import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import mysql from "mysql2/promise";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { createTriggers } from "../../src/cutover/fence-triggers.ts";
import type { StateCode } from "../../src/doctor/catalogue.ts";
import type { DoctorFinding } from "../../src/doctor/finding.ts";
import { Connection } from "../../src/mysql/connection.ts";
import { APPLIER_ATTRIBUTE, applierName } from "../../src/replication/ledger.ts";
import { EmbeddedStore } from "../../src/store/embedded-store.ts";
import type { Store } from "../../src/store/store.ts";
import { LEDGER_TABLES } from "../support/ledger-writers.ts";
import type { CommandResult, ServeProcess } from "../support/serve-process.ts";
import type { TestServer } from "../support/servers.ts";
import { TestSystem } from "../support/system.ts";

const RULES = "/switchyard/rules";
const JOURNAL = "/switchyard/migrations/m";

let system: TestSystem;
let serve: ServeProcess;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  serve = await system.serve();
  await succeeds("migration", "create", "m", "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait");
  await succeeds("diff", "start", "m");
}, 90_000);
afterAll(async () => {
  await serve?.stop();
  await system?.stop();
});

async function succeeds(...args: readonly string[]): Promise<void> {
  const result = await serve.run(...args);
  expect(result, result.stdout + result.stderr).toMatchObject({ exit: 0 });
}

async function doctor(...args: readonly string[]): Promise<CommandResult> {
  return await serve.run("doctor", "--config", serve.configPath, ...args);
}

function findingsOf(result: CommandResult): readonly DoctorFinding[] {
  return (result.json["findings"] ?? []) as readonly DoctorFinding[];
}

async function finds(...codes: readonly StateCode[]): Promise<readonly DoctorFinding[]> {
  const result = await doctor();
  const findings = findingsOf(result);
  expect([...new Set(findings.map(({ code }) => code))].sort(), result.stdout + result.stderr).toEqual(
    [...codes].sort(),
  );
  expect(result).toMatchObject({ exit: codes.length === 0 ? 0 : 1 });
  return findings;
}

async function fixes(code: StateCode, ...left: readonly StateCode[]): Promise<void> {
  const result = await doctor("--fix", code);
  expect(
    findingsOf(result).map((one) => one.code),
    result.stdout + result.stderr,
  ).toEqual(left);
  expect(result.exit).toBe(left.length === 0 ? 0 : 1);
}

async function refuses(code: StateCode): Promise<void> {
  const result = await doctor("--fix", code);
  expect(result, result.stdout + result.stderr).toMatchObject({ exit: 3 });
  expect(result.json["error"]).toMatchObject({ code: "DOCTOR_FIX_REFUSED" });
}

async function putTriggers(on: TestServer, table: string, kind: "fence" | "guard", migration = "m"): Promise<void> {
  const statements = createTriggers(table, kind, { migration, token: "by-hand", ownUser: "switchyard" });
  const connection = await mysql.createConnection({ socketPath: on.socket, user: on.rootUser });
  for (const statement of statements) await connection.query(statement);
  await connection.end();
}

async function triggerCount(on: TestServer): Promise<number> {
  return (await on.root("SELECT 1 FROM information_schema.TRIGGERS WHERE TRIGGER_NAME LIKE 'switchyard%'")).length;
}

function dataOf(): string {
  return join(dirname(serve.configPath), "data");
}

/** What a person, or a backup, does to a store that nobody has open. */
async function editStore(edit: (store: Store) => Promise<void>): Promise<void> {
  const store = await EmbeddedStore.open({ directory: dataOf(), clock: systemClock, log: silentLogger });
  await edit(store);
  await store.close();
}

async function change(key: string, how: (document: Record<string, unknown>) => object): Promise<void> {
  await editStore(async (store) => {
    const entry = await store.get(key);
    await store.transact([], [{ put: key, value: JSON.stringify(how(JSON.parse(entry?.value ?? "{}") as never)) }]);
  });
}

test("a migration that runs is found well", async () => {
  await finds();
});

test("triggers of a switch that never was are named with the statements that take them off the home", async () => {
  await putTriggers(system.old, "ledger.entry", "fence");
  await expect(
    system.old.root("INSERT INTO ledger.entry (client, sequence, note) VALUES (-9, 1, 'x')"),
  ).rejects.toThrow();
  const [finding] = await finds("fence-on-home");
  expect(finding).toMatchObject({ subject: "migration m on old" });
  await refuses("fence-on-home");
  for (const [statement] of (finding?.advice ?? "").matchAll(/DROP TRIGGER [^;]+;/g)) await system.old.root(statement);
  await finds();
  await system.old.root("INSERT INTO ledger.entry (client, sequence, note) VALUES (-9, 1, 'x')");
});

test("guards that were left are taken off", async () => {
  await putTriggers(system.old, "ledger.entry", "guard");
  await finds("guard-left");
  await fixes("guard-left");
  expect(await triggerCount(system.old)).toBe(0);
});

test("a session that keeps the migration's lock is ended, and only that one", async () => {
  const left = await mysql.createConnection(system.ownAccount(system.old));
  left.on("error", () => undefined);
  await left.query("SELECT GET_LOCK('switchyard:m', 0)");
  await finds("session-left");
  await fixes("session-left");
  await expect(left.query("SELECT 1")).rejects.toThrow();
  left.destroy();
});

test("triggers of a migration that nobody knows go from the only copy of a table, and stay where it has another", async () => {
  await system.old.root("CREATE TABLE ledger.alone (id INT PRIMARY KEY)");
  await putTriggers(system.old, "ledger.alone", "fence", "ghost");
  await finds("fence-orphan");
  await fixes("fence-orphan");
  await putTriggers(system.old, "ledger.alone", "fence", "ghost");
  await system.new.root("CREATE TABLE ledger.alone (id INT PRIMARY KEY)");
  const [finding] = await finds("fence-orphan");
  expect(finding?.advice).toContain("new has ledger.alone as well");
  await refuses("fence-orphan");
  expect(await triggerCount(system.old)).toBe(3);
  await system.old.root("DROP TABLE ledger.alone");
  await system.new.root("DROP TABLE ledger.alone");
});

test("rows of the sidecar that belong to no migration are removed", async () => {
  await system.new.root("INSERT INTO _switchyard.heartbeat VALUES ('ghost', 'forward', 1)");
  await finds("sidecar-orphan");
  await fixes("sidecar-orphan");
  expect(await system.new.root("SELECT 1 FROM _switchyard.heartbeat WHERE migration = 'ghost'")).toEqual([]);
});

/** Another installation logs in by an account of its own. */
test("rows of the sidecar that a stream of somebody else's account writes stay", async () => {
  await system.new.root("INSERT INTO _switchyard.heartbeat VALUES ('ghost', 'forward', 1)");
  await system.new.root("CREATE USER other_installation IDENTIFIED BY 'secret'");
  const applier = await Connection.connect(system.new.endpoint("other_installation", "secret"), {
    attributes: { [APPLIER_ATTRIBUTE]: applierName("ghost", "forward") },
  });
  await finds("sidecar-orphan", "applier-left");
  await refuses("sidecar-orphan");
  expect(await applier.rows("SELECT 1")).toHaveLength(1);
  await applier.close();
  await system.new.root("DROP USER other_installation");
  await fixes("sidecar-orphan");
});

test("a home that refuses all writes is named", async () => {
  await system.old.root("SET GLOBAL read_only = ON");
  await finds("home-read-only");
  await system.old.root("SET GLOBAL read_only = OFF");
});

test("a server that does not answer, and two backends that lead to one, are named", async () => {
  const config = readFileSync(serve.configPath, "utf8");
  writeFileSync(serve.configPath, config.replace(`port: ${system.new.port}`, `port: ${system.old.port}`));
  await finds("servers-same");
  writeFileSync(serve.configPath, config.replace(`port: ${system.new.port}`, "port: 1"));
  await finds("server-unreachable");
  writeFileSync(serve.configPath, config);
});

test("a store with a hold, an arming and claims of nobody is mended while nothing runs", async () => {
  await serve.stop();
  await change(RULES, (rules) => ({
    ...rules,
    generation: Number(rules["generation"]) + 1,
    armed: { m: { token: "gone", tables: ["ledger.entry"], newHome: "new" } },
    holds: { m: { token: "gone", tables: ["ledger.entry"], ttlMs: 1000, oldHome: "old", newHome: "new" } },
  }));
  await editStore(async (store) => {
    const claims = (await store.list("/switchyard/claims/")).entries;
    const [first] = claims;
    await store.transact(
      [],
      [
        { delete: first?.key ?? "" },
        { put: "/switchyard/claims/no-server/ledger.x", value: JSON.stringify({ format: 1, migration: "ghost" }) },
      ],
    );
  });
  const always = ["controller-absent"] as const;
  await finds("arming-without-attempt", "hold-without-attempt", "claim-missing", "claim-orphan", ...always);
  await fixes("hold-without-attempt", "claim-missing", "claim-orphan", ...always);
  await fixes("claim-missing", "claim-orphan", ...always);
  await fixes("claim-orphan", ...always);
  await serve.restart();
  await finds();
});

test("a store that holds what nobody can read, or lacks a journal or the rules, is named", async () => {
  await serve.stop();
  const saved = join(system.folder, "saved");
  cpSync(dataOf(), saved, { recursive: true });
  const restore = (): void => {
    rmSync(dataOf(), { recursive: true, force: true });
    cpSync(saved, dataOf(), { recursive: true });
  };
  await editStore(async (store) => {
    await store.transact([], [{ delete: JOURNAL }, { put: "/switchyard/other", value: "{}" }]);
  });
  await finds("key-unknown", "journal-missing", "claim-orphan", "sidecar-orphan");
  await refuses("sidecar-orphan");
  restore();
  await change(JOURNAL, (journal) => ({ ...journal, format: 99 }));
  await finds("document-unreadable");
  restore();
  await editStore(async (store) => {
    await store.transact([], [{ delete: RULES }]);
  });
  await finds("rules-missing", "controller-absent");
  rmSync(dataOf(), { recursive: true, force: true });
  await finds("store-empty", "sidecar-orphan");
  restore();
  await serve.restart();
});

test("a switch that died in the middle is named while nobody has it, and settled by the next controller", async () => {
  serve.armFailpoints("switch-before-swap");
  const [switching] = await Promise.all([serve.run("switch", "m"), untilKilled().then(() => serve.kill9())]);
  expect(switching.exit).not.toBe(0);
  await finds("attempt-unattended", "controller-absent");
  await serve.restart();
  await finds();
});

async function untilKilled(): Promise<void> {
  for (let tries = 0; serve.failpointsLeft.length > 0; tries += 1) {
    if (tries > 3000) throw new Error("the failpoint was not reached");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("after a switch all is well; a trigger that somebody dropped is put up again", async () => {
  // The next controller may still be about to answer the order of the one that died.
  await vi.waitFor(() => succeeds("switch", "m"), { timeout: 20_000, interval: 100 });
  await finds();
  const [row] = await system.old.root(
    "SELECT TRIGGER_NAME AS name FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_TABLE = 'entry' LIMIT 1",
  );
  const all = await triggerCount(system.old);
  await system.old.root(`DROP TRIGGER ledger.${row?.["name"]}`);
  await finds("fence-missing");
  await fixes("fence-missing");
  expect(await triggerCount(system.old)).toBe(all);
});

test("a fence that lets another user pass than the configured one is named", async () => {
  const config = readFileSync(serve.configPath, "utf8");
  await system.old.root("CREATE USER boss@'127.0.0.1' IDENTIFIED BY 'o'; GRANT ALL ON *.* TO boss@'127.0.0.1'");
  const entry = new RegExp(`(port: ${system.old.port}), user: switchyard, password: "[^"]*"`);
  writeFileSync(serve.configPath, config.replace(entry, '$1, user: boss, password: "o"'));
  await finds("fence-stops-stream");
  writeFileSync(serve.configPath, config);
});

test("a seal that a dead rollback has left is taken off, and the stream can be claimed again", async () => {
  await serve.stop();
  await system.old.root(
    "UPDATE _switchyard.ledger SET sealed_by = 'dead', epoch = epoch + 1, holder = '' WHERE migration = 'm' AND direction = 'reverse'",
  );
  await finds("ledger-sealed", "controller-absent");
  await fixes("ledger-sealed", "controller-absent");
  await serve.restart();
  await finds();
});

test("a stream that the switch should have retired is retired", async () => {
  await system.new.root(
    "UPDATE _switchyard.ledger SET start_token = '' WHERE migration = 'm' AND direction = 'forward'",
  );
  await finds("ledger-open-twice");
  await fixes("ledger-open-twice");
});

test("rules from before the switch are not believed", async () => {
  await serve.stop();
  const saved = join(system.folder, "switched");
  cpSync(dataOf(), saved, { recursive: true });
  await change(RULES, (rules) => ({
    ...rules,
    generation: 1,
    switchId: "",
    tables: Object.fromEntries(
      Object.keys(rules["tables"] as object).map((table) => [table, { to: "old", migration: "m" }]),
    ),
  }));
  await finds("rules-older", "home-against-journal", "controller-absent");
  rmSync(dataOf(), { recursive: true, force: true });
  cpSync(saved, dataOf(), { recursive: true });
});

test("a whole store from before the switch does not have the fence taken off the old home", async () => {
  const now = join(system.folder, "switched");
  rmSync(dataOf(), { recursive: true, force: true });
  cpSync(join(system.folder, "saved"), dataOf(), { recursive: true });
  await finds("controller-absent", "fence-on-home", "ledger-of-another-attempt");
  await refuses("fence-on-home");
  expect(await triggerCount(system.old)).toBeGreaterThan(0);
  rmSync(dataOf(), { recursive: true, force: true });
  cpSync(now, dataOf(), { recursive: true });
  await serve.restart();
});

test("after all of that the way back works, and the end leaves nothing to find", async () => {
  // Triggers were dropped by hand, for which no diff of before counts.
  const refused = await serve.run("rollback", "m");
  expect(refused).toMatchObject({ exit: 3, stdout: expect.stringContaining("diff-fresh") });
  const { history } = (await serve.get("/v1/migrations/m/history")) as { history: { what: string }[] };
  expect(history.map(({ what }) => what)).toContainEqual(
    expect.stringMatching(/on old that are not ours.*DROP TRIGGER/),
  );
  await succeeds("diff", "start", "m");
  await succeeds("rollback", "m");
  await finds();
  await succeeds("switch", "m");
  await succeeds("migration", "complete", "m");
  await finds();
});
