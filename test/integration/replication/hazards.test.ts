import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { type Logger, silentLogger } from "../../../src/base/logger.ts";
import { GtidSet } from "../../../src/gtid/gtid-set.ts";
import { Connection } from "../../../src/mysql/connection.ts";
import { RunwayMeter } from "../../../src/replication/runway-meter.ts";
import { DEFAULT_STREAM_LIMITS } from "../../../src/replication/stream-options.ts";
import { ownEndpoint } from "../../support/own-account.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import {
  checksums,
  type Ends,
  executedOn,
  type OpenedStream,
  type OpenOptions,
  openStream,
  settled,
  until,
  untilRunning,
} from "./stream-bench.ts";

let servers: Ends & { readonly another: TestServer };
let ends: Ends;
const streams: OpenedStream[] = [];
let sequence = 0;

beforeAll(async () => {
  servers = await startServers(["source", "target", "another"]);
  ends = servers;
}, 60_000);
afterAll(async () => stopServers(servers as unknown as Record<string, never>));
afterEach(async () => {
  for (const one of streams.splice(0)) await one.stream.close();
});

async function open(tables: readonly string[], options: OpenOptions, between: Ends = ends): Promise<OpenedStream> {
  const one = await openStream(between, tables, options);
  streams.push(one);
  return one;
}

interface Moving {
  readonly schema: string;
  readonly table: string;
  readonly opened: OpenedStream;
}

