import { type ChildProcess, spawn } from "node:child_process";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { LedgerWriters } from "../support/ledger-writers.ts";
import type { CommandResult, ServeProcess } from "../support/serve-process.ts";
import { mysqlTool, type TestServer } from "../support/servers.ts";
import { TestSystem } from "../support/system.ts";

/*
 * MySQL's own programs that hold on to a table for long, or load it, while it is switched. A dump is made slow by nobody
 * reading what it writes, so that it is in the middle of the tables for as long as a test wants.
 */

const TABLES = "ledger.big,ledger.counter,ledger.entry";
/** Together more than what a pipe takes that nobody reads. */
const BIG_ROWS = 2000;
const BIG = `CREATE TABLE ledger.big (id INT PRIMARY KEY, filling VARCHAR(2000) NOT NULL);
  SET SESSION cte_max_recursion_depth = ${BIG_ROWS}; INSERT INTO ledger.big
  WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${BIG_ROWS})
  SELECT i, REPEAT(SHA2(i, 256), 20) FROM n`;
const WRITERS = 4;
const MOVES = ["switch", "rollback"] as const;
type Move = (typeof MOVES)[number];
/** It asks for what only an administrator may read, says so, and goes on without. */
const POLICIES = /^mysqldump: Error: 'SELECT command denied .*' when trying to dump masking policies\n/m;

let system: TestSystem;
let serve: ServeProcess;
/** Where the tables live. */
let home: TestServer;
let writersSoFar = 0;
/** Those that a test has started. */
const programs: Program[] = [];

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  await system.old.root(BIG);
  for (const server of [system.old, system.new]) {
    // What mysqldump asks for: tablespaces, and a read lock around its snapshot where GTIDs are on.
    await server.root("GRANT PROCESS, RELOAD ON *.* TO app@'127.0.0.1'");
  }
  serve = await system.serve({ config: `${system.config}\nlimits: { drainTimeoutMs: 1500, holdBudgetMs: 8000 }` });
  const create = ["migration", "create", "m", "--from", "old", "--to", "new", "--tables", TABLES, "--wait"];
  expect(await serve.run(...create)).toMatchObject({ exit: 0 });
  expect(await serve.run("diff", "start", "m")).toMatchObject({ exit: 0 });
  home = system.old;
});

afterAll(async () => {
  await serve?.stop();
  await system?.stop();
});

afterEach(() => {
  for (const program of programs.splice(0)) program.kill();
});

