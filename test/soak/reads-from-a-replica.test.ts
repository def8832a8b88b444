import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { noFailpoints } from "../../src/base/failpoints.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { parseTableKey } from "../../src/base/table-name.ts";
import type { DiffReport } from "../../src/diff/diff-report.ts";
import { runDiff } from "../../src/diff/run-diff.ts";
import { GtidSet } from "../../src/gtid/gtid-set.ts";
import { Connection } from "../../src/mysql/connection.ts";
import { openLockedSnapshot } from "../../src/mysql/locked-snapshot.ts";
import { SourceReplica } from "../../src/mysql/source-replica.ts";
import {
  checksums,
  executedOn,
  type OpenedStream,
  type OpenOptions,
  openStream,
  settled,
  until,
  untilRunning,
} from "../integration/replication/stream-bench.ts";
import { clientEndpoint, ownEndpoint } from "../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../support/servers.ts";

/** Rows are read from a real replica whose appliers run side by side and keep no order; the log comes from its source. */
let servers: { source: TestServer; replica: TestServer; target: TestServer };
const streams: OpenedStream[] = [];
const opened: Connection[] = [];
let sequence = 0;

beforeAll(async () => {
  const unordered = ["--replica-parallel-workers=4", "--replica-preserve-commit-order=OFF"];
  servers = await startServers(["source", "replica", "target"], { argsOf: { replica: unordered } });
  await servers.source.root("CREATE USER repl IDENTIFIED BY 'r'; GRANT REPLICATION SLAVE ON *.* TO repl");
  await servers.replica.root(`
    CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ${servers.source.port}, SOURCE_USER = 'repl',
      SOURCE_PASSWORD = 'r', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1;
    START REPLICA`);
}, 120_000);
afterEach(async () => {
  for (const one of streams.splice(0)) await one.stream.close();
  for (const one of opened.splice(0)) await one.close();
});
afterAll(() => stopServers(servers));

