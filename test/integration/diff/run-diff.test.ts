import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { noFailpoints } from "../../../src/base/failpoints.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { parseTableKey } from "../../../src/base/table-name.ts";
import { planComparison } from "../../../src/diff/comparison-plan.ts";
import type { KeptTable } from "../../../src/diff/diff-keeper.ts";
import type { DiffOptions } from "../../../src/diff/diff-options.ts";
import type { DiffProgress, DiffReport } from "../../../src/diff/diff-report.ts";
import { DifferenceFiles } from "../../../src/diff/difference-files.ts";
import { StreamedRows } from "../../../src/diff/row-source.ts";
import { runDiff } from "../../../src/diff/run-diff.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { readTableShape } from "../../../src/mysql/read-table-shape.ts";
import { TextRow } from "../../../src/wire/text-row.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { rowsChangedSince } from "./changed-rows.ts";
import { BITS, EVERY_TYPE, EVERY_VALUE, KEYS, MemoryKeeper } from "./diff-tables.ts";
import { diffsGivenUp } from "./given-up.ts";
import { readersRest } from "./readers-rest.ts";
import { ReplicaStream } from "./replica-stream.ts";

/**
 * The other side is a native replica of the home: a stream that is not ours, which can be stopped exactly after a set
 * of transactions. Differences are made on it beside its own history.
 */
let servers: { home: TestServer; other: TestServer };
let tables: string[];

beforeAll(async () => {
  servers = await startServers(["home", "other"]);
  await servers.home.root(`
    CREATE USER repl IDENTIFIED BY 'r'; GRANT REPLICATION SLAVE ON *.* TO repl;
    CREATE USER app IDENTIFIED BY 'a'; GRANT ALL ON t.* TO app`);
  await servers.other.root(`
    CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = ${servers.home.port}, SOURCE_USER = 'repl',
      SOURCE_PASSWORD = 'r', SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1;
    START REPLICA`);
});
afterAll(() => stopServers(servers));

beforeEach(async () => {
  await servers.home.root("DROP DATABASE IF EXISTS t; CREATE DATABASE t");
  tables = [];
});

/** Makes a table with rows on the home; the other side gets it by replication. */
async function make(name: string, columns: string, ...inserts: string[]): Promise<void> {
  tables.push(`t.${name}`);
  await servers.home.root(
    `CREATE TABLE t.${name} (${columns}); ${inserts.map((rows) => `INSERT INTO t.${name} ${rows}`).join(";")}`,
  );
}

/** Changes the other side alone, once it has all that the home has. */
async function changeOther(sql: string): Promise<void> {
  await caughtUp();
  await servers.other.root(`SET SESSION sql_log_bin = 0; SET SESSION sql_mode = ''; ${sql}`);
}

async function caughtUp(): Promise<void> {
  const [row] = await servers.home.root("SELECT @@global.gtid_executed g");
  const [waited] = await servers.other.root(`SELECT WAIT_FOR_EXECUTED_GTID_SET('${row?.["g"]}', 30) w`);
  expect(waited).toEqual({ w: "0" });
}

const stream = new ReplicaStream(() => servers.other);

async function diffOptions(): Promise<DiffOptions> {
  const home = await ownEndpoint(servers.home, "serve", ["t"]);
  await caughtUp();
  return {
    migration: "m",
    direction: "forward",
    home,
    other: { ...home, name: "other", port: servers.other.port },
    tables: tables.map(parseTableKey),
    stream,
    signal: new AbortController().signal,
    log: silentLogger,
    clock: systemClock,
    failpoint: noFailpoints,
  };
}

async function diff(options: Partial<DiffOptions> = {}): Promise<DiffReport> {
  try {
    return await runDiff({ ...(await diffOptions()), ...options });
  } finally {
    await stream.continued;
  }
}

const pair = { servers: () => servers, make, caughtUp, diff, diffOptions, stream };
rowsChangedSince(pair);
diffsGivenUp(pair);
readersRest(pair);

