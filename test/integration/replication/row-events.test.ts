import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startServers, stopServers } from "../../support/servers.ts";
import { type Ends, executedOn, type OpenedStream, openStream, settled, untilRunning } from "./stream-bench.ts";

let ends: Ends;
let opened: OpenedStream | undefined;
let sequence = 0;

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
}, 60_000);
afterAll(async () => stopServers(ends as unknown as Record<string, never>));
afterEach(async () => {
  await opened?.stream.close();
  opened = undefined;
});

const COLUMNS = "id INT PRIMARY KEY, v VARCHAR(40), n INT";

async function running(columns = COLUMNS) {
  const schema = `e${++sequence}`;
  const table = `${schema}.t`;
  await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${table} (${columns});
    INSERT INTO ${table} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i, CONCAT('v', i), i FROM n`);
  const stream = await openStream(ends, [table], { migration: schema });
  opened = stream;
  await untilRunning(stream);
  return { schema, table, stream };
}

/** How often the target has been given row events, by its own count. */
async function givenRowEvents(): Promise<number> {
  const [row] = await ends.target.root("SHOW GLOBAL STATUS LIKE 'Com_binlog'");
  return Number(row?.["Value"]);
}

async function reached(stream: OpenedStream): Promise<void> {
  await stream.stream.waitFor(await executedOn(ends.source), { timeoutMs: 10_000 });
}

/** What the target executes between two moments besides what each stream does to begin with. */
async function rowEventsDuring(work: () => Promise<void>): Promise<number> {
  const before = await givenRowEvents();
  await work();
  return (await givenRowEvents()) - before;
}

describe("changes of a table that is the same on both sides", () => {
  test("are applied as row events, one statement for each target transaction", async () => {
    const { table, stream } = await running();
    const given = await rowEventsDuring(async () => {
      await ends.source.root(
        `UPDATE ${table} SET n = n + 1 WHERE id < 50; DELETE FROM ${table} WHERE id > 90; INSERT INTO ${table} VALUES (500, 'x', NULL)`,
      );
      await reached(stream);
    });
    expect(given).toBeGreaterThanOrEqual(1);
    expect(given).toBeLessThanOrEqual(3);
    const { source, target } = await settled(ends, stream, [table]);
    expect(target).toEqual(source);
  });

  test("fire no trigger on the target", async () => {
    const { table, stream, schema } = await running();
    await ends.target.root(`CREATE TRIGGER ${schema}.fires BEFORE UPDATE ON ${table} FOR EACH ROW SET NEW.n = -1`);
    await ends.source.root(`UPDATE ${table} SET n = 7 WHERE id = 1`);
    await reached(stream);
    expect(await ends.target.root(`SELECT n FROM ${table} WHERE id = 1`)).toEqual([{ n: "7" }]);
  });

  test("keep unique values unique, though the client on the source did not check them", async () => {
    const { table, stream } = await running(`${COLUMNS}, UNIQUE KEY (v)`);
    const client = "SET SESSION unique_checks = 0, foreign_key_checks = 0";
    await ends.source.root(`${client}; INSERT INTO ${table} VALUES (501, 'y', 1)`);
    const { source, target } = await settled(ends, stream, [table]);
    expect(target).toEqual(source);
    await ends.target.root(`INSERT INTO ${table} VALUES (900, 'taken', 1)`);
    await ends.source.root(`${client}; INSERT INTO ${table} VALUES (502, 'taken', 1)`);
    expect(String(await stream.ended)).toContain("REPLICATION_ROW_REFUSED");
    expect(await ends.target.root(`SELECT id FROM ${table} WHERE v = 'taken'`)).toEqual([{ id: "900" }]);
  });
});

describe("a value inside JSON of a type that no expression makes", () => {
  test("arrives as it is by row events, and a copy of it is refused: it would become one of another type", async () => {
    // The name is in the recorded events.
    const trap = "json-of-a-type-without-expression";
    const changes = readFileSync(join(import.meta.dirname, `../../scenarios/${trap}/changes.sql`), "utf8");
    const [table, copied] = [`${trap}.t`, `${trap}.copied`];
    await ends.source.root(`CREATE DATABASE \`${trap}\`; USE \`${trap}\`; CREATE TABLE t (id INT PRIMARY KEY, j JSON)`);
    const stream = await openStream(ends, [table], { migration: "typed" });
    opened = stream;
    await untilRunning(stream);
    await ends.source.root(`USE \`${trap}\`; ${changes}`);
    await ends.source.root(`USE \`${trap}\`; CREATE TABLE copied LIKE t; INSERT INTO copied SELECT * FROM t`);
    await reached(stream);
    const asked = `SELECT j, JSON_TYPE(j->'$[1]') AS type, JSON_STORAGE_SIZE(j) AS bytes FROM \`${trap}\`.t`;
    const rows = await ends.target.root(asked);
    expect(rows).toMatchObject([{ j: '["in", "ABCD"]', type: "BLOB" }]);
    expect(rows).toEqual(await ends.source.root(asked));
    const copying = await openStream(ends, [copied], { migration: "copied" });
    try {
      expect(String(await copying.ended)).toMatch(
        /REPLICATION_VALUE_UNSUPPORTED[\s\S]*no expression can write[\s\S]*JSON_SET/,
      );
    } finally {
      await copying.stream.close();
    }
    // What the error says to do.
    await ends.source.root(
      `UPDATE \`${trap}\`.copied SET j = JSON_SET(j, '$[1]', CAST(JSON_UNQUOTE(JSON_EXTRACT(j, '$[1]')) AS BINARY))`,
    );
    const again = await openStream(ends, [copied], { migration: "copied" });
    try {
      await untilRunning(again);
    } finally {
      await again.stream.close();
    }
    expect(await ends.target.root(`SELECT j FROM \`${trap}\`.copied`)).toEqual([
      { j: '["in", "base64:type251:QUJDRA=="]' },
    ]);
  });
});