async function running(options: OpenOptions = {}): Promise<Moving> {
  const schema = `h${++sequence}`;
  const table = `${schema}.t`;
  await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${table} (id INT PRIMARY KEY, v VARCHAR(40), n INT);
    CREATE TABLE ${schema}.other (id INT PRIMARY KEY, v INT);
    INSERT INTO ${table} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i, CONCAT('v', i), i FROM n`);
  const opened = await open([table], { migration: schema, ...options });
  await untilRunning(opened);
  return { schema, table, opened };
}

async function equal({ opened, table }: Moving): Promise<void> {
  const { source, target } = await settled(ends, opened, [table]);
  expect(target).toEqual(source);
  expect(opened.stream.status().drift).toBe(0);
}

const failure = async (opened: OpenedStream): Promise<string> => String(await opened.ended);

describe("statements in the log", () => {
  test.each([
    ["ALTER TABLE $t ADD COLUMN x INT", "a column is added"],
    ["TRUNCATE TABLE $t", "rows vanish without row events"],
    ["RENAME TABLE $t TO $s.gone", "the table goes away"],
    ["RENAME TABLE $s.other TO $s.x, $t TO $s.other", "it swaps places with another, as online schema changes do"],
    ["CREATE TRIGGER $s.trg BEFORE INSERT ON $t FOR EACH ROW SET NEW.n = 1", "a trigger appears that the target lacks"],
    [
      "USE $s; SET sql_mode='ANSI_QUOTES'; ALTER TABLE \"t\" ADD COLUMN y INT",
      "it is quoted as the session's mode allows",
    ],
    ["SET SESSION binlog_format = STATEMENT; UPDATE $t SET n = n + 1", "rows change in statement format"],
  ])("%s stops the stream: %s", async (sql) => {
    const moving = await running();
    await ends.source.root(`UPDATE ${moving.table} SET n = 555 WHERE id = 1`);
    await ends.source.root(sql.replaceAll("$t", moving.table).replaceAll("$s", moving.schema));
    expect(await failure(moving.opened)).toContain("REPLICATION_STATEMENT_SEEN");
    expect(moving.opened.stream.status().ddl).toBe(1);
    expect(await ends.target.root(`SELECT n FROM ${moving.table} WHERE id = 1`), "all before it is applied").toEqual([
      { n: "555" },
    ]);
  });

  test("that a stream applies come in their place between rows, each read by the columns of its moment, over a death as well", async () => {
    // 1. definitions between writes; 2. the process dies behind a statement, before its record; 3. another one goes on.
    const died = new Error("died");
    const moving = await running({
      onDdl: () => "apply",
      failpoint: (at) => (at === "ddl-after-statement" ? Promise.reject(died) : Promise.resolve()),
    });
    const { schema, table } = moving;
    await ends.source.root(`UPDATE ${table} SET n = 100 WHERE id = 1; ALTER TABLE ${table} ADD COLUMN w INT DEFAULT 7 AFTER id;
      INSERT INTO ${table} (id, w, v, n) VALUES (101, 1, 'one', 1); ALTER TABLE ${table} RENAME COLUMN n TO w, RENAME COLUMN w TO n, ADD KEY k (n);
      UPDATE ${table} SET n = 3 WHERE id = 2; INSERT INTO ${table} (id, n, v, w) VALUES (102, 2, 'two', 22)`);
    expect(await moving.opened.ended).toBe(died);
    const opened = await open([table], { migration: schema, onDdl: () => "apply" });
    await equal({ ...moving, opened });
    expect(await ends.target.root(`SELECT id, n, w FROM ${table} WHERE id IN (2, 101, 102)`)).toEqual(
      await ends.source.root(`SELECT id, n, w FROM ${table} WHERE id IN (2, 101, 102)`),
    );
  });

  test("about other tables, accounts and routines do not stop it", async () => {
    const moving = await running();
    const { schema } = moving;
    await ends.source.root(`ALTER TABLE ${schema}.other ADD COLUMN x INT; TRUNCATE ${schema}.other; CREATE TABLE ${schema}.t2 LIKE ${schema}.other;
      DROP TABLE ${schema}.t2; CREATE USER ${schema}@localhost; GRANT SELECT ON ${moving.table} TO ${schema}@localhost; DROP USER ${schema}@localhost;
      CREATE PROCEDURE ${schema}.p() UPDATE t SET n = 0; DROP PROCEDURE ${schema}.p; CREATE DATABASE ${schema}x; DROP DATABASE ${schema}x;
      ANALYZE TABLE ${moving.table}; OPTIMIZE TABLE ${moving.table}; CREATE VIEW ${schema}.vw AS SELECT * FROM ${moving.table}; FLUSH TABLES ${schema}.other;
      CREATE TABLE ${schema}.c AS SELECT * FROM ${moving.table}; INSERT INTO ${schema}.other (id) VALUES (1);
      /* switchyard migration=${schema} token=x */ ALTER TABLE ${moving.table} COMMENT = 'ours';
      UPDATE ${moving.table} SET n = 556 WHERE id = 1`);
    await equal(moving);
  });
});

describe("transactions of every shape", () => {
  test("compressed, with savepoints, in one XA phase, empty, under foreign and tagged GTIDs", async () => {
    const moving = await running();
    const { table } = moving;
    await ends.source.root(
      `SET SESSION binlog_transaction_compression = ON; BEGIN; UPDATE ${table} SET v = REPEAT('c', 40); DELETE FROM ${table} WHERE id = 100; COMMIT`,
    );
    await ends.source.root(
      `BEGIN; INSERT INTO ${table} VALUES (300, 'a', 1); SAVEPOINT s; INSERT INTO ${table} VALUES (301, 'b', 1); ROLLBACK TO s; UPDATE ${table} SET n = 9 WHERE id = 300; COMMIT`,
    );
    await ends.source.root(
      `XA START 'x'; UPDATE ${table} SET n = 77 WHERE id = 3; XA END 'x'; XA COMMIT 'x' ONE PHASE`,
    );
    await ends.source.root(
      `SET gtid_next = '3e11fa47-71ca-11e1-9e33-c80aa9429562:${sequence}'; UPDATE ${table} SET n = 78 WHERE id = 4; SET gtid_next = AUTOMATIC`,
    );
    await ends.source.root(
      "SET gtid_next = '4e11fa47-71ca-11e1-9e33-c80aa9429562:7'; BEGIN; COMMIT; SET gtid_next = AUTOMATIC",
    );
    await ends.source.root(
      `SET gtid_next = 'AUTOMATIC:nightly'; UPDATE ${table} SET n = 79 WHERE id = 5; SET gtid_next = AUTOMATIC`,
    );
    await equal(moving);
    expect(moving.opened.stream.status().executed).toContain(":nightly:");
    // Over a reconnect too: the server must understand the set with its tags.
    await moving.opened.stream.close();
    await ends.source.root(`UPDATE ${table} SET n = 80 WHERE id = 6`);
    const again = await open([table], { migration: moving.schema });
    await equal({ ...moving, opened: again });
  });

  test("logged with and without checksums, and with names in every table map", async () => {
    const moving = await running();
    const { table } = moving;
    await ends.source.root(
      `SET GLOBAL binlog_checksum = NONE; UPDATE ${table} SET n = 31; SET GLOBAL binlog_row_metadata = FULL`,
    );
    await ends.source.root(`UPDATE ${table} SET n = 32 WHERE id < 50`);
    await equal(moving);
    await moving.opened.stream.close();
    const again = await open([table], { migration: moving.schema });
    await ends.source.root(
      `UPDATE ${table} SET n = 33 WHERE id < 40; SET GLOBAL binlog_checksum = CRC32; UPDATE ${table} SET n = 34 WHERE id < 30`,
    );
    await equal({ ...moving, opened: again });
    await ends.source.root("SET GLOBAL binlog_row_metadata = MINIMAL");
  });

  test("an XA transaction that is only prepared stops the stream if it concerns the tables, and not otherwise", async () => {
    const moving = await running();
    const { schema, table } = moving;
    await ends.source.root(`XA START 'o'; INSERT INTO ${schema}.other VALUES (5, 5); XA END 'o'; XA PREPARE 'o'`);
    await ends.source.root(`XA COMMIT 'o'; UPDATE ${table} SET n = 1`);
    await equal(moving);
    await ends.source.root(`XA START 'p'; UPDATE ${table} SET n = 2 WHERE id = 1; XA END 'p'; XA PREPARE 'p'`);
    expect(await failure(moving.opened)).toContain("REPLICATION_XA_PREPARED");
    await ends.source.root("XA ROLLBACK 'p'");
    expect(await ends.target.root(`SELECT n FROM ${table} WHERE id = 1`)).toEqual([{ n: "1" }]);
  });

  test("one that is larger than all buffers is streamed, and is there whole or not at all", async () => {
    const moving = await running({ limits: { queueBytesMax: 100_000, groupBytesMax: 50_000 } });
    const { table } = moving;
    const grow = `SET SESSION cte_max_recursion_depth = 1000000; BEGIN; INSERT INTO ${table} WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) SELECT i, 'large', i FROM n;
      UPDATE ${table} SET v = 'larger' WHERE id % 2 = 0; DELETE FROM ${table} WHERE id > 59000; COMMIT`;
    let partial = false;
    let watching = true;
    const watch = (async () => {
      while (watching) {
        const [row] = await ends.target.root(`SELECT COUNT(*) AS n FROM ${table}`);
        const n = Number(row?.["n"]);
        if (n !== 100 && n < 50_000) partial = true;
      }
    })();
    await ends.source.root(grow);
    await equal(moving);
    watching = false;
    await watch;
    expect(partial).toBe(false);
    const before = await executedOn(ends.target);
    await ends.source.root(`UPDATE ${table} SET v = 'one more'`);
    await equal(moving);
    const after = (await executedOn(ends.target)).subtract(before).count;
    expect(after, "one target transaction, and a few of the ledger").toBeLessThan(10);
  });

  test("many small ones share target transactions while the stream is behind", async () => {
    const moving = await running();
    moving.opened.stream.pause();
    const statements = Array.from(
      { length: 600 },
      (_, i) => `UPDATE ${moving.table} SET n = ${i} WHERE id = ${(i % 100) + 1}`,
    );
    await ends.source.root(statements.join("; "));
    const before = await executedOn(ends.target);
    moving.opened.stream.resume();
    await equal(moving);
    expect((await executedOn(ends.target)).subtract(before).count).toBeLessThan(100);
    expect(moving.opened.stream.status().appliedTransactions).toBeGreaterThanOrEqual(600);
  });
});

describe("what was not as expected is never silent", () => {
  test("rows that somebody removed on the target are counted as drift", async () => {
    const { opened, table } = await running();
    await ends.target.root(`DELETE FROM ${table} WHERE id IN (1, 2, 3)`);
    await ends.source.root(`UPDATE ${table} SET n = 5 WHERE id = 1; DELETE FROM ${table} WHERE id IN (2, 3, 4)`);
    await opened.stream.waitFor(await executedOn(ends.source), { timeoutMs: 5000 });
    expect(opened.stream.status().drift).toBe(3);
  });

  // 1. An update misses its row on the target. 2. The process is killed once that is committed. 3. Nobody knows of it, and
  // the diff from before opens the gate of a switch.
  test("drift is told, with its key, before it is committed, and nothing is committed where it cannot be told", async () => {
    const seen: unknown[] = [];
    const logged: string[] = [];
    let table = "";
    const onDrift = async (): Promise<void> => {
      seen.push(await ends.target.root(`SELECT n FROM ${table} WHERE id = 2`));
      if (seen.length === 1) throw new SwitchyardError("STORE_UNAVAILABLE", { what: "it is away" });
    };
    const log: Logger = { ...silentLogger, error: (fields) => void logged.push(JSON.stringify(fields)) };
    const moving = await running({ onDrift, log });
    table = moving.table;
    await ends.target.root(`DELETE FROM ${table} WHERE id = 1`);
    await ends.source.root(`BEGIN; UPDATE ${table} SET n = 77, v = 'told to nobody' WHERE id IN (1, 2); COMMIT`);
    await moving.opened.stream.waitFor(await executedOn(ends.source), { timeoutMs: 5000 });
    expect(seen).toEqual([[{ n: "2" }], [{ n: "2" }]]);
    expect(await ends.target.root(`SELECT n FROM ${table} WHERE id = 2`)).toEqual([{ n: "77" }]);
    expect(logged.filter((line) => line.includes('"keys":"(`id`=1)"'))).toHaveLength(2);
    expect(logged.join()).not.toContain("told to nobody");
  });

  test("an update to the same values counts no drift", async () => {
    const moving = await running();
    await ends.target.root(`UPDATE ${moving.table} SET n = 5 WHERE id = 1`);
    await ends.source.root(`UPDATE ${moving.table} SET n = 5 WHERE id = 1`);
    await equal(moving);
  });

  test("a row that somebody added on the target stops the stream when the source adds it", async () => {
    const { opened, table } = await running();
    await ends.target.root(`INSERT INTO ${table} VALUES (500, 'x', 1)`);
    await ends.source.root(`INSERT INTO ${table} VALUES (500, 'y', 1)`);
    expect(await failure(opened)).toContain("REPLICATION_ROW_REFUSED");
    expect(await ends.target.root(`SELECT v FROM ${table} WHERE id = 500`)).toEqual([{ v: "x" }]);
  });

  test("rows on the target before the copy refuse it", async () => {
    const schema = `h${++sequence}`;
    await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY)`);
    await ends.target.root(
      `CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY); INSERT INTO ${schema}.t VALUES (1)`,
    );
    expect(await failure(await open([`${schema}.t`], { migration: schema }))).toContain("REPLICATION_TARGET_NOT_EMPTY");
  });

  test("values that the target would cut are refused by the copy, which a local load reports as warnings only", async () => {
    const schema = `h${++sequence}`;
    await ends.source.root(
      `CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO ${schema}.t VALUES (1, 'short'), (2, 'much too long')`,
    );
    await ends.target.root(`CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY, v VARCHAR(5))`);
    expect(await failure(await open([`${schema}.t`], { migration: schema }))).toContain("REPLICATION_ROW_REFUSED");
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${schema}.t`)).toEqual([{ n: "0" }]);
  });

  test("and duplicates of a key that the target alone has", async () => {
    const schema = `h${++sequence}`;
    await ends.source.root(
      `CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO ${schema}.t VALUES (1, 'a'), (2, 'a')`,
    );
    await ends.target.root(
      `CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY, v VARCHAR(20), UNIQUE KEY (v))`,
    );
    expect(await failure(await open([`${schema}.t`], { migration: schema }))).toContain("REPLICATION_ROW_REFUSED");
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${schema}.t`)).toEqual([{ n: "0" }]);
  });

  test("a session that logs partial rows stops the stream", async () => {
    const { opened, table } = await running();
    await ends.source.root(`SET SESSION binlog_row_image = MINIMAL; UPDATE ${table} SET n = 6 WHERE id = 1`);
    expect(await failure(opened)).toContain("REPLICATION_ROW_IMAGE_PARTIAL");
  });

  test("a foreign write to the ledger inside a transaction on the tables stops the stream", async () => {
    const { opened, table } = await running();
    await ends.source.root(
      `INSERT INTO _switchyard.ledger (migration, direction, worker, epoch, gtids) VALUES ('zz', 'forward', 0, 1, '')`,
    );
    await ends.source.root(
      `BEGIN; UPDATE ${table} SET n = 3; UPDATE _switchyard.ledger SET epoch = 2 WHERE migration = 'zz'; COMMIT`,
    );
    expect(await failure(opened)).toContain("REPLICATION_STATEMENT_SEEN");
  });
});