describe("two equal sides", () => {
  test("of every type have no difference, and every row of every table is counted", async () => {
    await make("every", EVERY_TYPE, EVERY_VALUE);
    await make(
      "composite",
      "a VARCHAR(20), b INT, c DATETIME, v INT, PRIMARY KEY (a, b, c)",
      "VALUES ('x', 1, '2024-01-01', 1), ('X', 2, '2024-01-01', 2), ('é', -5, '1999-01-01', 3)",
    );
    await make("nothing", "id INT PRIMARY KEY");
    const progress: DiffProgress[] = [];
    const report = await diff({ onProgress: (now) => progress.push(now) });
    expect(report).toMatchObject({ differences: 0, rows: 6, samples: [] });
    expect(report.tables.map(({ table, rows, differences }) => [table, rows, differences])).toEqual([
      ["t.every", 3, 0],
      ["t.composite", 3, 0],
      ["t.nothing", 0, 0],
    ]);
    const [row] = await servers.home.root("SELECT @@global.gtid_executed g");
    expect(report.verifiedAt).toBe(row?.["g"]?.replaceAll("\n", ""));
    expect(progress.at(-1)).toMatchObject({ step: "comparing", rowsCompared: 6, rowsEstimated: 6 });
    expect(progress[0]?.step).toBe("waiting for the stream");
  });
});

