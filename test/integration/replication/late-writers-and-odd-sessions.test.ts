import mysql from "mysql2/promise";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { replicaProbe, sourceProbe, targetProbe } from "../../../src/controller/throttle-probes.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { claimLedger, closeLedger, ledgerUpdate } from "../../../src/replication/ledger.ts";
import { ensureSidecar } from "../../../src/replication/sidecar-format.ts";
import { PulseLog } from "../../../src/throttle/pulse-log.ts";
import { Readings, verdictOf } from "../../../src/throttle/signals.ts";
import { SIGNAL_AGE_MAX_MS } from "../../../src/throttle/throttle.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers } from "../../support/servers.ts";
import { type Ends, type OpenedStream, openStream, settled, untilRunning } from "./stream-bench.ts";

let ends: Ends;
let opened: OpenedStream | undefined;

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
}, 60_000);
afterAll(async () => stopServers(ends as unknown as Record<string, never>));
afterEach(async () => {
  await opened?.stream.close();
  opened = undefined;
});

const onTarget = async (): Promise<Connection> =>
  Connection.connect(await ownEndpoint(ends.target, "target-writer", []), { foundRows: true, multiStatements: true });

describe("a commit of a former process that is still under way", () => {
  test("is waited for by a claim, and what it applied is not applied again", async () => {
    // 1. A dead applier's COMMIT has reached the server and is not done; it cannot be told by its name and ended.
    // 2. A claim that reads without locks sees nothing of it, and begins before it.
    const control = await onTarget();
    await ensureSidecar(control);
    const claim = await claimLedger(control, "late", "forward");
    const applier = await onTarget();
    const applied = GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7");
    await applier.query("START TRANSACTION");
    await applier.query(ledgerUpdate(claim, applied.toString(), undefined));
    const next = claimLedger(control, "late", "forward");
    await new Promise((resolve) => setTimeout(resolve, 150));
    await applier.query("COMMIT");
    expect((await next).executed.toString()).toBe(applied.toString());
    await Promise.all([control.close(), applier.close()]);
  });
});

describe("a copier whose stream was shut out", () => {
  test("loads not one row more", async () => {
    await ends.source.root(`CREATE DATABASE shut; CREATE TABLE shut.t (id INT PRIMARY KEY, v INT);
      INSERT INTO shut.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 95) SELECT i, i FROM n`);
    const control = await onTarget();
    opened = await openStream(ends, ["shut.t"], {
      migration: "shut",
      limits: { chunkRowsMax: 10, copyReaders: 1 },
      failpoint: async (point) => {
        if (point === "copy-after-chunk-commit") await closeLedger(control, "shut", "forward");
      },
    });
    expect(String(await opened.ended)).toContain("REPLICATION_LEDGER_TAKEN");
    expect(await ends.target.root("SELECT COUNT(*) AS n FROM shut.t")).toEqual([{ n: "10" }]);
    await control.close();
  });
});

describe("values that a server would change by itself", () => {
  test("zero in an AUTO_INCREMENT column stays zero, copied and followed", async () => {
    await ends.source.root(`CREATE DATABASE zero; SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
      CREATE TABLE zero.copied (id INT AUTO_INCREMENT PRIMARY KEY, v INT); CREATE TABLE zero.logged LIKE zero.copied;
      INSERT INTO zero.copied VALUES (0, 1), (5, 5)`);
    const tables = ["zero.copied", "zero.logged"];
    opened = await openStream(ends, tables, { migration: "zero" });
    await untilRunning(opened);
    await ends.source.root("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO zero.logged VALUES (0, 1)");
    const { source, target } = await settled(ends, opened, tables);
    expect(target).toEqual(source);
  });

  test("moments stay what they are between servers of different time zones, at the change of the clock too", async () => {
    await ends.source.root(`CREATE DATABASE zones; SET SESSION time_zone = '+00:00';
      CREATE TABLE zones.copied (at TIMESTAMP(6) PRIMARY KEY, v INT); CREATE TABLE zones.logged LIKE zones.copied;
      INSERT INTO zones.copied VALUES ('2024-10-27 00:30:00.000001', 1), ('2024-10-27 01:30:00.000001', 2)`);
    await ends.source.root("SET GLOBAL time_zone = '-03:00'");
    await ends.target.root("SET GLOBAL time_zone = '+05:30'");
    const tables = ["zones.copied", "zones.logged"];
    opened = await openStream(ends, tables, { migration: "zones", limits: { chunkRowsMax: 1 } });
    await untilRunning(opened);
    await ends.source.root(`INSERT INTO zones.logged SELECT * FROM zones.copied; UPDATE zones.copied SET v = v + 10`);
    const { source, target } = await settled(ends, opened, tables);
    expect(target).toEqual(source);
    for (const server of [ends.source, ends.target]) await server.root("SET GLOBAL time_zone = DEFAULT");
  });
});