describe("the target's definition", () => {
  test("has the counter's own key at once, other keys and foreign keys only at the end", async () => {
    const schema = `h${++sequence}`;
    await ends.source.root(`CREATE DATABASE ${schema} CHARACTER SET latin1;
      CREATE TABLE ${schema}.p (id VARCHAR(10) PRIMARY KEY, seq INT NOT NULL AUTO_INCREMENT, u INT, KEY (seq), UNIQUE KEY u (u), FULLTEXT KEY f (id));
      CREATE TABLE ${schema}.c (id INT PRIMARY KEY, p VARCHAR(10), CONSTRAINT fk FOREIGN KEY (p) REFERENCES ${schema}.p (id) ON DELETE CASCADE);
      INSERT INTO ${schema}.p (id, u) VALUES ('a', 1), ('b', 2), ('c', 3); INSERT INTO ${schema}.c VALUES (1, 'a'), (2, 'a'), (3, 'b')`);
    const tables = [`${schema}.c`, `${schema}.p`];
    let early: string | undefined;
    const opened = await open(tables, {
      migration: schema,
      failpoint: async (point) => {
        if (point !== "copy-after-chunk-commit" || early !== undefined) return;
        const [row] = await ends.target.root(`SHOW CREATE TABLE ${schema}.p`);
        early = row?.["Create Table"] ?? "";
      },
    });
    await untilRunning(opened);
    expect(early).toContain("KEY `seq`");
    expect(early).not.toContain("UNIQUE");
    // Children follow their parent by the log, not by the target's own cascade.
    await ends.source.root(`UPDATE ${schema}.p SET u = u + 10; DELETE FROM ${schema}.p WHERE id = 'a'`);
    const { source, target } = await settled(ends, opened, tables);
    expect(target).toEqual(source);
    expect(opened.stream.status().drift).toBe(0);
    for (const table of tables) {
      expect(await ends.target.root(`SHOW CREATE TABLE ${table}`)).toEqual(
        await ends.source.root(`SHOW CREATE TABLE ${table}`),
      );
    }
    expect(await ends.target.root(`SHOW CREATE DATABASE ${schema}`)).toEqual(
      await ends.source.root(`SHOW CREATE DATABASE ${schema}`),
    );
  });
});

