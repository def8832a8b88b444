import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Pace } from "../../../src/base/pace.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { openLockedSnapshot } from "../../../src/mysql/locked-snapshot.ts";
import { closeLedger } from "../../../src/replication/ledger.ts";
import { writeStartPosition } from "../../../src/replication/start-position.ts";
import { FaultyLink } from "../../support/faulty-link.ts";
import { clientEndpoint, ownEndpoint, schemasOf } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import {
  checksums,
  type Ends,
  executedOn,
  type OpenedStream,
  openStream,
  settled,
  until,
  untilRunning,
} from "./stream-bench.ts";

let ends: Ends;
const streams: OpenedStream[] = [];
let sequence = 0;

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
}, 60_000);
afterAll(async () => stopServers(ends as unknown as Record<string, never>));
afterEach(async () => {
  for (const one of streams.splice(0)) await one.stream.close();
});

async function open(...args: Parameters<typeof openStream>): Promise<OpenedStream> {
  const one = await openStream(...args);
  streams.push(one);
  return one;
}

/** Moving and running. */
async function running(): Promise<{ readonly schema: string; readonly table: string; readonly opened: OpenedStream }> {
  const { schema, table } = await tableOf100Rows();
  const opened = await open(ends, [table], { migration: schema });
  await untilRunning(opened);
  return { schema, table, opened };
}