describe("servers whose sessions begin otherwise", () => {
  // Modes that refuse, read or pad what the source has taken, and collations that would decide where nothing is said.
  const TARGET = `SET GLOBAL sql_mode = 'ANSI,TRADITIONAL,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH';
    SET GLOBAL character_set_server = latin1; SET GLOBAL collation_server = latin1_bin;
    SET GLOBAL default_collation_for_utf8mb4 = utf8mb4_general_ci`;
  const BACK = `SET GLOBAL sql_mode = DEFAULT; SET GLOBAL character_set_server = DEFAULT;
    SET GLOBAL collation_server = DEFAULT; SET GLOBAL default_collation_for_utf8mb4 = DEFAULT`;

  test("rows and definitions stay what they are between servers of different sql_mode and default collations", async () => {
    const rows = `(1, 'a', 'it''s \\\\ "q" || x', '0000-00-00', 255), (2, 'b ', 'É', '2024-02-00', 0)`;
    await ends.source.root(`CREATE DATABASE modes; SET SESSION sql_mode = '';
      CREATE TABLE modes.copied (id INT PRIMARY KEY, c CHAR(5), t VARCHAR(40), d DATE, n TINYINT UNSIGNED, UNIQUE KEY (t));
      CREATE TABLE modes.logged LIKE modes.copied; INSERT INTO modes.copied VALUES ${rows}`);
    await ends.source.root("SET GLOBAL sql_mode = ''");
    try {
      await ends.target.root(TARGET);
      const tables = ["modes.copied", "modes.logged"];
      opened = await openStream(ends, tables, { migration: "modes" });
      await untilRunning(opened);
      await ends.source.root(`SET SESSION sql_mode = ''; INSERT INTO modes.logged VALUES ${rows};
        UPDATE modes.copied SET n = n - 1, c = CONCAT(c, 'x') WHERE id = 1`);
      const { source, target } = await settled(ends, opened, tables);
      expect(target).toEqual(source);
      const columns = `SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME FROM information_schema.COLUMNS
        WHERE TABLE_SCHEMA = 'modes' ORDER BY TABLE_NAME, ORDINAL_POSITION`;
      const collated = await ends.source.root(columns);
      expect(collated.filter((row) => row["COLLATION_NAME"] === "utf8mb4_0900_ai_ci")).toHaveLength(4);
      expect(await ends.target.root(columns)).toEqual(collated);
    } finally {
      await Promise.all([ends.target.root(BACK), ends.source.root("SET GLOBAL sql_mode = DEFAULT")]);
    }
  });
});