describe("keys of every kind", () => {
  test("are there in the end, whatever they are over", async () => {
    const schema = `h${++sequence}`;
    await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id BINARY(16) PRIMARY KEY, a TEXT, b TEXT, j JSON,
      n INT, m INT, p POINT NOT NULL SRID 0, KEY fn ((n + 1)), KEY mv ((CAST(j AS UNSIGNED ARRAY))), KEY pre (a(10), n DESC),
      KEY hidden (n) INVISIBLE COMMENT 'with, comma', CONSTRAINT c CHECK (n >= 0));
      ALTER TABLE ${schema}.t ADD FULLTEXT KEY fa (a); ALTER TABLE ${schema}.t ADD FULLTEXT KEY fb (b);
      ALTER TABLE ${schema}.t ADD UNIQUE KEY \`odd \`\`name\` (m), ADD UNIQUE KEY ufn ((m * 2)), ADD SPATIAL KEY sp (p);
      CREATE TABLE ${schema}.parted (id INT PRIMARY KEY, v INT, KEY (v)) PARTITION BY HASH (id) PARTITIONS 3;
      INSERT INTO ${schema}.parted VALUES (1, 1), (2, 2), (3, 3), (4, 4);
      INSERT INTO ${schema}.t VALUES (UNHEX(REPEAT('0a', 16)), 'words', 'more', '[1, 2]', 1, 1, POINT(1, 2))`);
    const tables = [`${schema}.t`, `${schema}.parted`];
    const opened = await open(tables, { migration: schema });
    await untilRunning(opened);
    await ends.source.root(
      `INSERT INTO ${schema}.t VALUES (UNHEX(REPEAT('0b', 16)), 'words', 'more', '[3]', 2, 2, POINT(1, 2)); UPDATE ${schema}.t SET m = m + 5`,
    );
    await settled(ends, opened, tables);
    // CHECKSUM TABLE also covers the hidden columns of such keys, whose order is that in which they were added.
    const rows = `SELECT HEX(id) AS id, a, b, j, n, m, ST_AsText(p) AS p FROM ${schema}.t ORDER BY 1`;
    expect(await ends.target.root(rows)).toEqual(await ends.source.root(rows));
    const parted = `CHECKSUM TABLE ${schema}.parted`;
    expect(await ends.target.root(parted)).toEqual(await ends.source.root(parted));
    for (const table of tables) {
      expect(await ends.target.root(`SHOW CREATE TABLE ${table}`)).toEqual(
        await ends.source.root(`SHOW CREATE TABLE ${table}`),
      );
    }
  });
});

