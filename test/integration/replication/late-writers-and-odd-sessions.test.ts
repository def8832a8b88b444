import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { claimLedger, closeLedger, ledgerUpdate } from "../../../src/replication/ledger.ts";
import { ensureSidecar } from "../../../src/replication/sidecar-format.ts";
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