/** A fresh schema with a table of so many rows and another one, on the source and by replication on the replica. */
async function prepared(rows: number): Promise<{ readonly schema: string; readonly table: string }> {
  const schema = `r${++sequence}`;
  const table = `${schema}.t`;
  await ownEndpoint(servers.source, "serve", [schema]);
  await servers.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${schema}.other (id INT PRIMARY KEY, v INT);
    INSERT INTO ${schema}.other VALUES (1, 1), (2, 2);
    CREATE TABLE ${table} (id INT PRIMARY KEY AUTO_INCREMENT, v INT, w VARCHAR(200) DEFAULT 'some text');
    SET SESSION cte_max_recursion_depth = 1000000;
    INSERT INTO ${table} (id, v) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT i, i FROM n`);
  await replicated();
  return { schema, table };
}

async function replicated(): Promise<void> {
  const executed = (await executedOn(servers.source)).toString();
  await servers.replica.root(`SELECT WAIT_FOR_EXECUTED_GTID_SET('${executed}', 30)`);
}

async function open(table: string, schema: string, options: OpenOptions = {}): Promise<OpenedStream> {
  const endpoint = await replicaEndpoint();
  const one = await openStream(servers, [table], { migration: schema, readFrom: () => endpoint, ...options });
  streams.push(one);
  return one;
}

/** The account came from the source, as an operator's does. */
async function replicaEndpoint(): Promise<ReturnType<TestServer["endpoint"]>> {
  const { user, password } = await ownEndpoint(servers.source, "serve", ["mysql_only"]);
  await replicated();
  return servers.replica.endpoint(user, password);
}

async function sourceReplica(server: TestServer = servers.replica): Promise<SourceReplica> {
  const source = await Connection.connect(await ownEndpoint(servers.source, "serve", ["mysql_only"]));
  await replicated();
  const { user, password } = source.endpoint;
  const replica = await Connection.connect(server.endpoint(user, password));
  opened.push(source, replica);
  return new SourceReplica({ replica, source, clock: systemClock, signal: new AbortController().signal });
}

describe("a copy that reads a replica", () => {
  test("is exact while clients write to the source, and reads no row there", async () => {
    const { schema, table } = await prepared(20_000);
    const client = await clientEndpoint(servers.source, [schema]);
    let writing = true;
    const writers = [1, 2, 3, 4].map(async (number) => {
      const connection = await Connection.connect(client);
      for (let i = 0; writing; i++) {
        const id = ((i * 7919 + number * 104_729) % 20_000) + 1;
        if (i % 3 === 0) await connection.query(`DELETE FROM ${table} WHERE id = ${id}`);
        else if (i % 3 === 1) await connection.query(`INSERT INTO ${table} (v) VALUES (${i})`);
        else await connection.query(`UPDATE ${table} SET v = v + 1, w = 'changed' WHERE id = ${id}`);
      }
      await connection.close();
    });
    const limits = { chunkRowsMax: 500, copyCycleMaxMs: 150 };
    const stream = await open(table, schema, { limits });
    try {
      await untilRunning(stream, 60_000);
    } finally {
      writing = false;
      await Promise.all(writers);
    }
    const { source, target } = await settled(servers, stream, [table]);
    expect(target).toEqual(source);
    expect(stream.stream.status().drift).toBe(0);
    const [snapshots] = await servers.target.root(
      `SELECT COUNT(*) AS n FROM _switchyard.snapshot WHERE migration = '${schema}'`,
    );
    expect(Number(snapshots?.["n"])).toBeGreaterThan(2);
    const reads = (server: TestServer): Promise<unknown[]> =>
      server.root(
        `SELECT DIGEST_TEXT FROM performance_schema.events_statements_summary_by_digest
         WHERE DIGEST_TEXT LIKE 'SELECT%FORCE%INDEX%' AND DIGEST_TEXT LIKE '%\`${schema}\`%'`,
      );
    expect(await reads(servers.source)).toEqual([]);
    expect(await reads(servers.replica)).not.toEqual([]);
  });

  test("waits for one that has stopped, says so where nothing can be done meanwhile, and goes on with it", async () => {
    const { schema, table } = await prepared(100);
    await servers.replica.root("STOP REPLICA SQL_THREAD");
    await servers.source.root(`UPDATE ${table} SET v = 7`);
    const warnings: string[] = [];
    const log = { ...silentLogger, warn: (fields: object) => void warnings.push(JSON.stringify(fields)) };
    const stream = await openStream(servers, [table], {
      ...{ migration: schema, log, limits: { replicaWaitMs: 200 } },
      readFrom: replicaWithoutWaiting,
    });
    streams.push(stream);
    await until("said", stream, () => warnings.some((line) => line.includes("MYSQL_REPLICA_BEHIND")));
    expect(await servers.target.root(`SELECT COUNT(*) AS n FROM ${table}`)).toEqual([{ n: "0" }]);
    await servers.replica.root("START REPLICA SQL_THREAD");
    await untilRunning(stream);
    const { source, target } = await settled(servers, stream, [table]);
    expect(target).toEqual(source);
  });
});

describe("a snapshot of a replica", () => {
  test("whose appliers have left a gap has just the transactions of its position", async () => {
    // 1. somebody locks a row on the replica; 2. the source commits a change of that row, then one of the table; 3. one
    // applier waits, another goes past it.
    const { schema, table } = await prepared(10);
    const locker = await Connection.connect(await clientEndpoint(servers.source, [schema]));
    await locker.close();
    await replicated();
    const holder = await Connection.connect(servers.replica.endpoint("shop_client", "client-secret"));
    opened.push(holder);
    await holder.query("BEGIN");
    await holder.query(`SELECT * FROM ${schema}.other WHERE id = 1 FOR UPDATE`);
    const before = await executedOn(servers.source);
    await servers.source.root(`UPDATE ${schema}.other SET v = 100 WHERE id = 1`);
    const first = (await executedOn(servers.source)).subtract(before);
    await servers.source.root(`UPDATE ${table} SET v = 100 WHERE id = 1`);
    const second = (await executedOn(servers.source)).subtract(before).subtract(first);
    await expect.poll(async () => (await executedOn(servers.replica)).contains(second), { timeout: 10_000 }).toBe(true);
    const snapshot = await openLockedSnapshot({
      endpoint: replicaWithoutWaiting(),
      table: parseTableKey(table),
      connections: 1,
      lockWaitMs: 500,
      attempts: 5,
    });
    const position = GtidSet.parse(snapshot.position);
    expect([position.contains(first), position.contains(second)]).toEqual([false, true]);
    expect(await snapshot.connections[0]?.rows(`SELECT v FROM ${table} WHERE id = 1`)).toEqual([{ v: "100" }]);
    await snapshot.close();
    await holder.query("ROLLBACK");
  });
});

function replicaWithoutWaiting(): ReturnType<TestServer["endpoint"]> {
  return servers.replica.endpoint("switchyard", "own-account-secret");
}

describe("a server that rows cannot be read from", () => {
  test("is refused: the source itself, and one that does not replicate from it", async () => {
    await expect((await sourceReplica(servers.source)).check()).rejects.toThrow(/MYSQL_REPLICA_UNFIT.*itself/);
    await ownEndpoint(servers.target, "serve", ["mysql_only"]);
    await expect((await sourceReplica(servers.target)).check()).rejects.toThrow(
      /MYSQL_REPLICA_UNFIT.*no transaction of it/,
    );
  });

  test.each([
    [
      "a filter",
      "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = (x.y)",
      "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = ()",
    ],
    ["errors passed over", "SET GLOBAL replica_exec_mode = IDEMPOTENT", "SET GLOBAL replica_exec_mode = STRICT"],
  ])("is refused with %s: its set of transactions is complete, and its rows are not", async (_, on, off) => {
    const replica = await sourceReplica();
    await replica.check();
    const around = (sql: string): Promise<unknown> =>
      servers.replica.root(`STOP REPLICA SQL_THREAD; ${sql}; START REPLICA SQL_THREAD`);
    await around(on);
    await expect(replica.check()).rejects.toThrow("MYSQL_REPLICA_UNFIT");
    await around(off);
    await replica.check();
  });
});

describe("a diff that reads a replica", () => {
  async function diff(schema: string, table: string, stream: OpenedStream): Promise<DiffReport> {
    const tables = [parseTableKey(table)];
    return await runDiff({
      migration: schema,
      direction: "forward",
      home: await ownEndpoint(servers.source, "serve", [schema]),
      readHomeFrom: replicaWithoutWaiting(),
      other: await ownEndpoint(servers.target, "serve", [schema]),
      tables,
      stream: {
        closeIntake: () => stream.stream.closeIntake(),
        pauseIntake: () => stream.stream.pauseIntake(),
        stopAt: (position, options) => stream.stream.stopAt(GtidSet.parse(position), options),
        continue: () => stream.stream.continue(),
      },
      signal: new AbortController().signal,
      log: silentLogger,
      clock: systemClock,
      failpoint: noFailpoints,
      limits: { replicaWaitMs: 300, lockRestMs: 50 },
    });
  }

  test("waits for one that is behind the stream, and finds what differs and nothing else", async () => {
    const { schema, table } = await prepared(500);
    const stream = await open(table, schema);
    await untilRunning(stream);
    await servers.replica.root("STOP REPLICA SQL_THREAD");
    await servers.source.root(`UPDATE ${table} SET v = -1 WHERE id <= 100`);
    await stream.stream.waitFor(await executedOn(servers.source), { timeoutMs: 10_000 });
    const comparing = diff(schema, table, stream);
    const waits = new Promise((resolve) => setTimeout(() => resolve("it waits"), 1000));
    expect(await Promise.race([comparing, waits])).toBe("it waits");
    await servers.replica.root("START REPLICA SQL_THREAD");
    expect(await comparing).toMatchObject({ differences: 0, rows: 500 });
    await servers.target.root(`UPDATE ${table} SET v = 12345 WHERE id = 3`);
    expect(await diff(schema, table, stream)).toMatchObject({ differences: 1 });
    await servers.target.root(`UPDATE ${table} SET v = -1 WHERE id = 3`);
    const { source, target } = await checksums(servers, [table]);
    expect(target).toEqual(source);
  });

  test("is refused by a replica that has a transaction of its own", async () => {
    const { schema, table } = await prepared(10);
    const stream = await open(table, schema);
    await untilRunning(stream);
    await servers.replica.root(`INSERT INTO ${schema}.other VALUES (3, 3)`);
    const refused = await diff(schema, table, stream).catch((error: unknown) => String(error));
    expect(refused).toMatch(/MYSQL_REPLICA_UNFIT.*not from it/);
    const uuid = (await servers.replica.root("SELECT @@server_uuid AS u"))[0]?.["u"] ?? "";
    expect(refused).toContain(uuid);
  });
});
