import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { httpRequest } from "../../../src/cli/http-request.ts";
import { makeCertificates } from "../../support/etcd.ts";
import { LEDGER_TABLES } from "../../support/ledger-writers.ts";
import { SwitchyardRun } from "../../support/switchyard-run.ts";
import { TestSystem } from "../../support/system.ts";

const TOKENS = { ann: "token-of-ann-who-operates", ben: "token-of-ben-who-reads" } as const;
const sha256 = (token: string): string => createHash("sha256").update(token).digest("hex");

let system: TestSystem;
let folder: string;
let ca: string;
let serve: SwitchyardRun;
let server: string;

beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  folder = mkdtempSync(join(tmpdir(), "switchyard-admin-"));
  const made = makeCertificates().server;
  ca = made.ca;
  const tokens = [
    { name: "ann", role: "operate", sha256: sha256(TOKENS.ann) },
    { name: "ben", role: "read", sha256: sha256(TOKENS.ben) },
  ];
  write({ listen: "0.0.0.0:0", tokens, tls: { cert: made.cert, key: made.key } });
  serve = new SwitchyardRun(["serve"], { cwd: folder });
  server = (await serve.adminUrl()).replace("0.0.0.0", "127.0.0.1");
}, 120_000);
afterAll(async () => {
  await serve?.kill("SIGTERM");
  await system?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function write(admin: object): void {
  const config = `listen: 127.0.0.1:0\nadmin: ${JSON.stringify(admin)}\ndataDirectory: data\n${system.config}\n`;
  writeFileSync(join(folder, "switchyard.yaml"), config);
}

interface Ran {
  readonly exit: number | null;
  readonly json: Readonly<Record<string, unknown>>;
  readonly out: string;
}

async function cli(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Ran> {
  const ran = new SwitchyardRun([...args, "--json"], { cwd: folder, env: { SWITCHYARD_SERVER: server, ...env } });
  const { code } = await ran.ended;
  return { exit: code, json: JSON.parse(ran.stdout) as Ran["json"], out: ran.stdout };
}

const as = (who: keyof typeof TOKENS): Readonly<Record<string, string>> => ({
  SWITCHYARD_TOKEN: TOKENS[who],
  SWITCHYARD_CA: ca,
});
const CREATE = ["migration", "create", "m", "--from", "old", "--to", "new", "--tables", LEDGER_TABLES, "--wait"];

describe("the admin API beyond loopback", () => {
  test("speaks TLS alone, and a command that is not told whom to trust says how to tell it", async () => {
    expect(server).toMatch(/^https:/);
    const { json } = await cli({ SWITCHYARD_TOKEN: TOKENS.ben }, "rules", "show");
    expect(json).toMatchObject({ error: { code: "CLI_SERVER_UNREACHABLE", message: expect.stringContaining("--ca") } });
    expect((await cli(as("ben"), "rules", "show")).exit).toBe(0);
    const { exit } = await cli({ SWITCHYARD_TOKEN: TOKENS.ben }, "rules", "show", "--ca", ca);
    expect(exit).toBe(0);
    const missing = await cli({}, "rules", "show", "--ca", join(folder, "nothing.pem"));
    expect(missing).toMatchObject({ exit: 2, json: { error: { code: "CLI_USAGE" } } });
  });

  test.each([
    ["no token", {}, "ADMIN_UNAUTHENTICATED", 1],
    ["a token that is not known", { SWITCHYARD_TOKEN: "guessed" }, "ADMIN_UNAUTHENTICATED", 1],
    ["the stored hash in place of the token", { SWITCHYARD_TOKEN: sha256(TOKENS.ann) }, "ADMIN_UNAUTHENTICATED", 1],
  ])("shows nothing to %s, not even metrics", async (_name, env, code, exit) => {
    const ran = await cli({ SWITCHYARD_CA: ca, ...env }, "migration", "list");
    expect(ran).toMatchObject({ exit, json: { error: { code } } });
    expect(ran.out).not.toContain("guessed");
    const token = "SWITCHYARD_TOKEN" in env ? { authorization: `Bearer ${env.SWITCHYARD_TOKEN}` } : {};
    const [url, pem] = [new URL(`${server}/metrics`), readFileSync(ca, "utf8")];
    const signal = AbortSignal.timeout(10_000);
    const answer = await httpRequest({ url, method: "GET", headers: token, body: undefined, ca: pem, signal });
    expect([answer.status, answer.text.includes("switchyard_")]).toEqual([401, false]);
  });

  test("lets a reader look and not change: the order is never placed", async () => {
    expect((await cli(as("ben"), "migration", "list")).exit).toBe(0);
    const { exit, json } = await cli(as("ben"), ...CREATE);
    expect([exit, json["error"]]).toEqual([3, expect.objectContaining({ code: "ADMIN_FORBIDDEN" })]);
    expect((await cli(as("ben"), "migration", "history", "m")).json).toMatchObject({
      error: { code: "MIGRATION_NOT_FOUND" },
    });
  });

  test("keeps of every order who asked for what, when, why and what came of it, refused ones too", async () => {
    const refused = await cli(
      as("ann"),
      "migration",
      "create",
      "m",
      "--from",
      "old",
      "--to",
      "nowhere",
      "--tables",
      "a.b",
    );
    expect(refused.exit).toBe(2);
    const created = await cli(as("ann"), ...CREATE, "--reason", "ticket 7");
    expect(created.exit, created.out).toBe(0);
    expect((await cli(as("ann"), "switch", "m", "--max-lag-ms", "5", "--reason", "too early")).exit).toBe(3);
    const tuned = await cli(as("ann"), "migration", "tune", "m", "--max-commit-ms", "80", "--watch-replicas", "nobody");
    expect(tuned).toMatchObject({ exit: 2, json: { error: { code: "MIGRATION_REQUEST_INVALID" } } });
    expect((await cli(as("ann"), "migration", "pause", "m", "--reason", "backup")).exit).toBe(0);
    const paused = await cli(as("ann"), "switch", "m", "--force", "--reason", "hurry");
    expect(paused.json).toMatchObject({
      error: { code: "CUTOVER_GATE_REFUSED", message: expect.stringContaining("paused by ann: backup") },
    });
    const { json } = await cli(as("ben"), "migration", "history", "m");
    const early = { command: "switch", options: { maxLagMs: 5 }, reason: "too early", outcome: "refused" };
    expect(json["orders"]).toMatchObject([
      { who: "ann", command: "migration-create", options: { to: "nowhere" }, outcome: "refused" },
      { who: "ann", command: "migration-create", options: { to: "new" }, reason: "ticket 7", outcome: "done" },
      { who: "ann", ...early, error: expect.stringMatching(/^CUTOVER_/) },
      { command: "migration-tune", options: { throttleCommitMs: 80 }, outcome: "refused" },
      { who: "ann", command: "migration-pause", reason: "backup", outcome: "done" },
      { command: "switch", reason: "hurry", outcome: "refused" },
    ]);
    for (const { at, endedAt } of json["orders"] as readonly { readonly at: string; readonly endedAt: string }[]) {
      expect(at <= endedAt && at.endsWith("Z")).toBe(true);
    }
    expect(JSON.stringify(json)).not.toContain(TOKENS.ann);
  });

  test("shows the history in words", async () => {
    const ran = new SwitchyardRun(["migration", "history", "m", "--server", server], { cwd: folder, env: as("ben") });
    await ran.ended;
    expect(ran.stdout).toMatch(/ann +order switch .*maxLagMs=5.* +\(too early\) asked at .*: CUTOVER_/);
    expect(ran.stdout).toMatch(/ann +order migration-pause +\(backup\) asked at .*: done/);
    const shown = new SwitchyardRun(["migration", "status", "m", "--server", server], { cwd: folder, env: as("ben") });
    await shown.ended;
    expect(shown.stdout).toMatch(/late +by .* at most; the server keeps the log it needs for .* more/);
  });

  test.each([
    ["no token", { listen: "0.0.0.0:0", insecure: true }, /token/],
    ["no TLS", { listen: "0.0.0.0:0", tokens: [{ name: "a", role: "read", sha256: sha256("a") }] }, /TLS/],
  ])("does not start with %s", async (_name, admin, said) => {
    write(admin);
    const ran = new SwitchyardRun(["serve"], { cwd: folder });
    expect((await ran.ended).code).toBe(2);
    expect(ran.stderr).toMatch(/CONFIG_INVALID/);
    expect(ran.stderr).toMatch(said);
  });
});