describe("what the throttle reads of a server", () => {
  const probeOf = async (server: "source" | "target", log = new PulseLog()) => {
    const endpoint = await ownEndpoint(ends[server], server === "source" ? "fence" : "target-writer", []);
    const connection = await Connection.connect(await ownEndpoint(ends[server], "target-writer", []));
    await ensureSidecar(connection);
    await connection.close();
    return {
      ...{ endpoint, migration: "busy", clock: systemClock, history: () => true },
      pulse: { direction: "forward" as const, log },
      pulses: () => server === "target",
    };
  };
  const session = (server: "source" | "target"): Promise<Connection> =>
    ownEndpoint(ends[server], "target-writer", []).then((endpoint) => Connection.connect(endpoint));

  test("is how many threads run there, and how long its history list is, by the server's own report", async () => {
    const probe = sourceProbe(await probeOf("source"));
    const clients = await Promise.all([session("source"), session("source"), session("source")]);
    const sleeping = clients.map((client) => client.query("DO SLEEP(20)").catch(() => undefined));
    await expect
      .poll(async () => (await probe.read())["source-threads"], { timeout: 10_000 })
      .toBeGreaterThanOrEqual(4);
    for (const client of clients) client.destroy();
    await Promise.all(sleeping);
    await ends.source.root(
      "CREATE DATABASE busy; CREATE TABLE busy.t (id INT PRIMARY KEY, v INT); INSERT INTO busy.t VALUES (1, 0)",
    );
    const snapshot = mysql.createConnection({ socketPath: ends.source.socket, user: ends.source.rootUser });
    await (await snapshot).query("START TRANSACTION WITH CONSISTENT SNAPSHOT");
    await ends.source.root(Array.from({ length: 60 }, () => "UPDATE busy.t SET v = v + 1").join("; "));
    const { "source-history": history = 0 } = await probe.read();
    const [status] = await ends.source.root("SHOW ENGINE INNODB STATUS");
    const reported = Number(/History list length (\d+)/.exec(Object.values(status ?? {}).join("\n"))?.[1]);
    (await snapshot).destroy();
    expect(history).toBeGreaterThanOrEqual(60);
    expect(Math.abs(history - reported)).toBeLessThan(20);
    await probe.close();
  });

  test("is how long a commit takes, which a server that holds it up lengthens", async () => {
    const probe = targetProbe(await probeOf("target"));
    await probe.read();
    const holder = await session("target");
    await holder.query("START TRANSACTION");
    await holder.query("SELECT beat FROM _switchyard.heartbeat WHERE migration = 'busy' FOR UPDATE");
    const reading = probe.read();
    await new Promise((resolve) => setTimeout(resolve, 300));
    await holder.query("COMMIT");
    expect((await reading)["target-commit"]).toBeGreaterThan(100);
    await Promise.all([probe.close(), holder.close()]);
  });

  test("is the age of the oldest row that a replica lacks, and nothing where it has none of them", async () => {
    const log = new PulseLog();
    const options = await probeOf("target", log);
    const replicas = () => [{ name: "r1", endpoint: () => options.endpoint }];
    const logs = { forward: log, reverse: new PulseLog() };
    const probe = replicaProbe({ migration: "busy", clock: systemClock, replicas, logs });
    const at = systemClock.monotonicMs();
    for (const [number, age] of [
      [11, 9000],
      [12, 7000],
      [13, 2000],
    ] as const)
      log.sent(number, at - age);
    const replicated = (beat: number): Promise<unknown> =>
      ends.target.root(
        `REPLACE INTO _switchyard.heartbeat (migration, direction, beat) VALUES ('busy', 'forward', ${beat})`,
      );
    await replicated(11);
    expect((await probe.read())["replica-lag"]).toBeGreaterThanOrEqual(7000);
    await replicated(13);
    expect((await probe.read())["replica-lag"]).toBe(0);
    await replicated(99);
    await expect(probe.read()).rejects.toThrow(/THROTTLE_SIGNAL_MISSING: replica "r1" has none/);
    await probe.close();
  });

  test("fails where its connection is cut, is read anew on another, and counts as unknown once it is stale", async () => {
    const probe = sourceProbe(await probeOf("source"));
    const readings = new Readings();
    const now = (ms: number) => readings.view({ "source-threads": 50 }, { ms, ageMaxMs: SIGNAL_AGE_MAX_MS });
    readings.add("source-threads", (await probe.read())["source-threads"] ?? 99, 0);
    const [row] = await ends.source.root(
      "SELECT PROCESSLIST_ID AS id FROM performance_schema.session_connect_attrs WHERE ATTR_VALUE = 'throttle' ORDER BY 1 DESC LIMIT 1",
    );
    await ends.source.root(`KILL ${row?.["id"]}`);
    await expect(probe.read()).rejects.toThrow(/MYSQL_CONNECTION_LOST/);
    readings.fail("source-threads", "the connection was lost");
    expect(verdictOf(now(SIGNAL_AGE_MAX_MS), "pace")).toBe("clear");
    expect(verdictOf(now(SIGNAL_AGE_MAX_MS + 1), "pace"), "closed, not open").toBe("unknown");
    expect((await probe.read())["source-threads"]).toBeGreaterThan(0);
    await probe.close();
  });
});

describe("foreign keys that the source's client has turned off", () => {
  test("do not make the target remove children, nor refuse them", async () => {
    // With its checks on, the target would cascade: rows that the source has kept would be gone, and nobody told.
    await ends.source.root(`CREATE DATABASE fk; CREATE TABLE fk.p (id INT PRIMARY KEY);
      CREATE TABLE fk.c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES fk.p (id) ON DELETE CASCADE);
      INSERT INTO fk.p VALUES (1), (2); INSERT INTO fk.c VALUES (1, 1), (2, 2)`);
    opened = await openStream(ends, ["fk.p", "fk.c"], { migration: "fk" });
    await untilRunning(opened);
    await ends.source.root(
      "SET SESSION foreign_key_checks = 0; DELETE FROM fk.p WHERE id = 1; INSERT INTO fk.c VALUES (3, 77)",
    );
    const { source, target } = await settled(ends, opened, ["fk.p", "fk.c"]);
    expect(target).toEqual(source);
    expect(await ends.target.root("SELECT COUNT(*) AS n FROM fk.c")).toEqual([{ n: "3" }]);
  });
});