describe("one difference", () => {
  test.each(BITS)("in %s is found, with both rows", async (what, change, column, source, target) => {
    if (what === "a padded byte") change = "bi = X'00FF00000001'";
    await make("every", EVERY_TYPE, EVERY_VALUE);
    await changeOther(`UPDATE t.every SET ${change} WHERE id = 1`);
    const report = await diff();
    expect(report).toMatchObject({ differences: 1, rows: 3 });
    const [sample] = report.samples;
    expect(sample).toMatchObject({ table: "t.every", key: "id=1", kind: "different" });
    // A generated column follows the one that it is computed from.
    const columns = sample?.columns?.map((one) => one.column).filter((name) => name !== "gs");
    expect(columns).toEqual([column]);
    if (column === "p") {
      expect(sample?.source?.["p"]).toMatch(new RegExp(`^${source}`));
      expect(sample?.target?.["p"]).toMatch(new RegExp(`^${target}`));
    } else if (column === "bi") {
      expect([sample?.source?.["bi"], sample?.target?.["bi"]]).toEqual(["0x00FF00000000", "0x00FF00000001"]);
    } else expect([sample?.source?.[column], sample?.target?.[column]]).toEqual([source, target]);
  });

  test("between an empty ENUM member and the number 0, and between NULL and the empty text", async () => {
    await make("every", EVERY_TYPE, EVERY_VALUE);
    await changeOther(
      "UPDATE t.every SET e = 0 WHERE id = 18446744073709551615; UPDATE t.every SET vc = '' WHERE id = 2",
    );
    const report = await diff();
    expect(report.samples.map((sample) => [sample.key, sample.source?.["vc"], sample.target?.["vc"]])).toEqual([
      ["id=2", null, ""],
      ["id=18446744073709551615", "", ""],
    ]);
  });

  test("behind what is shown of a long value is told by its column and byte", async () => {
    await make("long", "id INT PRIMARY KEY, a TEXT, b TEXT, c INT", "VALUES (1, REPEAT('x', 5000), 'same', NULL)");
    await changeOther("UPDATE t.long SET a = INSERT(a, 4001, 1, 'y'), c = 0");
    const [sample] = (await diff()).samples;
    expect(sample?.source?.["a"]).toBe(sample?.target?.["a"]);
    expect(sample?.columns).toEqual([
      { column: "a", atByte: 4000 },
      { column: "c", atByte: 0 },
    ]);
  });

  test("at the very end of a long key is one of definitions, apart from rows", async () => {
    const names = Array.from({ length: 16 }, (_, index) => `${String(index).padStart(2, "0")}${"k".repeat(62)}`);
    const columns = names.map((name) => `\`${name}\``);
    await make(
      "wide",
      `id INT PRIMARY KEY, ${columns.map((name) => `${name} INT`).join()}, KEY w (${columns.join()})`,
      "(id) VALUES (1)",
    );
    expect((await diff()).schema).toEqual([]);
    await changeOther(`ALTER TABLE t.wide DROP KEY w, ADD KEY w (${columns.join()} DESC)`);
    expect(await diff()).toMatchObject({ differences: 0, schema: [{ table: "t.wide", what: "key w" }] });
  });

  test("between counters is one of definitions where a side would give values again, not where it is ahead", async () => {
    await make("n", "id INT AUTO_INCREMENT PRIMARY KEY, v INT", "(v) VALUES (1), (2), (3)");
    await changeOther("ALTER TABLE t.n AUTO_INCREMENT = 5000");
    expect(await diff()).toMatchObject({ differences: 0, schema: [] });
    await servers.home.root("INSERT INTO t.n VALUES (9000, 0)");
    await changeOther("DELETE FROM t.n WHERE id = 9000; ALTER TABLE t.n AUTO_INCREMENT = 1");
    expect(await diff()).toMatchObject({
      differences: 1,
      schema: [{ what: "counter", source: { next: "9001", largest: "9000" }, target: { next: "4", largest: "3" } }],
    });
  });

  test("between a JSON date and the text of it", async () => {
    await make("json", "id INT PRIMARY KEY, j JSON", "VALUES (1, CAST(CAST('2024-01-01' AS DATE) AS JSON))");
    await changeOther(`UPDATE t.json SET j = '"2024-01-01"'`);
    expect(await diff()).toMatchObject({ differences: 1, samples: [{ columns: [{ column: "j" }] }] });
  });

  test("in a generated column, whose expression differs", async () => {
    await make("gen", "id INT PRIMARY KEY, v INT, g INT AS (v + 1) VIRTUAL", "(id, v) VALUES (1, 1)");
    await changeOther("ALTER TABLE t.gen MODIFY g INT AS (v + 2) VIRTUAL");
    expect((await diff()).samples[0]).toMatchObject({ source: { g: "2" }, target: { g: "3" } });
  });

  test("of a missing row and of an extra row is told by the sides of the migration, also when it runs in reverse", async () => {
    await make("n", "id INT PRIMARY KEY, v INT", "VALUES (1, 1), (2, 2), (3, 3), (5, 5), (6, 6)");
    await changeOther("DELETE FROM t.n WHERE id = 2; INSERT INTO t.n VALUES (4, 4), (7, 7)");
    const forward = await diff();
    expect(forward).toMatchObject({ rows: 7, differences: 3 });
    expect(forward.samples).toEqual([
      { table: "t.n", key: "id=2", kind: "missing-on-target", source: { id: "2", v: "2" } },
      { table: "t.n", key: "id=4", kind: "missing-on-source", target: { id: "4", v: "4" } },
      { table: "t.n", key: "id=7", kind: "missing-on-source", target: { id: "7", v: "7" } },
    ]);
    const reverse = await diff({ direction: "reverse" });
    expect(reverse.samples.map((sample) => sample.kind)).toEqual([
      "missing-on-source",
      "missing-on-target",
      "missing-on-target",
    ]);
    expect(reverse.samples[0]).toMatchObject({ key: "id=2", target: { v: "2" } });
  });

  test("of case in a key whose collation has none is two rows without partner", async () => {
    await make(
      "k",
      "k VARCHAR(10) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT",
      "VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4)",
    );
    await changeOther("UPDATE t.k SET k = 'B' WHERE k = 'b'; UPDATE t.k SET v = 9 WHERE k = 'd'");
    const report = await diff();
    expect(report.samples.map((sample) => `${sample.kind} ${sample.key}`).sort()).toEqual([
      "different k=d",
      "missing-on-source k=B",
      "missing-on-target k=b",
    ]);
  });
});