/** A fresh schema with one table. */
async function tableOf100Rows(): Promise<{ readonly schema: string; readonly table: string }> {
  const schema = `c${++sequence}`;
  const table = `${schema}.t`;
  await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${table} (id INT PRIMARY KEY, v INT);
    CREATE TABLE ${schema}.other (id INT PRIMARY KEY, v INT);
    INSERT INTO ${table} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i, i FROM n`);
  return { schema, table };
}

function writer(
  server: TestServer,
  schemas: readonly string[],
  statement: (i: number) => string,
): { stop(): Promise<void> } {
  let writing = true;
  const done = (async () => {
    const connection = await Connection.connect(await clientEndpoint(server, schemas));
    for (let i = 0; writing; i++) await connection.query(statement(i));
    await connection.close();
  })();
  return {
    async stop() {
      writing = false;
      await done;
    },
  };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("an address that leads to several servers", () => {
  test("gives no snapshot: the lock and the position would be of one, and the rows of another", async () => {
    const { schema, table } = await tableOf100Rows();
    await ends.target.root(`CREATE DATABASE ${schema}; CREATE TABLE ${table} (id INT PRIMARY KEY, v INT)`);
    const { user, password } = await ownEndpoint(ends.source, "source-reader", [schema]);
    await ownEndpoint(ends.target, "source-reader", [schema]);
    let dials = 0;
    let servers = [ends.source, ends.source, ends.target];
    const link = await FaultyLink.start(() => (servers[dials++ % servers.length] ?? ends.source).port);
    const endpoint = { ...ends.source.endpoint(user, password), port: link.port };
    const name = { schema, table: "t" };
    const snapshot = { endpoint, table: name, connections: 1, lockWaitMs: 500, attempts: 5 };
    try {
      await expect(openLockedSnapshot(snapshot)).rejects.toThrow("MYSQL_SERVERS_MIXED");
      const serverUuid = (await ends.source.root("SELECT @@server_uuid AS u"))[0]?.["u"] ?? "";
      servers = [ends.target];
      await expect(openLockedSnapshot({ ...snapshot, serverUuid })).rejects.toThrow("MYSQL_SERVERS_MIXED");
      servers = [ends.source];
      await (await openLockedSnapshot({ ...snapshot, serverUuid })).close();
    } finally {
      await link.close();
    }
  });
});

describe("stopping at a position", () => {
  test("shows on the target exactly what a snapshot of the source shows, while clients write on", async () => {
    const { table, opened } = await running();
    const clients = writer(
      ends.source,
      schemasOf([table]),
      (i) => `UPDATE ${table} SET v = v + 1 WHERE id = ${(i % 100) + 1}`,
    );
    for (let round = 0; round < 10; round++) {
      await wait(50);
      await opened.stream.pauseIntake();
      const snapshot = await openLockedSnapshot({
        endpoint: await ownEndpoint(ends.source, "source-reader", schemasOf([table])),
        table: { schema: table.split(".")[0] ?? "", table: "t" },
        connections: 1,
        lockWaitMs: 500,
        attempts: 5,
      });
      const sql = `SELECT COUNT(*) AS n, SUM(v) AS v, BIT_XOR(CRC32(CONCAT(id, '-', v))) AS x FROM ${table}`;
      const there = await snapshot.connections[0]?.rows(sql);
      await opened.stream.stopAt(GtidSet.parse(snapshot.position), { timeoutMs: 10_000 });
      expect(opened.stream.status().state).toBe("stopped-at");
      expect(await ends.target.root(sql)).toEqual(there);
      await wait(30);
      expect(await ends.target.root(sql), "it stays there").toEqual(there);
      await snapshot.close();
      opened.stream.continue();
    }
    await clients.stop();
    const { source, target } = await settled(ends, opened, [table]);
    expect(target).toEqual(source);
  });

  test("is refused when the target already has more, and says so", async () => {
    const { table, opened } = await running();
    const position = await executedOn(ends.source);
    await ends.source.root(`UPDATE ${table} SET v = 7 WHERE id = 1`);
    await opened.stream.waitFor(await executedOn(ends.source), { timeoutMs: 5000 });
    await expect(opened.stream.stopAt(position, { timeoutMs: 1000 })).rejects.toThrow("STREAM_POSITION_PASSED");
    await ends.source.root(`UPDATE ${table} SET v = 8 WHERE id = 1`);
    await opened.stream.waitFor(await executedOn(ends.source), { timeoutMs: 5000 });
  });

  test("goes past transactions outside of it that concern other tables, which may come first in the log", async () => {
    const { schema, table, opened } = await running();
    await opened.stream.pauseIntake();
    const before = await executedOn(ends.source);
    await ends.source.root(`INSERT INTO ${schema}.other VALUES (1, 1)`);
    const other = (await executedOn(ends.source)).subtract(before);
    await ends.source.root(`UPDATE ${table} SET v = 70 WHERE id = 1`);
    const position = (await executedOn(ends.source)).subtract(other);
    await opened.stream.stopAt(position, { timeoutMs: 5000 });
    expect(await ends.target.root(`SELECT v FROM ${table} WHERE id = 1`)).toEqual([{ v: "70" }]);
  });

  test("ends with a timeout when the position does not come, and the stream can go on", async () => {
    const { table, opened } = await running();
    const uuid = (await executedOn(ends.source)).toString().split(":")[0];
    const future = (await executedOn(ends.source)).union(GtidSet.parse(`${uuid}:900000000`));
    await expect(opened.stream.stopAt(future, { timeoutMs: 200 })).rejects.toThrow("TIMEOUT");
    await expect(opened.stream.waitFor(future, { timeoutMs: 200 })).rejects.toThrow("TIMEOUT");
    opened.stream.continue();
    await ends.source.root(`DELETE FROM ${table} WHERE id = 1`);
    const { source, target } = await settled(ends, opened, [table]);
    expect(target).toEqual(source);
  });
});

describe("a paused stream", () => {
  test("applies nothing until it is resumed, and shows its lag grow", async () => {
    const { table, opened } = await running();
    opened.stream.pause();
    await ends.source.root(`UPDATE ${table} SET v = -1`);
    await wait(800);
    expect(opened.stream.status().state).toBe("paused");
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table} WHERE v = -1`)).toEqual([{ n: "0" }]);
    expect(opened.stream.status().lagMs).toBeGreaterThan(500);
    opened.stream.resume();
    const { source, target } = await settled(ends, opened, [table]);
    expect(target).toEqual(source);
  });
});

