import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCurrent } from "../../../src/rules/document-format.ts";
import { kindAt } from "../../../src/rules/document-kinds.ts";
import { parseJournal } from "../../../src/store/journal-format.ts";
import { SwitchyardRun } from "../../support/switchyard-run.ts";
import { TestSystem } from "../../support/system.ts";

const SECRETS = {
  "the token of an operator": "operator-token-7b1f",
  "a token that is none": "stolen-token-44aa",
  "a password that a client mistyped": "mistyped-password-91c0",
  "Switchyard's own password": "switchyard-secret",
  "an application's password": "app-secret",
} as const;
const PATHS = [
  "migrations",
  "migrations/m",
  "migrations/m/history",
  "migrations/m/diff",
  "rules",
  "proxies",
  "sessions",
];
const MOVE_MS = 120_000;

let system: TestSystem;
let folder: string;
let serve: SwitchyardRun;
/** All that anybody could read, by where it was. */
const seen = new Map<string, string>();

/** A migration there and back, with a refused login on either side, and everything that can be read of it. */
beforeAll(async () => {
  system = await TestSystem.start();
  await system.resetTables();
  folder = mkdtempSync(join(tmpdir(), "switchyard-secrets-"));
  const sha256 = createHash("sha256").update(SECRETS["the token of an operator"]).digest("hex");
  const admin = `admin: { listen: "127.0.0.1:0", tokens: [{ name: ann, role: operate, sha256: "${sha256}" }] }`;
  writeFileSync(
    join(folder, "switchyard.yaml"),
    `listen: 127.0.0.1:0\n${admin}\ndataDirectory: data\n${system.config}\n`,
  );
  serve = new SwitchyardRun(["serve"], { cwd: folder });
  const server = await serve.adminUrl();
  const order = async (...args: string[]): Promise<void> => {
    const ran = command(args, server, SECRETS["the token of an operator"]);
    const { code } = await ran.ended;
    seen.set(`the output of ${args.join(" ")}`, ran.stdout + ran.stderr);
    expect(code, ran.stdout + ran.stderr).toBe(0);
  };
  await order("migration", "create", "m", "--from", "old", "--to", "new", "--tables", "ledger.entry", "--wait");
  await order("diff", "start", "m");
  await refusedLogins(server);
  await order("switch", "m");
  await order("rollback", "m");
  await look(server);
  await serve.kill("SIGTERM");
  seen.set("what serve has written", serve.stdout + serve.stderr);
  seen.set("the store", readFileSync(join(folder, "data/store.journal"), "utf8"));
}, MOVE_MS);
afterAll(async () => {
  await serve.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  await system.stop();
});

function command(args: readonly string[], server: string, token: string): SwitchyardRun {
  return new SwitchyardRun([...args, "--json"], {
    cwd: folder,
    env: { SWITCHYARD_SERVER: server, SWITCHYARD_TOKEN: token },
  });
}

async function refusedLogins(server: string): Promise<void> {
  const stolen = command(["rules", "show"], server, SECRETS["a token that is none"]);
  expect((await stolen.ended).code).not.toBe(0);
  seen.set("the refusal of a token", stolen.stdout + stolen.stderr);
  const started = serve.log.findLast((line) => line["msg"] === "started" && line["child"] === "proxy-1");
  const port = Number(/:(\d+)$/.exec(String(started?.["address"]))?.[1]);
  const login = { host: "127.0.0.1", port, user: "app" };
  const password = SECRETS["a password that a client mistyped"];
  const refused = await mysql.createConnection({ ...login, password }).catch((error: unknown) => String(error));
  expect(refused).toContain("Access denied");
  seen.set("the refusal of a password", String(refused));
  const client = await mysql.createConnection({ ...login, password: system.application.password });
  await client.query("SELECT COUNT(*) FROM ledger.entry");
  await client.end();
}

async function look(server: string): Promise<void> {
  const headers = { authorization: `Bearer ${SECRETS["the token of an operator"]}` };
  for (const path of [...PATHS.map((name) => `/v1/${name}`), "/metrics", "/healthz", "/readyz"]) {
    const answer = await fetch(server + path, { headers });
    expect(answer.status, path).toBe(200);
    seen.set(path, await answer.text());
  }
  for (const pid of [Number(serve.child.pid), ...serve.children().values()]) {
    for (const file of ["cmdline", "comm", "environ"])
      seen.set(`${file} of ${pid}`, readFileSync(`/proc/${pid}/${file}`, "utf8"));
  }
}

describe("a migration that goes there and back at the log's finest level", () => {
  test.each(Object.entries(SECRETS))("shows nowhere %s", (_, secret) => {
    const hash = createHash("sha256").update(secret).digest("hex");
    const places = [...seen].filter(([, text]) => text.includes(secret) || text.includes(hash)).map(([place]) => place);
    expect(places).toEqual([]);
  });

  test("has left enough to look through", () => {
    expect(seen.get("what serve has written")?.length).toBeGreaterThan(5000);
    expect(seen.get("/metrics")).toContain("switchyard_");
    expect([...seen.keys()].filter((place) => place.startsWith("cmdline")).length).toBeGreaterThanOrEqual(3);
  });

  test("has stored only documents of a known kind, each with its format", () => {
    const { records } = parseJournal("store.journal", Buffer.from(seen.get("the store") ?? ""));
    const puts = records.flatMap((record): (readonly [string, string | null | undefined])[] => {
      if ("entries" in record) return record.entries.map(({ key, value }) => [key, value]);
      return "batch" in record
        ? record.batch.flatMap(({ changes }) => changes).map(([key, value]) => [key, value])
        : [];
    });
    expect(puts.length).toBeGreaterThan(20);
    for (const [key, value] of puts) {
      if (typeof value !== "string") continue;
      const kind = kindAt(key);
      expect(kind, `${key} has no kind of document: see STORED in src/rules/document-kinds.ts`).toBeDefined();
      if (kind !== undefined) expect(readCurrent(kind, key, value)["format"], key).toBe(kind.format);
    }
  });

  test("is answered with a format wherever the admin API answers", () => {
    const answers = [...seen].filter(([place]) => place.startsWith("/") && place !== "/metrics");
    expect(answers.filter(([, text]) => (JSON.parse(text) as { format?: unknown }).format !== 1)).toEqual([]);
  });
});
