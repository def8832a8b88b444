import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SwitchyardError } from "../../src/base/errors.ts";
import type { Failpoint } from "../../src/base/failpoints.ts";
import { createTables, seeded, TINY, writers } from "../integration/replication/chaos-writers.ts";
import {
  type Ends,
  type OpenedStream,
  openStream,
  settled,
  untilRunning,
} from "../integration/replication/stream-bench.ts";
import { startServers, stopServers } from "../support/servers.ts";

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

async function killStreamSessions(random: () => number): Promise<void> {
  const server = random() < 0.5 ? ends.source : ends.target;
  const rows = await server.root(
    `SELECT processlist_id AS id FROM performance_schema.session_connect_attrs WHERE attr_name LIKE 'switchyard\\_%'`,
  );
  for (const row of rows) if (random() < 0.7) await server.root(`KILL ${row["id"]}`).catch(() => undefined);
}

const POINTS: readonly Failpoint[] = [
  "copy-before-chunk-commit",
  "copy-after-chunk-commit",
  "catch-up-before-commit",
  "catch-up-after-commit",
];

describe("under writers that change keys and swap unique values", () => {
  test("sessions killed at random moments cost nothing and double nothing", async () => {
    const seed = Date.now() % 1_000_000;
    process.stderr.write(`seed ${seed}\n`);
    const random = seeded(seed);
    const tables = await createTables(ends.source, "killed");
    const clients = writers(ends.source, "killed", 3, random);
    opened = await openStream(ends, tables, { migration: "killed", limits: TINY });
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50 + random() * 250));
      await killStreamSessions(random);
    }
    await untilRunning(opened, 120_000);
    await clients.stop();
    const { source, target } = await settled(ends, opened, tables);
    expect(target, `seed ${seed}`).toEqual(source);
    expect(opened.stream.status().drift, `seed ${seed}`).toBe(0);
  }, 180_000);

  test("a stream that fails at any of its named points goes on from there in the next process", async () => {
    const seed = Date.now() % 1_000_000;
    process.stderr.write(`seed ${seed}\n`);
    const random = seeded(seed);
    const tables = await createTables(ends.source, "points");
    const clients = writers(ends.source, "points", 3, random);
    const hit = new Map<Failpoint, number>();
    for (let i = 0; i < 28; i++) {
      const wanted = POINTS[i % POINTS.length];
      const failpoint = async (point: Failpoint): Promise<void> => {
        if (point !== wanted || random() > 0.3) return;
        hit.set(point, (hit.get(point) ?? 0) + 1);
        throw new SwitchyardError("INTERNAL_INVARIANT", { what: `stopped at ${point}` });
      };
      const one = await openStream(ends, tables, { migration: "points", limits: TINY, failpoint });
      // A point of the copy is not met any more once everything is copied.
      const copied = untilRunning(one, 120_000).catch(() => undefined);
      await (wanted?.startsWith("copy") ? Promise.race([one.ended, copied]) : one.ended);
      await one.stream.close();
    }
    opened = await openStream(ends, tables, { migration: "points", limits: TINY });
    await untilRunning(opened, 120_000);
    for (let i = 0; i < 10; i++) {
      await opened.stream.close();
      opened = await openStream(ends, tables, { migration: "points", limits: TINY });
      await new Promise((resolve) => setTimeout(resolve, random() * 150));
    }
    await clients.stop();
    const { source, target } = await settled(ends, opened, tables);
    expect(target, `seed ${seed}`).toEqual(source);
    expect(opened.stream.status().drift, `seed ${seed}`).toBe(0);
    expect([...hit.keys()].sort()).toEqual([...POINTS].sort());
  }, 180_000);
});

test("a copy gives way to its stream before the source purges what is needed, and ends after it", async () => {
  // 1. a snapshot stays open for longer than the source's log allows; 2. the cycle ends there, and the stream goes on from
  // the log; 3. with all of the log's time before it again, the copy goes on from the next snapshot.
  await ends.source.root(`CREATE DATABASE runway; CREATE TABLE runway.t (id INT PRIMARY KEY);
    INSERT INTO runway.t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i FROM n;
    SET GLOBAL binlog_expire_logs_seconds = 100`);
  let snapshots = 0;
  opened = await openStream(ends, ["runway.t"], {
    migration: "runway",
    limits: { chunkRowsMax: 100, copyReaders: 1, cycleLagMaxMs: 200, runwayStopMs: 92_000, runwayEveryMs: 1000 },
    failpoint: async (point) => {
      if (point === "copy-after-snapshot") snapshots += 1;
      if (point !== "copy-after-chunk-commit" || snapshots > 1) return;
      await ends.source.root(
        `DELETE FROM runway.t WHERE id = ${snapshots * 3}; INSERT INTO runway.t SELECT MAX(id) + 1 FROM runway.t`,
      );
      await new Promise((resolve) => setTimeout(resolve, 4500));
    },
  });
  await untilRunning(opened, 120_000);
  const { source, target } = await settled(ends, opened, ["runway.t"]);
  expect(target).toEqual(source);
  expect(snapshots).toBe(2);
  await ends.source.root("SET GLOBAL binlog_expire_logs_seconds = DEFAULT");
}, 180_000);