describe("keys in an order of the server's own", () => {
  const many =
    "SELECT CONCAT(CHAR(65 + n % 26), IF(n % 2, 'x', 'Y'), n), n FROM (WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 999) SELECT n FROM s) x";

  test("are followed when the two sides order them differently", async () => {
    await make("k", "k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT", many);
    await changeOther(
      "ALTER TABLE t.k MODIFY k VARCHAR(20) COLLATE utf8mb4_bin; DELETE FROM t.k WHERE v = 500; UPDATE t.k SET v = -1 WHERE v = 600",
    );
    const report = await diff();
    expect(report).toMatchObject({ rows: 1000, differences: 2 });
  });

  test("are followed in the order of bytes when more rows lack a partner than may be set aside", async () => {
    await make("k", "k VARCHAR(20) COLLATE utf8mb4_0900_ai_ci PRIMARY KEY, v INT", many);
    await changeOther("DELETE FROM t.k WHERE v < 400; UPDATE t.k SET v = -1 WHERE v = 600");
    const report = await diff({ limits: { parkedRowsMax: 50 } });
    expect(report).toMatchObject({ rows: 1000, differences: 401 });
    expect(report.samples).toHaveLength(100);
  });

  test("of an ENUM and a FLOAT and a padded text are told apart", async () => {
    await make(
      "k",
      "e ENUM('b', 'a'), f DOUBLE, c VARCHAR(9) COLLATE latin1_bin, v INT, PRIMARY KEY (e, f, c)",
      "VALUES ('a', 1.5, 'x', 1), ('b', -2, 'y\\t', 2), ('b', -2, 'y', 3), ('a', 1e300, '', 4)",
    );
    await changeOther("UPDATE t.k SET v = 7 WHERE f = 1e300");
    const report = await diff();
    expect(report).toMatchObject({ rows: 4, differences: 1 });
    expect(report.samples[0]?.key).toBe("e=a, f=1e300, c=");
  });
});

describe("rows without a key", () => {
  const many = `VALUES ${Array.from({ length: 300 }, (_, i) => `(${i % 40}, 'v')`).join(", ")}`;

  test("are counted, in whatever order either side has them", async () => {
    await make("heap", "k INT, v VARCHAR(20), KEY (k, v)", many, "VALUES (NULL, ''), (NULL, NULL)");
    await changeOther(
      "CREATE TABLE t.h2 LIKE t.heap; INSERT INTO t.h2 SELECT * FROM t.heap ORDER BY k DESC, v; DROP TABLE t.heap; RENAME TABLE t.h2 TO t.heap",
    );
    expect(await diff({ limits: { parkedRowsMax: 400 } })).toMatchObject({ rows: 302, differences: 0 });
    expect(await diff({ limits: { parkedRowsMax: 5 } })).toMatchObject({ rows: 302, differences: 0 });
    await changeOther("UPDATE t.heap SET v = 'w' WHERE k = 7 LIMIT 2; UPDATE t.heap SET v = '' WHERE v IS NULL");
    const report = await diff();
    expect(report).toMatchObject({ rows: 305, differences: 6 });
    const told = report.samples.map(({ kind, source, target }) => `${kind} ${Object.values(source ?? target ?? {})}`);
    expect(told.toSorted()).toEqual([
      ...["missing-on-source ,", "missing-on-source 7,w", "missing-on-source 7,w"],
      ...["missing-on-target ,", "missing-on-target 7,v", "missing-on-target 7,v"],
    ]);
  });
});

