import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import type { Endpoint } from "../../../src/mysql/endpoint.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { stopProcess } from "../../support/stop-process.ts";

let servers: { a: TestServer };
let endpoint: Endpoint;

beforeAll(async () => {
  servers = await startServers(["a"]);
  await servers.a.root(`
    CREATE DATABASE t; CREATE TABLE t.x (id INT PRIMARY KEY, body LONGBLOB)`);
  endpoint = await ownEndpoint(servers.a, "source-reader", []);
});
afterAll(() => stopServers(servers));

const UUID = "11111111-2222-3333-4444-555555555555";
const GTID_EVENTS = new Set([33, 42]);
const WRITE_ROWS = 30;

async function executed(): Promise<GtidSet> {
  const [row] = await servers.a.root("SELECT @@global.gtid_executed g");
  return GtidSet.parse(row?.["g"] ?? "");
}

const request = (set: GtidSet, heartbeatMs = 1000) => ({
  serverId: 4_000_001,
  executed: set.encodeBinary(),
  heartbeatMs,
  replicaUuid: UUID,
});

describe("a dump of the binary log", () => {
  test("brings exactly what is missing, then what is written later, until it is closed", async () => {
    const from = await executed();
    await servers.a.root("INSERT INTO t.x VALUES (1, 'a'); INSERT INTO t.x VALUES (2, 'b')");
    const connection = await Connection.connect(endpoint);
    const types: number[] = [];
    let wake: (() => void) | undefined;
    const dump = connection.binlogDump(request(from), (event) => {
      types.push(event[4] ?? 0);
      wake?.();
    });
    const until = async (rows: number): Promise<void> => {
      while (types.filter((type) => type === WRITE_ROWS).length < rows) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    await until(2);
    await servers.a.root("INSERT INTO t.x VALUES (3, 'c')");
    await until(3);
    await connection.close();
    await dump;
    expect(types.filter((type) => GTID_EVENTS.has(type))).toHaveLength(3);
    await expect(connection.query("SELECT 1")).rejects.toMatchObject({ code: "MYSQL_CONNECTION_LOST" });
  });

  test("waits for a slow reader, and an event of 20 MB comes whole", async () => {
    const from = await executed();
    await servers.a.root("SET SESSION binlog_row_image = 'FULL'; INSERT INTO t.x VALUES (10, REPEAT('x', 20000000))");
    await servers.a.root(
      "INSERT INTO t.x SELECT 10 + n, REPEAT('y', 100000) FROM (SELECT 1 n UNION SELECT 2 UNION SELECT 3) s",
    );
    const connection = await Connection.connect(endpoint);
    let busy = false;
    let largest = 0;
    let rows = 0;
    const dump = connection.binlogDump(request(from), async (event) => {
      expect(busy).toBe(false);
      busy = true;
      await sleep(20);
      busy = false;
      largest = Math.max(largest, event.length);
      if (event[4] === WRITE_ROWS) rows += 1;
      if (rows === 4) void connection.close();
    });
    await dump;
    expect(largest).toBeGreaterThan(20_000_000);
  });

  test("is kept alive by heartbeats, and given up when they stop", async () => {
    const connection = await Connection.connect(endpoint);
    let heartbeats = 0;
    const dump = connection.binlogDump(request(await executed(), 100), (event) => {
      if (event[4] === 27 || event[4] === 41) heartbeats += 1;
    });
    await sleep(700);
    expect(connection.isClosed).toBe(false);
    expect(heartbeats).toBeGreaterThan(3);
    await stopProcess(servers.a.pid);
    try {
      await expect(dump).rejects.toMatchObject({ code: "MYSQL_CONNECTION_LOST" });
    } finally {
      process.kill(servers.a.pid, "SIGCONT");
    }
  });

  test("that asks for purged transactions is refused, not given the rest", async () => {
    await servers.a.root("INSERT INTO t.x VALUES (20, 'p'); FLUSH BINARY LOGS; INSERT INTO t.x VALUES (21, 'q')");
    const [last] = (await servers.a.root("SHOW BINARY LOGS")).slice(-1);
    await servers.a.root(`PURGE BINARY LOGS TO '${last?.["Log_name"]}'`);
    const connection = await Connection.connect(endpoint);
    const dump = connection.binlogDump(request(GtidSet.empty), () => undefined);
    await expect(dump).rejects.toMatchObject({ code: "MYSQL_SERVER_ERROR", errno: 1236 });
  });

  test("of the same replica ends the one before", async () => {
    const set = await executed();
    const first = await Connection.connect(endpoint);
    const ended = first.binlogDump(request(set), () => undefined);
    await sleep(200);
    const second = await Connection.connect(endpoint);
    const dump = second.binlogDump(request(set), () => undefined);
    await expect(ended).rejects.toThrow();
    await second.close();
    await dump;
  });
});