describe("a row that is missing on the target", () => {
  test("is drift, once, whatever else its transaction changes; and row events go on after a while", async () => {
    const { table, stream } = await running();
    await ends.target.root(`DELETE FROM ${table} WHERE id = 3`);
    await ends.source.root(
      `BEGIN; UPDATE ${table} SET n = 7000 WHERE id = 2; UPDATE ${table} SET n = 7000 WHERE id = 3; UPDATE ${table} SET n = 7000 WHERE id = 4; COMMIT`,
    );
    await reached(stream);
    expect(stream.stream.status().drift).toBe(1);
    expect(await ends.target.root(`SELECT COUNT(*) AS n FROM ${table} WHERE n = 7000`)).toEqual([{ n: "2" }]);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    // The first transaction after the spell is the last that goes by statements.
    for (const n of [80, 81, 82]) {
      await ends.source.root(`UPDATE ${table} SET n = ${n} WHERE id = 5`);
      await reached(stream);
    }
    const given = await rowEventsDuring(async () => {
      await ends.source.root(`UPDATE ${table} SET n = 90 WHERE id = 5`);
      await reached(stream);
    });
    expect(given).toBe(1);
    expect(stream.stream.status().drift).toBe(1);
  });

  test("is drift on a server that is told to pass over missing rows in silence", async () => {
    await ends.target.root("SET GLOBAL replica_exec_mode = 'IDEMPOTENT'");
    try {
      const { table, stream } = await running();
      await ends.target.root(`DELETE FROM ${table} WHERE id = 3`);
      const given = await rowEventsDuring(async () => {
        await ends.source.root(`UPDATE ${table} SET n = 70 WHERE id = 3`);
        await reached(stream);
      });
      expect(stream.stream.status().drift).toBe(1);
      expect(given).toBe(0);
    } finally {
      await ends.target.root("SET GLOBAL replica_exec_mode = 'STRICT'");
    }
  });
});