describe("tables that cannot be compared", () => {
  test("are named, and the stream goes on", async () => {
    await make("u", "id INT PRIMARY KEY, a INT, d DECIMAL(10,2)");
    await changeOther("ALTER TABLE t.u DROP a, MODIFY d DECIMAL(10,3), ADD z INT");
    const failing = diff();
    await expect(failing).rejects.toMatchObject({
      code: "DIFF_TABLES_UNLIKE",
      message: expect.stringMatching(
        /a is missing on the other side[\s\S]*d is decimal\(10,2\) and decimal\(10,3\)[\s\S]*z is missing on the home/,
      ),
    });
    tables = ["t.none"];
    await expect(diff()).rejects.toMatchObject({ code: "TABLE_MISSING" });
    const [state] = await servers.other.root(
      "SELECT SERVICE_STATE s FROM performance_schema.replication_applier_status",
    );
    expect(state).toEqual({ s: "ON" });
  });

  test("because a column is renamed between the snapshot and the reading are not compared under its new name", async () => {
    await make("r", "id INT PRIMARY KEY, a INT, b INT", "VALUES (1, 2, 2)");
    const failing = diff({
      failpoint: async () => {
        await servers.home.root("ALTER TABLE t.r RENAME COLUMN a TO b, RENAME COLUMN b TO a");
      },
    });
    await expect(failing).rejects.toMatchObject({ code: "DIFF_TABLE_CHANGED" });
  });

  test("because one is rebuilt after the snapshot are reported as changed", async () => {
    await make("r", "id INT PRIMARY KEY, a INT", "VALUES (1, 2)");
    const failing = diff({
      failpoint: async () => {
        await servers.home.root("TRUNCATE t.r");
      },
    });
    await expect(failing).rejects.toMatchObject({ code: "DIFF_TABLE_CHANGED" });
  });
});

describe("a diff that is stopped", () => {
  test("while it compares, or loses its connection, ends with an error", async () => {
    await make(
      "big",
      "id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(1000)",
      "(v) SELECT REPEAT('x', 900) FROM (WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 999) SELECT n FROM s) a, (SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5) b",
    );
    const abort = new AbortController();
    const stopped = diff({ signal: abort.signal, onProgress: ({ step }) => step === "comparing" && abort.abort() });
    await expect(stopped).rejects.toMatchObject({ code: "CANCELLED" });
    const killed = diff({
      failpoint: async () => {
        const rows = await servers.home.root("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'switchyard'");
        for (const { ID } of rows) await servers.home.root(`KILL ${ID}`);
      },
    });
    await expect(killed).rejects.toMatchObject({ code: "MYSQL_CONNECTION_LOST" });
  });
});

