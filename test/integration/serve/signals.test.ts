import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import mysql, { type Connection } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { generateCertificate } from "../../../src/proxy/server-keys.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { runs, SwitchyardRun } from "../../support/switchyard-run.ts";

const sha256 = (token: string): string => createHash("sha256").update(token).digest("hex");

let servers: { home: TestServer };
let folder: string;
let serve: SwitchyardRun;
let clients: Connection[];

beforeAll(async () => {
  servers = await startServers(["home"]);
  await servers.home.root(`CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY);
    CREATE USER app@'127.0.0.1' IDENTIFIED BY 'a'; GRANT ALL ON shop.* TO app@'127.0.0.1'`);
}, 60_000);
afterAll(() => stopServers(servers));
beforeEach(async () => {
  await servers.home.root("TRUNCATE shop.t");
  folder = mkdtempSync(join(tmpdir(), "switchyard-signals-"));
  clients = [];
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await serve.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

type Keys = Readonly<Record<string, unknown>>;

function write(keys: Keys): void {
  const { host, port } = servers.home;
  const base = {
    listen: "127.0.0.1:0",
    admin: { listen: "127.0.0.1:0" },
    dataDirectory: "data",
    backends: { home: { host, port, user: "switchyard", password: "own-secret" } },
    default: "home",
  };
  writeFileSync(join(folder, "switchyard.yaml"), JSON.stringify({ ...base, ...keys }));
}

async function begin(keys: Keys = {}): Promise<string> {
  write(keys);
  serve = new SwitchyardRun(["serve"], { cwd: folder });
  return await serve.adminUrl();
}

/** Writes the configuration anew, has it read again, and gives the line that says what came of it. */
async function reload(keys: Keys, said: string): Promise<Readonly<Record<string, unknown>>> {
  write(keys);
  const from = serve.log.length;
  serve.child.kill("SIGHUP");
  return await serve.line(said, from);
}

const AGAIN = "the configuration was read again";
const UNUSABLE = "the configuration was read again and cannot be used; nothing has changed";
const KEPT = "these keys of the configuration have changed and stay as they were until the next start";

/** Where clients come in. */
function proxyAddress(): { readonly host: string; readonly port: number } {
  const started = serve.log.findLast((line) => line["msg"] === "started" && line["child"] === "proxy-1");
  const [, host = "", port] = /^(.*):(\d+)$/.exec(String(started?.["address"])) ?? [];
  return { host, port: Number(port) };
}

async function client(): Promise<Connection> {
  const one = await mysql.createConnection({ ...proxyAddress(), user: "app", password: "a" });
  // A connection that serve ends is what some of these tests are about.
  one.on("error", () => undefined);
  clients.push(one);
  return one;
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 750; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("did not come about within 15 s");
}

async function status(url: string, token: string): Promise<number> {
  return (await fetch(`${url}/v1/rules`, { headers: { authorization: `Bearer ${token}` } })).status;
}

describe("SIGHUP", () => {
  test("lets a token in and shuts another out, without ending anything", async () => {
    const tokens = (name: string, token: string) => ({
      admin: { listen: "127.0.0.1:0", tokens: [{ name, role: "read", sha256: sha256(token) }] },
    });
    const url = await begin(tokens("ann", "old-token"));
    const one = await client();
    expect([await status(url, "old-token"), await status(url, "new-token")]).toEqual([200, 401]);
    expect(await reload(tokens("ben", "new-token"), AGAIN)).toMatchObject({ keys: ["admin.tokens"] });
    expect([await status(url, "old-token"), await status(url, "new-token")]).toEqual([401, 200]);
    expect((await one.query("SELECT 1 AS one"))[0]).toEqual([{ one: 1 }]);
    expect(serve.stderr).not.toContain(sha256("new-token"));
  });

  test("puts limits and the log's level in force in every process, also in one that is started later", async () => {
    await begin();
    const early = await client();
    expect(serve.log.filter((line) => line["level"] === "debug")).toEqual([]);
    const changed = { limits: { sessionsMax: 1 }, log: { level: "debug" } };
    expect(await reload(changed, AGAIN)).toMatchObject({ keys: ["limits.sessionsMax", "log.level"] });
    await eventually(async () => {
      const [refused] = await Promise.allSettled([client()]);
      return refused?.status === "rejected" && (refused.reason as { errno?: number }).errno === 1040;
    });
    await early.end();
    await eventually(async () => serve.log.some((line) => line["msg"] === "a session has ended"));
    const before = serve.children().get("proxy-1") ?? 0;
    process.kill(before, "SIGKILL");
    await eventually(async () => serve.children().get("proxy-1") !== before);
    const first = await client();
    await first.query("SELECT 1");
    await expect(client()).rejects.toMatchObject({ errno: 1040 });
  });

  test("shows the next client another certificate, on the proxy and on the admin API", async () => {
    const pair = async (name: string): Promise<string> => {
      const { cert, key } = await generateCertificate(new Date());
      writeFileSync(join(folder, `${name}.pem`), cert);
      writeFileSync(join(folder, `${name}.key`), key);
      return new X509Certificate(cert).fingerprint256;
    };
    const keys = (name: string): Keys => {
      const tls = { cert: `${name}.pem`, key: `${name}.key` };
      return { tls, admin: { listen: "127.0.0.1:0", tls } };
    };
    const [first, second] = [await pair("first"), await pair("second")];
    const url = await begin(keys("first"));
    expect([await proxyFingerprint(), await adminFingerprint(url)]).toEqual([first, first]);
    await reload(keys("second"), AGAIN);
    await eventually(async () => (await proxyFingerprint()) === second);
    expect(await adminFingerprint(url)).toBe(second);
    writeFileSync(join(folder, "second.key"), "-----BEGIN PRIVATE KEY-----\nbroken\n-----END PRIVATE KEY-----\n");
    expect(String((await reload(keys("second"), UNUSABLE))["error"])).toContain("CONFIG_INVALID");
    expect([await proxyFingerprint(), await adminFingerprint(url)]).toEqual([second, second]);
  });

  test("names what cannot change and leaves it as it was", async () => {
    const url = await begin();
    const { host, port } = servers.home;
    const changed = {
      workers: 2,
      listen: "127.0.0.1:1",
      backends: { home: { host, port, user: "switchyard", password: "another-secret" } },
      limits: { leaseTtlMs: 9000, connectTimeoutMs: 700 },
    };
    const kept = await reload(changed, KEPT);
    expect(kept["keys"]).toEqual(["listen.port", "backends.home.password", "limits.leaseTtlMs", "workers"]);
    expect(await serve.line(AGAIN)).toMatchObject({ keys: ["limits.connectTimeoutMs"] });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    expect([...serve.children().keys()].sort()).toEqual(["controller", "proxy-1"]);
    expect(serve.stderr).not.toContain("another-secret");
  });

  test.each([
    ["a key that does not exist", { limits: { sessionMax: 1 } }, /sessionMax[\s\S]*sessionsMax, perhaps/],
    ["a default that is no backend", { default: "nowhere" }, /default/],
  ])("changes nothing for %s, and says so", async (_name, keys, said) => {
    await begin();
    const refused = await reload({ ...keys, log: { level: "debug" } }, UNUSABLE);
    expect(String(refused["error"])).toMatch(said);
    await (await client()).query("SELECT 1");
    expect(serve.log.filter((line) => line["level"] === "debug")).toEqual([]);
  });
});

describe("SIGTERM", () => {
  test("lets an open transaction end, lets nobody new in, and exits with 0", async () => {
    await begin();
    const [open, idle] = [await client(), await client()];
    await open.query("START TRANSACTION");
    await open.query("INSERT INTO shop.t VALUES (1)");
    await idle.query("SELECT 1");
    const children = [...serve.children().values()];
    serve.child.kill("SIGTERM");
    await eventually(async () => (await Promise.allSettled([client()]))[0]?.status === "rejected");
    expect(serve.child.exitCode).toBeNull();
    await open.query("INSERT INTO shop.t VALUES (2)");
    await open.query("COMMIT");
    expect(await serve.ended).toEqual({ code: 0, signal: null });
    expect(await servers.home.root("SELECT id FROM shop.t ORDER BY id")).toEqual([{ id: "1" }, { id: "2" }]);
    expect(children.filter(runs)).toEqual([]);
  });

  test("ends a transaction that stays open past shutdownTimeoutMs, which the server takes back", async () => {
    await begin({ limits: { shutdownTimeoutMs: 700 } });
    const open = await client();
    await open.query("START TRANSACTION");
    await open.query("INSERT INTO shop.t VALUES (1)");
    const startedAt = performance.now();
    expect(await serve.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThan(600);
    expect(tookMs).toBeLessThan(8000);
    await eventually(async () => (await servers.home.root("SELECT id FROM shop.t")).length === 0);
  });
});

async function proxyFingerprint(): Promise<string> {
  const ssl = { rejectUnauthorized: false };
  const one = await mysql.createConnection({ ...proxyAddress(), user: "app", password: "a", ssl });
  const socket = (one as unknown as { connection: { stream: TLSSocket } }).connection.stream;
  const { fingerprint256 } = socket.getPeerCertificate();
  await one.end();
  return fingerprint256;
}

function adminFingerprint(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}/healthz`, { rejectUnauthorized: false, agent: false }, (response) => {
      resolve((response.socket as TLSSocket).getPeerCertificate().fingerprint256);
      response.resume();
    });
    asked.on("error", reject);
    asked.end();
  });
}