/** One of MySQL's programs that runs, through the proxy. */
class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  #out: Buffer[] = [];
  #error = "";

  constructor(name: "mysqldump" | "mysqlslap", args: readonly string[]) {
    const { command, args: first } = mysqlTool(name);
    const { user, password } = system.application;
    const place = ["--protocol=TCP", "--host=127.0.0.1", `--port=${serve.proxyPort}`, `--user=${user}`];
    const env = { ...process.env, MYSQL_PWD: password };
    this.#child = spawn(command, [...first, ...place, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#error += chunk.toString();
    });
    programs.push(this);
    this.#ended = new Promise((resolve) => this.#child.once("close", (code) => resolve(code ?? -1)));
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Waits until it has written something, which nobody reads. */
  async hasBegun(): Promise<void> {
    await Promise.race([new Promise((resolve) => this.#child.stdout?.once("readable", resolve)), this.#ended]);
  }

  /** Reads what it writes, to its end. */
  async finish(): Promise<{ readonly code: number; readonly out: string; readonly error: string }> {
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#out.push(chunk));
    const code = await this.#ended;
    return { code, out: Buffer.concat(this.#out).toString(), error: this.#error.replace(POLICIES, "") };
  }
}

/** Loads a dump into a schema of its own and says in what it differs from a state that there was at one moment. */
async function unlikeOneMoment(dump: string): Promise<string[]> {
  await system.old.root("DROP DATABASE IF EXISTS loaded; CREATE DATABASE loaded");
  const { command, args } = mysqlTool("mysql");
  const child = spawn(command, [...args, `--socket=${system.old.socket}`, "--user=root", "loaded"], {
    stdio: ["pipe", "ignore", "pipe"],
  });
  let error = "";
  child.stderr.on("data", (chunk: Buffer) => {
    error += chunk.toString();
  });
  child.stdin.end(dump);
  await new Promise((resolve) => child.once("close", resolve));
  const findings = error === "" ? [] : [error];
  const [big] = await system.old.root(`SELECT COUNT(*) AS n FROM loaded.big l JOIN ledger.big s USING (id, filling)`);
  if (Number(big?.["n"]) !== BIG_ROWS) findings.push(`${big?.["n"]} of ${BIG_ROWS} rows are as they were`);
  const counters = await system.old.root(`SELECT c.client, c.n, (SELECT COUNT(*) FROM loaded.entry e
    WHERE e.client = c.client AND e.note = 'transaction') AS entries FROM loaded.counter c HAVING n <> entries`);
  for (const row of counters) findings.push(`counter ${row["client"]} is ${row["n"]}, with ${row["entries"]} entries`);
  return findings;
}

/** Waits until somebody has locked all tables at their home: a program writes before it locks. */
async function isLocked(): Promise<void> {
  const locked = async (): Promise<number> => {
    const [row] = await home.root(`SELECT COUNT(DISTINCT OBJECT_NAME) AS n FROM performance_schema.metadata_locks
      WHERE OBJECT_SCHEMA = 'ledger' AND LOCK_TYPE = 'SHARED_READ_ONLY' AND LOCK_STATUS = 'GRANTED'`);
    return Number(row?.["n"]);
  };
  await expect.poll(locked, { timeout: 20_000, interval: 20 }).toBeGreaterThanOrEqual(TABLES.split(",").length);
}

/** To and fro. */
function nextMove(): Move {
  return home === system.old ? "switch" : "rollback";
}

function expectDone(kind: Move, result: CommandResult): void {
  expect(result, result.stdout + result.stderr).toMatchObject({ exit: 0 });
  home = kind === "switch" ? system.new : system.old;
}

const DUMPS = [
  ["--single-transaction", ["--single-transaction", "--set-gtid-purged=OFF", "--skip-lock-tables"]],
  ["tables locked", ["--set-gtid-purged=OFF", "--lock-tables"]],
] as const;

describe.each(DUMPS)("mysqldump, %s,", (_, args) => {
  test("makes a switch abort by name while it goes on, and succeeds", async () => {
    const kind = nextMove();
    const writers = new LedgerWriters(system.appUrl(serve), WRITERS, 5, writersSoFar);
    writersSoFar += WRITERS;
    // A client in the middle of a transaction would be the victim of a deadlock with LOCK TABLES, at any server.
    const locks = args.some((arg) => arg === "--lock-tables");
    if (!locks) await writers.start();
    const dump = new Program("mysqldump", [...args, "ledger"]);
    await dump.hasBegun();
    if (locks) {
      await isLocked();
      await writers.start();
    }
    const refused = await serve.run(kind, "m");
    expect(refused.exit).not.toBe(0);
    expect(refused.stderr + refused.stdout).toMatch(/mysqldump/);
    const { code, out, error } = await dump.finish();
    expect({ code, error }).toEqual({ code: 0, error: "" });
    expect(await unlikeOneMoment(out)).toEqual([]);
    expectDone(kind, await serve.run(kind, "m"));
    await writers.stop();
    expect(writers.told).toMatchObject({ errors: [], unknown: 0 });
    expect(await writers.check(home)).toEqual([]);
  });

  test("is waited for by a switch when it ends in time, and succeeds", async () => {
    const kind = nextMove();
    const dump = new Program("mysqldump", [...args, "ledger"]);
    await dump.hasBegun();
    // A session with locked tables cannot follow, and is waited for on demand alone.
    const locks = args.some((arg) => arg === "--lock-tables");
    if (locks) await isLocked();
    const switched = serve.run(kind, "m", ...(locks ? ["--pinned=wait"] : []));
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { code, out, error } = await dump.finish();
    expect({ code, error }).toEqual({ code: 0, error: "" });
    expect(await unlikeOneMoment(out)).toEqual([]);
    expectDone(kind, await switched);
  });
});

describe("mysqlslap", () => {
  test.each(MOVES)("goes on across a %s without an error", async (kind) => {
    const client = kind === "switch" ? -50 : -51;
    const queries = 6400;
    const slap = new Program("mysqlslap", [
      "--concurrency=8",
      "--iterations=1",
      `--number-of-queries=${queries}`,
      "--create-schema=ledger",
      "--no-drop",
      "--delimiter=;",
      "--commit=10",
      `--query=INSERT INTO entry (client, sequence, note) VALUES (${client}, 1, 'slap');SELECT n FROM counter WHERE client = 1`,
      "--csv",
    ]);
    const finished = slap.finish();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expectDone(kind, await serve.run(kind, "m"));
    const { code, error, out } = await finished;
    expect({ code, error }).toEqual({ code: 0, error: "" });
    expect(out).toContain("mixed,");
    expect(await home.root(`SELECT COUNT(*) AS n FROM ledger.entry WHERE client = ${client}`)).toEqual([
      { n: String(queries / 2) },
    ]);
  });
});