describe("a diff under traffic", () => {
  test("finds exactly the differences that are there, again and again", async () => {
    const count = 20_000;
    const rows = `SELECT n, n, REPEAT(CHAR(97 + n % 26), n % 90) FROM (WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ${count + 5}) SELECT /*+ SET_VAR(cte_max_recursion_depth = 1000000) */ n FROM s) x`;
    await make("acc", "id INT PRIMARY KEY, balance INT, v VARCHAR(100)", rows);
    await make("log", "id BIGINT AUTO_INCREMENT PRIMARY KEY, who INT, note VARCHAR(40), KEY (who)");
    await make("text", "k VARCHAR(30) PRIMARY KEY, n INT");
    await caughtUp();
    const writers = await Promise.all(
      Array.from({ length: 4 }, () => Connection.connect(servers.home.endpoint("app", "a"), { multiStatements: true })),
    );
    let stop = false;
    const writing = writers.map(async (connection, who) => {
      for (let turn = 0; !stop; turn++) {
        const [a, b] = [1 + ((turn * 31 + who * 977) % count), 1 + ((turn * 7 + who) % count)];
        const entry = `INSERT INTO t.log (who, note) VALUES (${who}, 'turn ${turn}');`;
        await sleep(4);
        await connection.queryMulti(
          `BEGIN; ${turn % 2 === 0 ? "" : entry}
           UPDATE t.acc SET balance = balance - 1 WHERE id = ${Math.min(a, b)};
           UPDATE t.acc SET balance = balance + 1 WHERE id = ${Math.max(a, b)};
           ${turn % 2 === 0 ? entry : ""} COMMIT;
           REPLACE INTO t.text VALUES (CONCAT(CHAR(65 + ${turn % 26}), ${turn % 500}, 'é', ${who}), ${turn});
           DELETE FROM t.log WHERE who = ${who} ORDER BY id LIMIT ${turn % 3};`,
        );
      }
    });
    try {
      for (let round = 0; round < 3; round++) {
        const report = await diff({ limits: { lockWaitMs: 500 } });
        expect(report.samples).toEqual([]);
        expect(report.differences).toBe(0);
        expect(report.rows).toBeGreaterThan(count);
      }
      await servers.other.root(
        // Rows that no writer touches: an update would bring the whole row again.
        `SET SESSION sql_log_bin = 0; UPDATE t.acc SET v = CONCAT(v, ' ') WHERE id IN (${count + 1}, ${count + 3})`,
      );
      const report = await diff({ limits: { lockWaitMs: 500 } });
      expect(report.samples.map(({ key, kind }) => [key, kind])).toEqual([
        ["id=20001", "different"],
        ["id=20003", "different"],
      ]);
    } finally {
      stop = true;
      await Promise.all(writing);
      await Promise.all(writers.map((connection) => connection.close()));
    }
  }, 120_000);

  test("shows false differences when the snapshot is not what the stream is run to, which is why intake is paused first", async () => {
    await make("n", "id INT PRIMARY KEY, v INT", "VALUES (1, 1)");
    await caughtUp();
    const late = {
      closeIntake: () => undefined,
      pauseIntake: () => Promise.resolve(),
      // A stream that went past the snapshot cannot come back to it.
      stopAt: async () => {
        await servers.home.root("UPDATE t.n SET v = 2");
        await caughtUp();
      },
      continue: () => undefined,
    };
    expect((await diff({ stream: late })).differences).toBe(1);
    expect((await diff()).differences).toBe(0);
  });
});

