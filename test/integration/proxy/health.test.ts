import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Connection, RowDataPacket } from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Logger, silentLogger } from "../../../src/base/logger.ts";
import { noMetrics } from "../../../src/metrics/metrics.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { stopProcess } from "../../support/stop-process.ts";
import { abort, arm, type Harness, hold, seed, startHarness } from "./proxy-harness.ts";

let servers: Record<"old" | "new", TestServer>;
let harness: Harness;
let clients: Connection[] = [];
let ends: string[] = [];

beforeAll(async () => {
  servers = await startServers(["old", "new"]);
  await seed(servers);
  await servers.old.root("INSERT INTO shop.orders (id) VALUES (1)");
}, 60_000);
afterEach(async () => {
  for (const client of clients) client.destroy();
  clients = [];
  await harness.close();
  ends = [];
});
afterAll(() => stopServers(servers));

async function start(limits: Parameters<typeof startHarness>[1] = {}): Promise<void> {
  const counter: typeof noMetrics.counter = (name, labels) => ({
    add: () => {
      if (name === "disconnects_total") ends.push(Object.values(labels).join(" "));
    },
  });
  harness = await startHarness(servers, { metrics: { ...noMetrics, counter }, ...limits });
}

/** A client, and the number of the error with which its connection ends unasked. */
async function user(): Promise<Connection & { readonly ended: Promise<number | string | undefined> }> {
  const client = await harness.connect();
  clients.push(client);
  const ended = new Promise<number | string | undefined>((resolve) => {
    client.on("error", (error: { errno?: number; code?: string }) => resolve(error.errno ?? error.code));
  });
  return Object.assign(client, { ended });
}

async function value(client: Connection, sql: string): Promise<unknown> {
  const [[row]] = await client.query<RowDataPacket[]>(sql);
  return Object.values(row ?? {})[0];
}

describe("idleTimeoutMs", () => {
  test("ends a session without a command, in a server's words, and none that works or has just worked", async () => {
    await start({ limits: { idleTimeoutMs: 500 } });
    const [idle, works, pings] = [await user(), await user(), await user()];
    const slow = works.query("SELECT SLEEP(1)");
    const pinging = setInterval(() => void pings.ping().catch(() => undefined), 100);
    expect(await idle.ended).toBe(4031);
    await slow;
    clearInterval(pinging);
    await pings.ping();
    expect(ends).toEqual(["proxy idle"]);
  });
});

describe("queryTimeoutMs", () => {
  test("kills a statement that runs for longer at its server, and the session goes on", async () => {
    await start({ limits: { queryTimeoutMs: 300 } });
    const client = await user();
    const slow = client.query("UPDATE orders SET note = SLEEP(20) WHERE id = 1");
    await expect(slow).rejects.toMatchObject({ errno: 1317 });
    expect(await value(client, "SELECT note FROM orders WHERE id = 1")).toBeNull();
  });

  test("leaves a statement alone that waits for a switch", async () => {
    await start({ limits: { queryTimeoutMs: 300 } });
    const client = await user();
    await arm(harness);
    await hold(harness);
    const held = client.query("UPDATE orders SET note = 'waited' WHERE id = 1");
    await sleep(800);
    await abort(harness);
    await held;
    expect(await value(client, "SELECT note FROM orders WHERE id = 1")).toBe("waited");
  });
});