describe("a commit that waits for a replica to confirm it", () => {
  // 1. a commit is in the source's log and waits (AFTER_SYNC): nobody sees its rows yet; 2. a copier that takes the end of
  // the log for what its snapshot holds reads the table, and passes over all that is before; 3. the commit becomes visible.
  test("is lost by a copier that goes by the log, and not by ours, which goes by the table's lock", async () => {
    const schema = `h${++sequence}`;
    const table = `${schema}.t`;
    await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${table} (id INT PRIMARY KEY, v VARCHAR(20));
      INSERT INTO ${table} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i, 'x' FROM n;
      INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'; SET GLOBAL rpl_semi_sync_source_timeout = 60000`);
    const naive = { rows: new Set<string>(), upTo: GtidSet.empty };
    const keys = async (): Promise<Set<string>> =>
      new Set((await ends.source.root(`SELECT id FROM ${table}`)).map((row) => row["id"] ?? ""));
    let writing: Promise<unknown> | undefined;
    const stall = async (): Promise<void> => {
      await ends.source.root("SET GLOBAL rpl_semi_sync_source_enabled = ON");
      writing = ends.source.root(
        `BEGIN; INSERT INTO ${table} VALUES (500, 'late'); UPDATE ${table} SET v = 'late' WHERE id = 95; COMMIT`,
      );
      while (naive.upTo.isEmpty) naive.upTo = (await loggedOn(ends.source)).subtract(await executedOn(ends.source));
      naive.rows = await keys();
      // The stream sees the transaction in the log, too, before anybody sees its rows.
      setTimeout(() => void ends.source.root("SET GLOBAL rpl_semi_sync_source_enabled = OFF"), 400);
    };
    const opened = await open([table], {
      migration: schema,
      limits: { chunkRowsMax: 10, copyCycleMaxMs: 1, copyReaders: 1 },
      failpoint: async (point) => {
        if (point === "copy-after-chunk-commit" && writing === undefined) await stall();
      },
    });
    await untilRunning(opened);
    await writing;
    await equal({ schema, table, opened });
    // What the log holds beyond the naive copier's position does not bring the row either: it is before that.
    expect((await executedOn(ends.source)).contains(naive.upTo)).toBe(true);
    expect([naive.rows.has("500"), (await keys()).has("500")]).toEqual([false, true]);
    await ends.source.root("UNINSTALL PLUGIN rpl_semi_sync_source");
  });
});