describe("statements are used where row events cannot be", () => {
  test("and beside them, in one transaction: behind row events the server tells of no more results", async () => {
    const schema = `e${++sequence}`;
    const [keyed, heap] = [`${schema}.keyed`, `${schema}.heap`];
    await ends.source.root(`CREATE DATABASE ${schema}; CREATE TABLE ${keyed} (${COLUMNS}); CREATE TABLE ${heap} (doc JSON, n INT);
      INSERT INTO ${keyed} VALUES (1, 'a', 1); INSERT INTO ${heap} VALUES ('[1]', 1), ('[1]', 1), ('[1.0]', 1)`);
    opened = await openStream(ends, [keyed, heap], { migration: schema });
    await untilRunning(opened);
    await ends.source.root(`BEGIN; UPDATE ${keyed} SET n = 2; UPDATE ${heap} SET n = 2 WHERE doc->>'$[0]' = '1' LIMIT 1;
      DELETE FROM ${heap} WHERE doc->>'$[0]' = '1.0'; INSERT INTO ${keyed} VALUES (2, 'b', 1); COMMIT;
      BEGIN; INSERT INTO ${keyed} VALUES (3, 'c', 1); DELETE FROM ${keyed} WHERE id = 3; COMMIT`);
    const { source, target } = await settled(ends, opened, [keyed, heap]);
    expect(target).toEqual(source);
    expect(opened.stream.status().drift).toBe(0);
  });

  test("for what a client logs with fewer columns, in the order of the log", async () => {
    const { table, stream } = await running();
    stream.stream.pause();
    // While the stream is paused they gather, and are applied together.
    const less = "SET SESSION binlog_row_image = 'MINIMAL'";
    const full = "SET SESSION binlog_row_image = 'FULL'";
    await ends.source.root(`INSERT INTO ${table} VALUES (700, 'gone', 1), (701, 'back', 1); ${less};
      DELETE FROM ${table} WHERE id >= 700; ${full}; INSERT INTO ${table} VALUES (701, 'again', 2);
      BEGIN; INSERT INTO ${table} VALUES (702, 'gone', 1); ${less}; DELETE FROM ${table} WHERE id = 702; ${full};
      INSERT INTO ${table} VALUES (702, 'again', 2); UPDATE ${table} SET n = 9 WHERE id = 4; COMMIT`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    stream.stream.resume();
    const { source, target } = await settled(ends, stream, [table]);
    expect(target).toEqual(source);
    expect(stream.stream.status().drift).toBe(0);
  });

  test("on a table whose columns stand in another order on the target", async () => {
    const schema = `e${++sequence}`;
    await ends.source.root(
      `CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY, a INT, b INT); INSERT INTO ${schema}.t VALUES (1, 10, 20)`,
    );
    await ends.target.root(`CREATE DATABASE ${schema}; CREATE TABLE ${schema}.t (id INT PRIMARY KEY, b INT, a INT)`);
    opened = await openStream(ends, [`${schema}.t`], { migration: schema });
    await untilRunning(opened);
    await ends.source.root(`UPDATE ${schema}.t SET a = 11, b = 21; INSERT INTO ${schema}.t VALUES (2, 12, 22)`);
    await reached(opened);
    expect(await ends.target.root(`SELECT id, a, b FROM ${schema}.t ORDER BY id`)).toEqual([
      { id: "1", a: "11", b: "21" },
      { id: "2", a: "12", b: "22" },
    ]);
  });

  test("by an account that lacks the privilege", async () => {
    const { table, stream } = await running();
    await ends.target.root("REVOKE REPLICATION_APPLIER ON *.* FROM switchyard@'%'");
    try {
      await stream.stream.close();
      opened = await openStream(ends, [table], { migration: table.split(".")[0] ?? "" });
      // Opening it has granted the privilege again, before its session began to apply.
      await ends.target.root("REVOKE REPLICATION_APPLIER ON *.* FROM switchyard@'%'");
      await untilRunning(opened);
      // One row has its value already: it was found all the same.
      await ends.target.root(`UPDATE ${table} SET n = n + 1 WHERE id = 1`);
      await ends.source.root(`UPDATE ${table} SET n = n + 1; DELETE FROM ${table} WHERE id = 9`);
      const { source, target } = await settled(ends, opened, [table]);
      expect(target).toEqual(source);
      expect(opened.stream.status().drift).toBe(0);
    } finally {
      await ends.target.root("GRANT REPLICATION_APPLIER ON *.* TO switchyard@'%'");
    }
  });
});