describe("a comparison in many pieces", () => {
  const ofAll = mkdtempSync(join(tmpdir(), "switchyard-differences-"));
  const folder = join(ofAll, "run");
  afterAll(() => rmSync(ofAll, { recursive: true }));
  const written = (table: string): { readonly key: string; readonly source?: Record<string, unknown> }[] =>
    readFileSync(join(folder, `${table}.jsonl`), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));

  test("reads behind a key of any type exactly the rows that the server has behind it, and finds what one piece would", async () => {
    for (const [index, [columns, key, ...rows]] of KEYS.entries()) {
      await make(`k${index}`, `${columns}, v INT, PRIMARY KEY (${key})`, `VALUES ${rows.map((row) => `(${row}, 0)`)}`);
    }
    const connection = await Connection.connect(await ownEndpoint(servers.home, "diff", ["t"]));
    const read = async (sql: string): Promise<Buffer[]> => {
      const rows = new StreamedRows(connection, sql);
      const payloads: Buffer[] = [];
      for (; await rows.fill(); rows.cursor.passRow()) payloads.push(Buffer.from(rows.cursor.payload()));
      return payloads;
    };
    await connection.query("SET SESSION character_set_results = NULL, sql_mode = ''");
    for (const name of tables) {
      const shape = await readTableShape(connection, parseTableKey(name));
      const plan = planComparison(shape, shape);
      const all = await read(plan.home.select("key"));
      const scanned = new TextRow(plan.fieldCount);
      for (const [at, payload] of all.entries()) {
        scanned.scan(payload);
        const key = plan.keyFields.map((field) => Buffer.from(scanned.field(field) ?? ""));
        expect(await read(plan.home.select("key", key)), `${name} behind row ${at}`).toEqual(all.slice(at + 1));
      }
    }
    await connection.close();

    tables = tables.slice(3, 4);
    await changeOther("UPDATE t.k3 SET v = 1 WHERE a IN ('', 'Z'); DELETE FROM t.k3 WHERE a = 'B'");
    const whole = await diff();
    expect(whole).toMatchObject({ rows: 7, differences: 3 });
    const pieces = await diff({ limits: { sliceMaxMs: 0, keepEveryMs: 0 } });
    const of = ({ tables: [one], samples }: DiffReport) => [one?.rows, one?.differences, samples];
    expect(of(pieces)).toEqual(of(whole));
  }, 60_000);

  test("goes on behind what an earlier process has kept, with all that it had found", async () => {
    const rows =
      "SELECT n, REPEAT('v', 600) FROM (WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 400) SELECT n FROM s) x";
    await make("early", "id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(600)", rows);
    await make("late", "id INT PRIMARY KEY, v VARCHAR(600)", rows);
    await changeOther(
      "UPDATE t.early SET v = 'w' WHERE id = 1; DELETE FROM t.early WHERE id = 400; ALTER TABLE t.early AUTO_INCREMENT = 1; UPDATE t.late SET v = 'w' WHERE id IN (5, 9, 399)",
    );
    const keeper = new MemoryKeeper();
    let kept = 0;
    const killed = {
      keeper,
      files: new DifferenceFiles(ofAll, "run", 1e6),
      limits: { keepEveryMs: 0, tablesAtOnce: 1 },
      // Some rows of the second table have been compared then.
      failpoint: (point: string) =>
        point === "diff-after-range-kept" && keeper.states.has("t.late") && ++kept === 20
          ? Promise.reject(new Error("killed"))
          : Promise.resolve(),
    };
    await expect(diff(killed)).rejects.toThrow("killed");
    const state = keeper.states.get("t.late");
    expect(state).toMatchObject({ done: false, rows: 20, differences: 2 });
    // What it had found behind that is found again; what it had compared is not looked at.
    appendFileSync(join(folder, "t.late.jsonl"), '{"key":"id=399"}\n{"ke');
    await servers.other.root(
      "SET sql_log_bin = 0; UPDATE t.late SET v = 'x' WHERE id IN (2, 20); UPDATE t.early SET v = 'x' WHERE id = 2",
    );
    const report = await diff({ keeper, files: new DifferenceFiles(ofAll, "run", 1e6) });
    expect(report).toMatchObject({
      rows: 800,
      differences: 5,
      verifiedTime: keeper.states.get("t.early")?.verifiedTime,
      schema: [{ table: "t.early", what: "counter" }],
    });
    expect(report.tables.map(({ rowsBefore, differences }) => [rowsBefore, differences])).toEqual([
      [400, 2],
      [20, 3],
    ]);
    expect(written("t.late").map(({ key, source }) => [key, source?.["v"]])).toEqual(
      [5, 9, 399].map((id) => [`id=${id}`, "v".repeat(600)]),
    );
    expect(Object.fromEntries(keeper.keys)).toEqual({ "t.early": 2, "t.late": 3 });

    // A file that is not here, or another definition: then nothing of that table is taken for compared.
    rmSync(join(folder, "t.early.jsonl"));
    await servers.home.root("ALTER TABLE t.late ADD COLUMN w INT");
    const again = await diff({ keeper, files: new DifferenceFiles(ofAll, "run", 1e6) });
    expect(again.tables.map(({ rowsBefore, differences }) => [rowsBefore, differences])).toEqual([
      [undefined, 3],
      [undefined, 5],
    ]);
    keeper.states.set("t.late", { ...(state as KeptTable), fileBytes: 0 });
    const altered = await diff({ keeper, files: new DifferenceFiles(ofAll, "run", 1e6) });
    expect(altered.tables.map(({ rowsBefore, differences }) => [rowsBefore, differences])).toEqual([
      [400, 3],
      [undefined, 5],
    ]);

    // Nor is what was read row by row gone on with by sums; those go on behind their own, and read few rows.
    const limits = { keepEveryMs: 0, tablesAtOnce: 1, fastRangeRows: 50, fastReadRows: 5 };
    const stopped = (point: string) =>
      point === "diff-after-range-kept" && ++kept === 33 ? Promise.reject(new Error("killed")) : Promise.resolve();
    const fast = { keeper, files: new DifferenceFiles(ofAll, "run", 1e6), limits, fast: true };
    await expect(diff({ ...fast, failpoint: stopped })).rejects.toThrow("killed");
    const summed = await diff({ ...fast, files: new DifferenceFiles(ofAll, "run", 1e6) });
    expect(summed.tables.map(({ rowsBefore, rows, differences }) => [rowsBefore, rows, differences])).toEqual([
      [400, 400, 3],
      [expect.any(Number), 400, 5],
    ]);
    expect(summed.tables[0]?.bytes).toBeLessThan(2 * 15 * 700);
    expect(written("t.late").map(({ key }) => key)).toEqual([2, 5, 9, 20, 399].map((id) => `id=${id}`));
  }, 60_000);

  test("by sums sees rows that a server cannot put into one text, and compares them byte by byte", async () => {
    const three = (x: string): string => `REPEAT('${x}', 7000), REPEAT('${x}', 7000), REPEAT('${x}', 7000)`;
    await make(
      "wide",
      `id INT PRIMARY KEY, ${["a", "b", "c"].map((name) => `${name} VARCHAR(7000) CHARACTER SET latin1`).join(", ")}, t LONGTEXT`,
      `VALUES (1, ${three("x")}, ''), (2, '', '', '', REPEAT('y', 20000)), (3, '', '', '', '')`,
    );
    await caughtUp();
    const limit = async (bytes: string): Promise<void> => {
      for (const server of [servers.home, servers.other]) await server.root(`SET GLOBAL max_allowed_packet = ${bytes}`);
    };
    await limit("16384");
    try {
      const equal = await diff({ fast: true });
      expect(equal).toMatchObject({ differences: 0, rows: 3 });
      expect(equal.tables[0]?.bytes).toBeGreaterThan(2 * 41_000);
      await limit("DEFAULT");
      await changeOther(
        "UPDATE t.wide SET b = INSERT(b, 6999, 1, 'z') WHERE id = 1; UPDATE t.wide SET t = INSERT(t, 19999, 1, 'z') WHERE id = 2",
      );
      await limit("16384");
      expect((await diff({ fast: true })).samples.map(({ key }) => key)).toEqual(["id=1", "id=2"]);
    } finally {
      await limit("DEFAULT");
    }
  });

  test("writes no more of the differences than it may, and says so", async () => {
    await make("n", "id INT PRIMARY KEY, v INT", "VALUES (1, 1), (2, 2), (3, 3)");
    await changeOther("UPDATE t.n SET v = 0");
    const report = await diff({ files: new DifferenceFiles(ofAll, "run", 300) });
    expect(report).toMatchObject({
      differences: 3,
      files: { directory: folder, ended: expect.stringContaining("diffFileBytesMax, 300 bytes") },
    });
    expect(written("t.n").map(({ key }) => key)).toEqual(["id=1", "id=2"]);
    expect(statSync(join(folder, "t.n.jsonl")).mode & 0o777).toBe(0o600);
  });
});

test("a table of 100,000 rows is compared whole, and any one row of it is found", async () => {
  const rows = `SELECT n, SHA2(n, 256), n * 3 FROM (WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100000) SELECT /*+ SET_VAR(cte_max_recursion_depth = 1000000) */ n FROM s) x`;
  await make("big", "id INT PRIMARY KEY, h CHAR(64), n INT, KEY (n)", rows);
  await changeOther("DELETE FROM t.big WHERE id = 50000; UPDATE t.big SET n = 0 WHERE id IN (1, 77777, 100000)");
  const report = await diff();
  expect(report).toMatchObject({ rows: 100_000, differences: 4 });
  expect(report.samples.map(({ key, kind }) => `${key} ${kind}`)).toEqual([
    "id=1 different",
    "id=50000 missing-on-target",
    "id=77777 different",
    "id=100000 different",
  ]);
});