/** Every transaction that the newest file of the server's log has. */
async function loggedOn(server: TestServer): Promise<GtidSet> {
  const [status] = await server.root("SHOW BINARY LOG STATUS");
  const events = await server.root(`SHOW BINLOG EVENTS IN '${status?.["File"]}'`);
  const texts = events.map((event) => /GTID_NEXT= '([0-9a-f:-]+)'/.exec(event["Info"] ?? "")?.[1] ?? "");
  return texts.filter((text) => text !== "").reduce((set, text) => set.union(GtidSet.parse(text)), GtidSet.empty);
}

describe("a source that is not what it was", () => {
  test("another server behind the same name", async () => {
    const { opened, schema, table } = await running();
    await opened.stream.close();
    const next = await open([table], { migration: schema }, { source: servers.another, target: ends.target });
    expect(await failure(next)).toContain("STREAM_SOURCE_CHANGED");
  });

  test.each([
    ["source", "STREAM_SOURCE_CHANGED"],
    ["target", "STREAM_TARGET_CHANGED"],
  ] as const)("nor the %s that the migration knows, before anything was read or written", async (end, code) => {
    const schema = `h${++sequence}`;
    await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY)`);
    const uuids = await Promise.all(
      [ends.source, ends.target].map(
        async (server) => (await server.root("SELECT @@server_uuid AS u"))[0]?.["u"] ?? "",
      ),
    );
    const known = { source: uuids[0] ?? "", target: uuids[1] ?? "", [end]: "3e11fa47-71ca-11e1-9e33-c80aa9429562" };
    expect(await failure(await open([`${schema}.t`], { migration: schema, servers: known }))).toContain(code);
    expect(await ends.target.root(`SHOW DATABASES LIKE '${schema}'`)).toEqual([]);
  });

  test("keeps its log for so short that a copy could not end: it does not begin, and goes on once that is mended", async () => {
    const schema = `h${++sequence}`;
    const table = `${schema}.t`;
    await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${table} (id INT PRIMARY KEY); INSERT INTO ${table} VALUES (1);
      SET GLOBAL binlog_expire_logs_seconds = 600`);
    const refused = await open([table], { migration: schema });
    expect(await failure(refused)).toMatch(/STREAM_RUNWAY_SHORT.*for 600 s more, and 1800 s is the least/);
    expect(refused.stream.status()).toMatchObject({ rowsCopied: 0, runwayMs: expect.closeTo(600_000, -4) });
    await ends.source.root("SET GLOBAL binlog_expire_logs_seconds = DEFAULT");
    await equal({ schema, table, opened: await open([table], { migration: schema }) });
  });

  test("says nothing until its time is over: it is not known what is needed, and not that nothing is", async () => {
    const over = new AbortController();
    const { binlogDump } = Connection.prototype;
    const deaf = vi.spyOn(Connection.prototype, "binlogDump").mockImplementation(function (this: Connection, request) {
      setTimeout(() => over.abort(), 100);
      return binlogDump.call(this, request, () => undefined);
    });
    try {
      const executed = (await executedOn(ends.source)).union(GtidSet.parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:1"));
      const meter = new RunwayMeter({
        name: { migration: "runway", direction: "forward" },
        source: await ownEndpoint(ends.source, "source-reader", []),
        clock: systemClock,
        log: silentLogger,
        signal: over.signal,
        limits: DEFAULT_STREAM_LIMITS,
        executed: () => executed,
        lagMs: () => 0,
      });
      await expect(meter.look()).rejects.toThrow("did not say in time");
      expect(meter.leftMs()).toBeUndefined();
    } finally {
      deaf.mockRestore();
    }
  });

  test("that purged what is still needed", async () => {
    const { opened, schema, table } = await running();
    await opened.stream.close();
    await ends.source.root(`UPDATE ${table} SET n = 1; FLUSH BINARY LOGS`);
    const [status] = await ends.source.root("SHOW BINARY LOG STATUS");
    await ends.source.root(`PURGE BINARY LOGS TO '${status?.["File"]}'`);
    expect(await failure(await open([table], { migration: schema }))).toContain("STREAM_POSITION_PURGED");
  });

  test("that crashes and comes back, as the target may: the stream waits and goes on", async () => {
    const moving = await running();
    await ends.source.kill9();
    await ends.source.start();
    await ends.source.root(`UPDATE ${moving.table} SET n = 12`);
    await equal(moving);
    await ends.target.kill9();
    await ends.source.root(`UPDATE ${moving.table} SET n = 13`);
    await ends.target.start();
    await equal(moving);
  });

  test("that lost transactions which were applied", async () => {
    const { opened, schema, table } = await running();
    await opened.stream.close();
    await ends.source.root("RESET BINARY LOGS AND GTIDS");
    expect(await failure(await open([table], { migration: schema }))).toContain("STREAM_SOURCE_WENT_BACK");
  });

  test("that lost transactions and gave their GTIDs to others", async () => {
    // 1. the stream applies U:n; 2. the source forgets it, as after a crash without sync_binlog; 3. it gives U:n to another.
    const { opened, schema, table } = await running();
    await ends.source.root(`UPDATE ${table} SET n = 21`);
    await settled(ends, opened, [table]);
    await opened.stream.close();
    const [row] = await ends.target.root(
      `SELECT newest_gtid AS g FROM _switchyard.ledger WHERE migration = '${schema}' AND worker = 1`,
    );
    const [uuid, gno] = (row?.["g"] ?? "").split(":");
    const lost = await executedOn(ends.source);
    await ends.source.root(`RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '${uuid}:1-${Number(gno) - 1}'`);
    while (!(await executedOn(ends.source)).contains(lost))
      await ends.source.root(`UPDATE ${table} SET n = n + 1 WHERE id = 1`);
    const next = await open([table], { migration: schema });
    expect(await failure(next)).toContain("STREAM_SOURCE_WENT_BACK");
    expect(await failure(next)).toContain("another transaction");
    expect((await checksums(ends, [table])).target).not.toEqual((await checksums(ends, [table])).source);
    await until("nothing", { ...next, ended: new Promise(() => undefined) }, () => true);
  });
});
