import { X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import mysql, { type Connection } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EtcdServer } from "../../../servers/etcd-server.ts";
import { generateCertificate } from "../../../src/proxy/server-keys.ts";
import { startEtcd, stopEtcd } from "../../support/etcd.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { runs, SwitchyardRun } from "../../support/switchyard-run.ts";

/** So long that a controller which kept its lease until it runs out would be noticed. */
const LEASE_TTL_MS = 60_000;
const AGAIN = "the configuration was read again";

type Keys = Readonly<Record<string, unknown>>;

/** A process of a fleet, with a folder for its configuration. */
class Member {
  readonly run: SwitchyardRun;
  readonly #folder: string;

  constructor(kind: "proxy" | "controller", name: string, keys: Keys = {}) {
    this.#folder = join(folder, name);
    mkdirSync(this.#folder);
    this.#write(keys);
    this.run = new SwitchyardRun([kind], { cwd: this.#folder });
    members.push(this);
  }

  get proxyAddress(): { readonly host: string; readonly port: number } {
    const started = this.run.log.findLast((line) => line["msg"] === "started" && line["child"] === "proxy-1");
    const [, host = "", port] = /^(.*):(\d+)$/.exec(String(started?.["address"])) ?? [];
    return { host, port: Number(port) };
  }

  async connect(ssl?: mysql.SslOptions): Promise<Connection> {
    const more = ssl === undefined ? {} : { ssl };
    const one = await mysql.createConnection({ ...this.proxyAddress, user: "app", password: "a", ...more });
    one.on("error", () => undefined);
    return one;
  }

  /** Has changed keys read, and gives the line that says what came of it. */
  async reload(keys: Keys): Promise<Keys> {
    this.#write(keys);
    const from = this.run.log.length;
    this.run.child.kill("SIGHUP");
    return await this.run.line(AGAIN, from);
  }

  #write({ limits, ...keys }: Keys): void {
    const { host, port } = servers.home;
    const base = {
      listen: "127.0.0.1:0",
      admin: { listen: "127.0.0.1:0" },
      backends: { home: { host, port, user: "switchyard", password: "own-secret" } },
      default: "home",
      store: { etcd: { endpoints: [etcd.endpoint] } },
      limits: { leaseTtlMs: LEASE_TTL_MS, ...(limits as Keys | undefined) },
    };
    writeFileSync(join(this.#folder, "switchyard.yaml"), JSON.stringify({ ...base, ...keys }));
  }
}

/** Clients without pause, each of which must be greeted, told why not, or disconnected. */
class Storm {
  readonly #address: { readonly host: string; readonly port: number };
  readonly #waiting = new Set<Socket>();
  #refused = false;

  constructor(address: { readonly host: string; readonly port: number }) {
    this.#address = address;
  }

  async come(clients: number): Promise<void> {
    await Promise.all(Array.from({ length: clients }, () => this.#one()));
  }

  async untilRefused(): Promise<void> {
    while (!this.#refused) await Promise.race([this.come(20), sleep(20)]);
  }

  /** How many have been told nothing for a second. */
  async forgotten(): Promise<number> {
    for (let tries = 0; this.#waiting.size > 0 && tries < 50; tries++) await sleep(20);
    const { size } = this.#waiting;
    for (const socket of this.#waiting) socket.destroy();
    return size;
  }

  async #one(): Promise<void> {
    const socket = connect(this.#address);
    this.#waiting.add(socket);
    const told = new Promise<void>((resolve) => {
      socket.once("data", () => socket.destroy());
      socket.on("error", (error: NodeJS.ErrnoException) => {
        this.#refused ||= error.code === "ECONNREFUSED";
      });
      socket.once("close", () => resolve());
    });
    await told;
    this.#waiting.delete(socket);
  }
}

let servers: { home: TestServer };
let etcd: EtcdServer;
let folder: string;
const members: Member[] = [];
let proxy: Member;
let first: Member;
let second: Member;

beforeAll(async () => {
  [servers, etcd] = await Promise.all([startServers(["home"]), startEtcd()]);
  await servers.home.root(`CREATE DATABASE shop; CREATE TABLE shop.t (id INT PRIMARY KEY);
    CREATE USER app@'127.0.0.1' IDENTIFIED BY 'a'; GRANT ALL ON shop.* TO app@'127.0.0.1'`);
  folder = mkdtempSync(join(tmpdir(), "switchyard-fleet-signals-"));
  first = new Member("controller", "first");
  await first.run.line("this controller leads");
  second = new Member("controller", "second");
  await makePair();
  proxy = new Member("proxy", "proxy", { tls: PAIR });
  await Promise.all([second.run.adminUrl(), proxy.run.adminUrl()]);
}, 60_000);
afterAll(async () => {
  for (const { run } of members) await run.kill("SIGKILL");
  await stopEtcd([etcd]);
  await stopServers(servers);
  rmSync(folder, { recursive: true, force: true });
});

const PAIR = { cert: "../cert.pem", key: "../key.pem" };

/** Puts a new certificate where the proxy looks for it. */
async function makePair(): Promise<string> {
  const { cert, key } = await generateCertificate(new Date());
  writeFileSync(join(folder, "cert.pem"), cert);
  writeFileSync(join(folder, "key.pem"), key);
  return cert;
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error("did not come about within 10 s");
}

describe("a proxy process of a fleet", () => {
  test("reads limits, certificate and log level again on SIGHUP, and keeps its sessions", async () => {
    const open = await proxy.connect();
    const cert = await makePair();
    const changed = await proxy.reload({ tls: PAIR, log: { level: "debug" }, limits: { shutdownTimeoutMs: 9000 } });
    expect(changed["keys"]).toEqual(["limits.shutdownTimeoutMs", "log.level", "tls.cert", "tls.key"]);
    await eventually(async () => {
      const one = await proxy.connect({ rejectUnauthorized: false });
      const { stream } = (one as unknown as { connection: { stream: TLSSocket } }).connection;
      const { fingerprint256 } = stream.getPeerCertificate();
      await one.end();
      return fingerprint256 === new X509Certificate(cert).fingerprint256;
    });
    await eventually(async () => proxy.run.log.some((line) => line["msg"] === "a session has ended"));
    expect((await open.query("SELECT 1 AS one"))[0]).toEqual([{ one: 1 }]);
    await open.end();
  });

  test("lets an open transaction end on SIGTERM, lets nobody new in, leaves the store, and exits with 0", async () => {
    const [open, idle] = [await proxy.connect(), await proxy.connect()];
    await open.query("START TRANSACTION");
    await open.query("INSERT INTO shop.t VALUES (1)");
    await idle.query("SELECT 1");
    const children = [...proxy.run.children().values()];
    const storm = new Storm(proxy.proxyAddress);
    await storm.come(50);
    proxy.run.child.kill("SIGTERM");
    await storm.untilRefused();
    expect(await storm.forgotten(), "clients that came in the very moment, and were told nothing").toBe(0);
    expect(proxy.run.child.exitCode).toBeNull();
    await open.query("INSERT INTO shop.t VALUES (2)");
    await open.query("COMMIT");
    expect(await proxy.run.ended).toEqual({ code: 0, signal: null });
    expect(await servers.home.root("SELECT COUNT(*) AS n FROM shop.t")).toEqual([{ n: "2" }]);
    expect(children.filter(runs)).toEqual([]);
    // One that were still registered without a sign of life would stand in the way of every switch.
    const left = await fetch(`${await first.run.adminUrl()}/v1/proxies`);
    expect(await left.json()).toMatchObject({ proxies: [] });
  });

  test("ends what stays open past shutdownTimeoutMs, as read again by SIGHUP, and exits with 0", async () => {
    const hurried = new Member("proxy", "hurried");
    await hurried.run.adminUrl();
    await hurried.reload({ limits: { shutdownTimeoutMs: 600 } });
    const open = await hurried.connect();
    await open.query("START TRANSACTION");
    await open.query("INSERT INTO shop.t VALUES (7)");
    const startedAt = performance.now();
    expect(await hurried.run.kill("SIGTERM")).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeGreaterThan(500);
    expect(performance.now() - startedAt).toBeLessThan(5000);
    await eventually(async () => (await servers.home.root("SELECT id FROM shop.t WHERE id = 7")).length === 0);
  });
});

describe("a controller process of a fleet", () => {
  test("reads limits and log level again on SIGHUP, and leads on", async () => {
    const changed = await first.reload({ log: { level: "debug" }, limits: { drainTimeoutMs: 700 } });
    expect(changed["keys"]).toEqual(["limits.drainTimeoutMs", "log.level"]);
    expect((await fetch(`${await first.run.adminUrl()}/readyz`)).status).toBe(200);
    expect(second.run.log.some((line) => line["msg"] === "this controller leads")).toBe(false);
  });

  test("gives leadership up at once on SIGTERM and exits with 0, long before its lease would have run out", async () => {
    const startedAt = performance.now();
    const [ended] = await Promise.all([first.run.kill("SIGTERM"), second.run.line("this controller leads")]);
    expect(ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(5000);
    expect(await second.run.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  });
});