describe("a target that takes no writes", () => {
  test("is tried until it does, and what it says is shown for as long", async () => {
    const { table, opened } = await running();
    const retrying = (): string => opened.stream.status().retrying ?? "";
    expect(retrying()).toBe("");
    try {
      await ends.target.root("SET GLOBAL super_read_only = ON");
      await ends.source.root(`UPDATE ${table} SET v = -1`);
      await until("told", opened, () => retrying().includes("read-only"));
      expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table} WHERE v = -1`)).toEqual([{ n: "0" }]);
    } finally {
      await ends.target.root("SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF");
    }
    const { source, target } = await settled(ends, opened, [table]);
    expect(target).toEqual(source);
    await until("no longer told", opened, () => retrying() === "");
  });
});

describe("a copy that must wait", () => {
  test("gives its snapshot up, has changes applied meanwhile, and goes on behind what it has copied", async () => {
    // 1. servers are busy: the copy stops in the middle; 2. a row that is copied changes, and so does one that is not;
    // 3. the first arrives all the same; 4. they are quiet: a new snapshot holds the second.
    const { schema, table } = await tableOf100Rows();
    const work = { chunks: 0, quiet: true };
    const pace: Pace = {
      open: () => ({
        get mayOpenSnapshot() {
          return work.quiet;
        },
        get shouldCloseSnapshot() {
          return !work.quiet;
        },
        whenMayOpen: () => Promise.resolve(work.quiet),
        worker: () => ({
          rest: () => {
            if (++work.chunks === 3) work.quiet = false;
          },
        }),
        close: () => undefined,
      }),
    };
    const limits = { chunkRowsMax: 10, copyReaders: 1 };
    const opened = await open(ends, [table], { migration: schema, limits, pace });
    await until("stopped in the middle", opened, () => !work.quiet && opened.stream.status().state === "catching-up");
    const { rowsCopied } = opened.stream.status();
    expect(rowsCopied).toBeGreaterThan(0);
    expect(rowsCopied).toBeLessThan(100);
    await ends.source.root(`UPDATE ${table} SET v = 777 WHERE id = 1; UPDATE ${table} SET v = 778 WHERE id = 100`);
    await opened.stream.waitFor(await executedOn(ends.source), { timeoutMs: 5000 });
    const shown = (id: number): Promise<unknown> => ends.target.root(`SELECT v FROM ${table} WHERE id = ${id}`);
    expect(await shown(1)).toEqual([{ v: "777" }]);
    expect(await shown(100)).toEqual([]);
    expect(opened.stream.status()).toMatchObject({ copied: false, rowsCopied });
    work.quiet = true;
    await untilRunning(opened);
    expect(await shown(100)).toEqual([{ v: "778" }]);
    const { source, target } = await settled(ends, opened, [table]);
    expect(target).toEqual(source);
  });
});

describe("a stream that has ended", () => {
  test("applies nothing any more, and its successor goes on from the ledger", async () => {
    const { table, schema, opened } = await running();
    await opened.stream.close();
    expect(await opened.ended).toBeUndefined();
    expect(opened.stream.status().state).toBe("closed");
    await ends.source.root(`UPDATE ${table} SET v = -2`);
    await wait(300);
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table} WHERE v = -2`)).toEqual([{ n: "0" }]);
    const next = await open(ends, [table], { migration: schema });
    await untilRunning(next);
    expect((await settled(ends, next, [table])).target).toEqual((await checksums(ends, [table])).source);
    expect(next.stream.status().rowsCopied).toBe(100);
  });

  test("was replaced by a newer one: it commits nothing more and does not fight back", async () => {
    const { table, schema, opened } = await running();
    const next = await open(ends, [table], { migration: schema });
    await untilRunning(next);
    expect(String(await opened.ended)).toContain("REPLICATION_LEDGER_TAKEN");
    expect(opened.stream.status().state).toBe("failed");
    await ends.source.root(`UPDATE ${table} SET v = -3`);
    expect((await settled(ends, next, [table])).target).toEqual((await checksums(ends, [table])).source);
  });

  test("whose ledger was closed commits nothing more, however much there is to apply", async () => {
    const { table, schema, opened } = await running();
    const connection = await Connection.connect(await ownEndpoint(ends.target, "target-writer", []));
    await closeLedger(connection, schema, "forward");
    await connection.close();
    await ends.source.root(`UPDATE ${table} SET v = -4`);
    expect(String(await opened.ended)).toContain("REPLICATION_LEDGER_TAKEN");
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table} WHERE v = -4`)).toEqual([{ n: "0" }]);
  });
});

describe("switched and rolled back again and again", () => {
  test("each direction begins at the position of its own attempt, and no row goes round in circles", async () => {
    const { schema, table, opened } = await running();
    const reversed: Ends = { source: ends.target, target: ends.source };
    let current: OpenedStream = opened;
    let direction: "forward" | "reverse" = "forward";
    for (let round = 1; round <= 4; round++) {
      const [from, to] = direction === "forward" ? [ends.source, ends.target] : [ends.target, ends.source];
      await from.root(
        `UPDATE ${table} SET v = v + ${round} WHERE id <= 50; INSERT INTO ${table} VALUES (${1000 + round}, ${round})`,
      );
      // The steps of a switch: stop at the old home's position, close the direction, note where the way back begins.
      await current.stream.stopAt(await executedOn(from), { timeoutMs: 5000 });
      await current.stream.close();
      const [onOld, onNew] = await Promise.all(
        [from, to].map(async (server) => Connection.connect(await ownEndpoint(server, "target-writer", []))),
      );
      if (onOld === undefined || onNew === undefined) throw new Error("no connection");
      await closeLedger(onNew, schema, direction);
      direction = direction === "forward" ? "reverse" : "forward";
      await writeStartPosition(onOld, schema, direction, `stale${round}`, GtidSet.empty);
      await writeStartPosition(onOld, schema, direction, `token${round}`, await executedOn(to));
      await Promise.all([onOld.close(), onNew.close()]);
      // The way back begins only after clients have written to the new home.
      await to.root(
        `UPDATE ${table} SET v = -v WHERE id % 3 = ${round % 3}; DELETE FROM ${table} WHERE id = ${1000 + round - 1}`,
      );
      current = await open(direction === "forward" ? ends : reversed, [table], {
        migration: schema,
        direction,
        startToken: `token${round}`,
      });
      await untilRunning(current);
      expect((await settled(direction === "forward" ? ends : reversed, current, [table])).target).toEqual(
        (await checksums(direction === "forward" ? ends : reversed, [table])).source,
      );
      expect(current.stream.status().rowsCopied).toBe(0);
      expect(current.stream.status().drift).toBe(0);
    }
    const applied = current.stream.status().appliedTransactions;
    await wait(500);
    expect(current.stream.status().appliedTransactions).toBe(applied);
    // What the first stream wrote to the target is ours: a reverse stream that meets it must not send it back.
    const from = await executedOn(ends.source);
    await ends.source.root(`UPDATE ${table} SET v = v + 1000`);
    await until("applied", current, () => current.stream.status().executed !== from.toString());
    await current.stream.close();
    const other = await open(reversed, [table], { migration: `${schema}x`, direction: "reverse", startToken: "all" });
    expect(String(await other.ended)).toContain("REPLICATION_START_MISSING");
  });

  /** The last is what somebody does past the proxies to the old home as soon as a switch has unlocked it. */
  test("a reverse stream passes over what the forward stream has written, and reads rows as tables were at its start, whoever has altered them since on the side that it writes to", async () => {
    const { schema, table, opened } = await running();
    const start = await executedOn(ends.target);
    await ends.source.root(
      `UPDATE ${table} SET v = v + 1; DELETE FROM ${table} WHERE id > 90; INSERT INTO ${table} VALUES (200, 1)`,
    );
    await settled(ends, opened, [table]);
    const onSource = await Connection.connect(await ownEndpoint(ends.source, "target-writer", []));
    await writeStartPosition(onSource, schema, "reverse", "t", start);
    await onSource.close();
    await opened.stream.close();
    await ends.source.root(`ALTER TABLE ${table} ADD COLUMN late INT FIRST`);
    const back = await open({ source: ends.target, target: ends.source }, [table], {
      migration: schema,
      direction: "reverse",
      startToken: "t",
    });
    await untilRunning(back);
    await ends.target.root(`UPDATE ${table} SET v = 5 WHERE id = 200`);
    await settled({ source: ends.target, target: ends.source }, back, [table]);
    expect(back.stream.status().appliedTransactions).toBe(1);
    expect(back.stream.status().drift).toBe(0);
    await ends.source.root(`ALTER TABLE ${table} DROP COLUMN late`);
    const { source, target } = await checksums(ends, [table]);
    expect(target).toEqual(source);
  });
});