describe("a server that is started again", () => {
  test("is found again by sessions that have lost nothing; the others end, and nobody is told a wrong value", async () => {
    const told: string[] = [];
    const log: Logger = { ...silentLogger, info: (_fields, message) => void told.push(message), child: () => log };
    await start({ log });
    // A server counts its threads anew when it is started: ids that are used later must not be those of before.
    for (let login = 0; login < 20; login++) await (await user()).end();
    await expect.poll(() => ends.length).toBe(20);
    ends = [];
    const [plain, inserted, open, temporary] = [await user(), await user(), await user(), await user()];
    const locks = await user();
    await locks.query("DO GET_LOCK('mine', 0)");
    await plain.query("SET @mark = 'kept', SESSION sql_mode = 'ANSI_QUOTES'");
    await plain.execute("SELECT note FROM orders WHERE id = ?", [1]);
    await inserted.query("INSERT INTO other (note) VALUES ('x')");
    await open.query("START TRANSACTION");
    await open.query("UPDATE orders SET note = 'lost' WHERE id = 1");
    await temporary.query("CREATE TEMPORARY TABLE mine (id INT)");
    await servers.old.kill9();
    expect(["PROTOCOL_CONNECTION_LOST", "ECONNRESET"]).toContain(await open.ended);
    expect(["PROTOCOL_CONNECTION_LOST", "ECONNRESET"]).toContain(await temporary.ended);
    expect(["PROTOCOL_CONNECTION_LOST", "ECONNRESET"]).toContain(await locks.ended);
    // Connections of a process that is killed end one after the other: these two are to be idle when theirs does.
    const outlived = (): number => told.filter((line) => line === "a session outlives its idle backend").length;
    await expect.poll(outlived, { timeout: 10_000 }).toBe(2);
    await expect(plain.query("SELECT 1")).rejects.toMatchObject({ errno: 2003 });
    await servers.old.start();
    expect(await value(plain, "SELECT CONCAT(@mark, @@sql_mode)")).toBe("keptANSI_QUOTES");
    const [prepared] = await plain.execute("SELECT note FROM orders WHERE id = ?", [1]);
    expect(prepared).toHaveLength(1);
    expect(await value(plain, "SELECT CONNECTION_ID()")).toBe(plain.threadId);
    await expect(inserted.query("SELECT LAST_INSERT_ID()")).rejects.toMatchObject({ errno: 2013 });
    await inserted.query("INSERT INTO other (note) VALUES ('y')");
    expect(await value(inserted, "SELECT LAST_INSERT_ID() = MAX(id) FROM other")).toBe(1);
    expect(ends).toEqual(["backend lost", "backend lost", "backend lost"]);
    await (await user()).query(`KILL ${plain.threadId}`);
    expect(await plain.ended).toBe("PROTOCOL_CONNECTION_LOST");
  }, 60_000);
});

describe("a server that is frozen", () => {
  test("turns new clients away in time, and has what was sent to it answered when it goes on", async () => {
    await start();
    const early = await user();
    harness.worker.reconfigure({ limits: { connectTimeoutMs: 300 }, tls: "generated" });
    await stopProcess(servers.old.pid);
    try {
      const late = value(early, "SELECT 'late'");
      await expect(harness.connect()).rejects.toMatchObject({ errno: 2003 });
      process.kill(servers.old.pid, "SIGCONT");
      expect(await late).toBe("late");
    } finally {
      process.kill(servers.old.pid, "SIGCONT");
    }
    expect(ends).toEqual(["backend unreachable"]);
  });
});

describe("a machine that is gone without a word", () => {
  /** Timers that the system keeps for established connections: 2 is the one that asks whether the peer is there. */
  function timers(end: "local" | "remote", port: number): string[] {
    const hex = port.toString(16).toUpperCase().padStart(4, "0");
    const rows = readFileSync("/proc/net/tcp", "utf8")
      .split("\n")
      .map((row) => row.trim().split(/\s+/));
    const established = rows.filter((row) => row[3] === "01" && row[end === "local" ? 1 : 2]?.endsWith(`:${hex}`));
    return established.map((row) => row[5]?.slice(0, 2) ?? "");
  }

  test("is looked for by the system, on both sides of an idle session", async () => {
    await start();
    await value(await user(), "SELECT 1");
    await expect.poll(() => timers("local", harness.port)).toEqual(["02"]);
    await expect.poll(() => timers("remote", servers.old.port)).toEqual(["02"]);
  });
});
