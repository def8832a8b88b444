import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { SwitchyardError } from "../../../src/base/errors.ts";
import { startServers, stopServers } from "../../support/servers.ts";
import { checksums, type Ends, executedOn, type OpenedStream, openStream, untilRunning } from "./stream-bench.ts";

/** A column type, and literals for it (under an empty sql_mode, time zone +00:00). */
const TYPES: readonly (readonly [name: string, type: string, values: readonly string[]])[] = [
  ["ti", "TINYINT", ["-128", "127", "0"]],
  ["tu", "TINYINT UNSIGNED", ["255"]],
  ["b1", "TINYINT(1)", ["1", "0", "-1"]],
  ["si", "SMALLINT", ["-32768"]],
  ["su", "SMALLINT UNSIGNED", ["65535"]],
  ["mi", "MEDIUMINT", ["-8388608"]],
  ["mu", "MEDIUMINT UNSIGNED", ["16777215"]],
  ["ii", "INT", ["-2147483648"]],
  ["iu", "INT UNSIGNED", ["4294967295"]],
  ["iz", "INT(8) ZEROFILL", ["42"]],
  ["bi", "BIGINT", ["-9223372036854775808", "9223372036854775807"]],
  ["bu", "BIGINT UNSIGNED", ["18446744073709551615", "9007199254740993"]],
  ["de", "DECIMAL(65,30)", ["-12345678901234567890123456789012345.123456789012345678901234567891", "1e-30"]],
  ["d2", "DECIMAL(5,2)", ["-0.01", "999.99"]],
  ["fl", "FLOAT", ["1.1", "-0.0", "3.4028234663852886e38", "1e-45", "16777216", "0.1", "1.17549435e-38"]],
  ["f7", "FLOAT(7,2)", ["12345.67", "-0.01"]],
  [
    "db",
    "DOUBLE",
    [
      "0.1",
      "1.7976931348623157e308",
      "5e-324",
      "-0.0",
      "0.30000000000000004",
      "123456789012345680",
      "1e16",
      "2.2250738585072014e-308",
    ],
  ],
  ["dm", "DOUBLE(20,5)", ["123456789.12345"]],
  ["bo", "BIT(1)", ["b'1'", "b'0'"]],
  ["bn", "BIT(13)", ["b'1000000000001'"]],
  ["bx", "BIT(64)", ["0xFFFFFFFFFFFFFFFE", "0x0A5C0900275C4E00"]],
  ["da", "DATE", ["'0000-00-00'", "'2024-00-00'", "'9999-12-31'", "'2023-02-31'"]],
  ["tm", "TIME", ["'-838:59:59'", "'00:00:01'"]],
  ["t1", "TIME(1)", ["'-00:00:00.1'"]],
  ["t6", "TIME(6)", ["'-00:00:00.000001'", "'838:59:58.999999'", "'-12:34:56.7'"]],
  ["dt", "DATETIME", ["'0000-00-00 00:00:00'", "'2024-00-10 01:02:03'"]],
  ["d6", "DATETIME(6)", ["'1000-01-01 00:00:00.000001'", "'2024-03-31 02:30:00.5'"]],
  ["ts", "TIMESTAMP NULL", ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "0"]],
  [
    "t3",
    "TIMESTAMP(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)",
    ["'2024-10-27 00:30:00.125'"],
  ],
  ["ye", "YEAR", ["1901", "2155", "0"]],
  ["ch", "CHAR(5) CHARACTER SET utf8mb4", ["'a  '", "'žluť'", "''", "'𝄞\\n\\t\\\\'"]],
  ["c1", "CHAR(4) CHARACTER SET latin1", ["'é'", "x'80ff'"]],
  ["cb", "CHAR(6) COLLATE utf8mb4_bin", ["'A'"]],
  [
    "vu",
    "VARCHAR(40) CHARACTER SET utf8mb4",
    ["'it''s'", "'tab\\tline\\nnul\\0back\\\\'", "'\\\\N'", "'日本語 🎉'", "'trail  '"],
  ],
  ["v3", "VARCHAR(40) CHARACTER SET utf8mb3", ["'ěščř'", "'plain'"]],
  ["vl", "VARCHAR(300) CHARACTER SET latin1", ["REPEAT('ü', 300)"]],
  ["vg", "VARCHAR(40) CHARACTER SET gbk", ["_gbk x'BFB15C'", "'中文'"]],
  ["vs", "VARCHAR(40) CHARACTER SET sjis", ["_sjis x'835C955C'"]],
  ["vw", "VARCHAR(40) CHARACTER SET utf16", ["'a中'"]],
  ["v4", "VARCHAR(40) CHARACTER SET ucs2", ["'ab'"]],
  ["bf", "BINARY(4)", ["x'41002000'", "x'00000000'", "x'FF'", "''"]],
  ["vb", "VARBINARY(8)", ["x'00FF00'", "x'5C275C'", "''"]],
  ["tt", "TINYTEXT", ["'tiny'"]],
  ["tx", "TEXT CHARACTER SET latin1", ["REPEAT('t\\n', 3000)"]],
  ["mt", "MEDIUMTEXT", ["REPEAT('ž', 40000)"]],
  ["lt", "LONGTEXT", ["''"]],
  ["tb", "TINYBLOB", ["x'00'"]],
  ["bl", "BLOB", ["REPEAT(x'0009270A5C', 5000)"]],
  ["mb", "MEDIUMBLOB", ["REPEAT(x'F0', 70000)"]],
  ["lb", "LONGBLOB", ["x'0D0A1A'"]],
  ["en", "ENUM('a','b,c','''','0x')", ["'a'", "'b,c'", "0", "''''"]],
  ["eu", "ENUM('1','10','2') CHARACTER SET latin1", ["'10'", "'1'"]],
  ["ez", "ENUM('ž','š')", ["'š'"]],
  ["se", "SET('x','y','z')", ["'x,z'", "''", "7"]],
  [
    "s9",
    `SET(${Array.from({ length: 64 }, (_, i) => `'m${i}'`).join(",")})`,
    ["18446744073709551615", "9223372036854775809"],
  ],
  [
    "js",
    "JSON",
    [
      '\'{"a": 1.0, "b": [1, -1, 18446744073709551615, 1e20, 0.1, null, true], "č": "x\\\\\\\\ \\\\"q\\\\" \\\\u0007"}\'',
      "'1.0'",
      "'\"str\"'",
      "'[]'",
      "'null'",
      "'-0.0'",
      "'{\"\": {}}'",
      "'1e-7'",
      "'0.30000000000000004'",
      "CAST(-0.50 AS JSON)",
      "JSON_OBJECT('', CAST(5 AS UNSIGNED), 'é\\\"', JSON_ARRAY(5000000000, -5000000000, CAST(0 AS UNSIGNED), 1.5, 2, DATE'2024-02-29', TIME'-838:59:59', TIMESTAMP'1000-01-01 00:00:00.000001'))",
      "JSON_ARRAY(CAST(12345678901234567890123456789012345.123456789012345678901234567891 AS DECIMAL(65,30)), CAST(7 AS DECIMAL(3,0)), 0.00, JSON_ARRAY(x'00FF09', x''), '2.50', 2.50, NULL, TRUE)",
      // BIT, BINARY, the sizes of BLOB and TIMESTAMP are types that only columns give.
      "(SELECT JSON_ARRAY(b, n, t, m, l, s) FROM JSON_TABLE('[[258, \"a\", \"\", \"b\", \"c\", \"2024-10-27 00:30:00.5\"]]', '$[*]' COLUMNS (b BIT(16) PATH '$[0]', n BINARY(3) PATH '$[1]', t TINYBLOB PATH '$[2]', m MEDIUMBLOB PATH '$[3]', l LONGBLOB PATH '$[4]', s TIMESTAMP(6) PATH '$[5]')) c)",
    ],
  ],
  ["ge", "GEOMETRY", ["ST_GeomFromText('POINT(1 2)', 4326)", "ST_GeomFromText('LINESTRING(0 0,1 1,2 3)')"]],
  ["po", "POINT SRID 0", ["ST_GeomFromText('POINT(-1.5 1e300)')"]],
  ["ve", "VECTOR(3)", ["TO_VECTOR('[1,2.5,-3e-20]')"]],
];

const COLUMNS = TYPES.map(([name, type]) => `${name} ${type}${/ NULL| DEFAULT/.test(type) ? "" : " NULL"}`).join(", ");

let ends: Ends;
let opened: OpenedStream | undefined;

beforeAll(async () => {
  ends = await startServers(["source", "target"]);
  await ends.source.root("CREATE DATABASE d");
}, 60_000);
afterAll(async () => stopServers(ends as unknown as Record<string, never>));
afterEach(async () => {
  await opened?.stream.close();
  opened = undefined;
});

/** One row per value and column, all others NULL; a row of NULLs; a row with the first value of each. */
function inserts(table: string, firstId: number): string {
  const statements: string[] = [`INSERT INTO ${table} (id) VALUES (${firstId});`];
  let id = firstId + 1;
  for (const [name, , values] of TYPES) {
    for (const value of values) statements.push(`INSERT INTO ${table} (id, ${name}) VALUES (${id++}, ${value});`);
  }
  const names = TYPES.map(([name]) => name).join(", ");
  statements.push(
    `INSERT INTO ${table} (id, ${names}) VALUES (${id}, ${TYPES.map(([, , values]) => values[0]).join(", ")});`,
  );
  return `SET sql_mode = '', time_zone = '+00:00'; ${statements.join("\n")}`;
}

/** Every value as exact bytes: floats by all their digits, texts and JSON by type and bytes, rows in key order. */
async function bytesOf(server: Ends["source"], table: string, key: string): Promise<unknown> {
  const shown = TYPES.map(([name, type]) => {
    if (/^(FLOAT|DOUBLE)/.test(type)) return `CAST(${name} AS DOUBLE) AS ${name}`;
    if (/^(ENUM|SET|BIT)/.test(type)) return `CONCAT(CAST(${name} AS UNSIGNED), '=', HEX(${name})) AS ${name}`;
    if (type === "JSON") {
      const inside = `JSON_TABLE(JSON_ARRAY(${name}), '$**[*]' COLUMNS (n FOR ORDINALITY, part JSON PATH '$')) parts`;
      const types = `(SELECT GROUP_CONCAT(JSON_TYPE(part) ORDER BY n) FROM ${inside})`;
      return `CONCAT(${types}, ' ', IFNULL(JSON_TYPE(JSON_EXTRACT(${name}, '$.""')), ''), HEX(CAST(${name} AS CHAR))) AS ${name}`;
    }
    return `HEX(${name}) AS ${name}`;
  });
  return await server.root(
    `SET time_zone = '+00:00'; SELECT HEX(${key}) AS k, ${shown.join(", ")} FROM ${table} ORDER BY ${key}`,
  );
}

async function caughtUp(): Promise<void> {
  await opened?.stream.waitFor(await executedOn(ends.source), { timeoutMs: 20_000 });
}

describe("every value arrives with not a bit changed", () => {
  test("through the copy, and through the log when inserted, updated, moved to another key, and deleted", async () => {
    await ends.source.root(
      `CREATE TABLE d.copied (id INT PRIMARY KEY, ${COLUMNS}, gv INT AS (id * 2) VIRTUAL, gs INT AS (id * 3) STORED UNIQUE)`,
    );
    await ends.source.root("CREATE TABLE d.logged LIKE d.copied");
    await ends.source.root("CREATE TABLE d.updated LIKE d.copied");
    await ends.source.root(inserts("d.copied", 1));
    await ends.source.root(inserts("d.updated", 1));
    opened = await openStream(ends, ["d.copied", "d.logged", "d.updated"]);
    await untilRunning(opened);
    await ends.source.root(inserts("d.logged", 1));
    // Each row takes the values of its successor, then half of the keys move away, then some rows go.
    const assignments = TYPES.map(([name]) => `u.${name} = c.${name}`).join(", ");
    await ends.source.root(`SET sql_mode = 'NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES', time_zone='+00:00'; UPDATE IGNORE d.updated u JOIN d.copied c ON c.id = u.id + 1 SET ${assignments};
      UPDATE d.updated SET id = id + 10000 WHERE id % 2 = 0; DELETE FROM d.updated WHERE id % 7 = 0`);
    await caughtUp();
    for (const table of ["d.copied", "d.logged", "d.updated"]) {
      expect(await bytesOf(ends.target, table, "id"), table).toEqual(await bytesOf(ends.source, table, "id"));
    }
    expect(opened.stream.status().drift).toBe(0);
    const [count] = await ends.target.root("SELECT COUNT(*) AS n FROM d.logged");
    expect(Number(count?.["n"])).toBe(TYPES.reduce((sum, [, , values]) => sum + values.length, 2));
  });

  test("where nothing but all values finds a row, by statements and by row events", async () => {
    const plain = TYPES.filter(([, type]) => type !== "JSON").map(([name, type]) => `${name} ${type}`);
    const nullable = plain.map((column) => (/ NULL| DEFAULT/.test(column) ? column : `${column} NULL`)).join(", ");
    await ends.source.root(
      `CREATE TABLE d.heap (id INT, ${COLUMNS}); CREATE TABLE d.logged_heap (id INT, ${nullable})`,
    );
    const both = inserts("d.heap", 1);
    const others = both.replaceAll("d.heap", "d.logged_heap").replaceAll(/INSERT[^;]*\bjs\b[^;]*;/g, "");
    await ends.source.root(["BEGIN;", both, both, others, others, "COMMIT;"].join("\n"));
    opened = await openStream(ends, ["d.heap", "d.logged_heap"], { migration: "heaps" });
    await untilRunning(opened);
    // One of every two alike is changed, the other is not; then some go.
    for (const table of ["d.heap", "d.logged_heap"]) {
      const [most] = await ends.source.root(`SELECT MAX(id) AS id FROM ${table}`);
      const ids = Array.from({ length: Number(most?.["id"]) }, (_, i) => i + 1);
      const changes = ids.map((id) => `UPDATE ${table} SET id = ${id} + 10000 WHERE id = ${id} LIMIT 1`);
      await ends.source.root(
        `SET sql_mode = '', time_zone='+00:00'; BEGIN; ${changes.join("; ")}; COMMIT; DELETE FROM ${table} WHERE id % 7 = 0`,
      );
    }
    await caughtUp();
    const { source, target } = await checksums(ends, ["d.heap", "d.logged_heap"]);
    expect(target).toEqual(source);
    expect(opened.stream.status().drift).toBe(0);
  });

  test("by statements as well, where the target takes no row events", async () => {
    await ends.target.root("SET GLOBAL replica_exec_mode = 'IDEMPOTENT'");
    try {
      await ends.source.root(`CREATE TABLE d.spelled (id INT PRIMARY KEY, ${COLUMNS})`);
      opened = await openStream(ends, ["d.spelled"], { migration: "spelled" });
      await untilRunning(opened);
      await ends.source.root(inserts("d.spelled", 1));
      await caughtUp();
    } finally {
      await ends.target.root("SET GLOBAL replica_exec_mode = 'STRICT'");
    }
    expect(await bytesOf(ends.target, "d.spelled", "id")).toEqual(await bytesOf(ends.source, "d.spelled", "id"));
  });

  test("random floats and doubles, copied and followed", async () => {
    await ends.source.root(`CREATE TABLE d.floats (id INT AUTO_INCREMENT PRIMARY KEY, f FLOAT, d DOUBLE, j JSON)`);
    const fill = (rows: number): string => `SET SESSION cte_max_recursion_depth = 100000; INSERT INTO d.floats (f, d, j)
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}), r AS (SELECT (RAND() - 0.5) * POW(10, FLOOR(RAND() * 76) - 38) AS f,
      (RAND() - 0.5) * POW(10, FLOOR(RAND() * 600) - 300) AS d FROM n) SELECT f, d, JSON_ARRAY(d, f) FROM r`;
    await ends.source.root(fill(3000));
    opened = await openStream(ends, ["d.floats"], { migration: "floats" });
    await untilRunning(opened);
    await ends.source.root(fill(3000));
    await caughtUp();
    const sql = "SELECT COUNT(*) AS n, BIT_XOR(CRC32(CONCAT_WS('|', id, CAST(f AS DOUBLE), d, j))) AS x FROM d.floats";
    expect(await ends.target.root(sql)).toEqual(await ends.source.root(sql));
    const check = "CHECKSUM TABLE d.floats EXTENDED";
    expect(await ends.target.root(check)).toEqual(await ends.source.root(check));
  });
});

describe("keys of every type find their row, in the copy by ranges and in the log", () => {
  const keys: readonly (readonly [type: string, values: readonly string[], moved: string])[] = [
    ["BIGINT UNSIGNED", ["18446744073709551615", "9007199254740993", "9007199254740992", "0"], "18446744073709551614"],
    ["BIGINT", ["-9223372036854775808", "-1", "0", "9223372036854775807"], "5"],
    ["DECIMAL(30,10)", ["-1.5", "-0.0000000001", "0", "12345678901234567890.0123456789"], "2.5"],
    ["DATE", ["'0000-00-00'", "'2024-02-29'", "'9999-12-31'"], "'2000-01-01'"],
    ["DATETIME(6)", ["'2024-02-29 00:00:00.000001'", "'2024-02-29 00:00:00.000002'"], "'2024-02-29 00:00:00'"],
    ["TIMESTAMP(2)", ["'2024-03-31 01:30:00.25'", "'2024-03-31 02:30:00.25'"], "'2024-03-31 03:30:00.25'"],
    ["TIME(3)", ["'-838:59:59'", "'-00:00:00.001'", "'00:00:00'", "'12:00:00.5'"], "'13:00:00'"],
    ["YEAR", ["1901", "2024", "'0000'"], "2025"],
    ["BINARY(4)", ["x'00000000'", "x'41002000'", "x'FFFFFFFF'", "x'41'"], "x'4200'"],
    ["VARBINARY(8)", ["x''", "x'00'", "x'0000'", "x'FF27'"], "x'01'"],
    ["VARCHAR(20) COLLATE utf8mb4_bin", ["''", "'a'", "'A'", "'a\\t'", "'ž'"], "'b'"],
    ["VARCHAR(20) COLLATE utf8mb4_0900_bin", ["'a'", "'a '", "'A'", "'𝄞'"], "'c'"],
    ["VARCHAR(20) COLLATE utf8mb4_0900_ai_ci", ["'abc'", "'É'", "'z '"], "'y'"],
    ["CHAR(8) CHARACTER SET latin1", ["'abc'", "'ü'", "''"], "'x'"],
    ["ENUM('p','q','r')", ["'r'", "'p'"], "'q'"],
    ["BIT(9)", ["b'100000000'", "b'1'"], "b'11'"],
    ["DOUBLE", ["0.1", "-1.5e300", "0.30000000000000004"], "7"],
    ["FLOAT", ["0.1", "16777216"], "3"],
  ];

  test.each(keys)("%s", async (type, values, moved) => {
    const migration = `k${keys.findIndex(([one]) => one === type)}`;
    const table = `d.${migration}`;
    const insert = values.map((value, i) => `INSERT INTO ${table} VALUES (${value}, ${i}, 'v');`).join("");
    await ends.source.root(
      `SET sql_mode='', time_zone='+00:00'; CREATE TABLE ${table} (k ${type} NOT NULL, k2 INT NOT NULL, v VARCHAR(20), PRIMARY KEY (k, k2)); ${insert}`,
    );
    opened = await openStream(ends, [table], { migration, limits: { chunkRowsMax: 1 } });
    await untilRunning(opened);
    const updates = values
      .map((value, i) => `UPDATE ${table} SET v = 'w${i}' WHERE k = ${value} AND k2 = ${i};`)
      .join("");
    await ends.source.root(`SET sql_mode='', time_zone='+00:00'; ${updates} UPDATE ${table} SET k2 = k2 + 100 WHERE k2 = 0;
      UPDATE ${table} SET k = ${moved} WHERE k2 = 1; DELETE FROM ${table} WHERE k2 = 2; INSERT INTO ${table} VALUES (${values[0]}, 7, 'z')`);
    await caughtUp();
    const sql = `SELECT HEX(CAST(k AS BINARY)) AS k, k2, v FROM ${table} ORDER BY k2`;
    expect(await ends.target.root(sql)).toEqual(await ends.source.root(sql));
    expect(opened.stream.status().drift).toBe(0);
  });
});

describe("the target of a table with a mapping", () => {
  test("has no keys of its operator while rows are copied, and all of them afterwards, whatever is interrupted", async () => {
    await ends.source.root(`CREATE TABLE d.own (id INT PRIMARY KEY, n INT, up INT, UNIQUE KEY n (n), KEY up (up), FOREIGN KEY (up) REFERENCES d.own (n));
      INSERT INTO d.own WITH RECURSIVE r (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 300) SELECT i, i, 1 FROM r`);
    await ends.target.root(`CREATE DATABASE IF NOT EXISTS d; CREATE TABLE d.own (extra INT DEFAULT 7, up INT, id BIGINT PRIMARY KEY, m INT,
      UNIQUE KEY n (m), KEY up (up, extra), KEY more (extra), again INT, CONSTRAINT again FOREIGN KEY (again) REFERENCES d.own (m), CONSTRAINT parent FOREIGN KEY (up) REFERENCES d.own (m))`);
    const show = async (): Promise<string> =>
      (await ends.target.root("SHOW CREATE TABLE d.own"))[0]?.["Create Table"] ?? "";
    const made = await show();
    const mappings = { "d.own": { rename: { n: "m" }, add: ["extra", "again"], widen: ["id"], allowNarrowing: true } };
    const early: string[] = [];
    const moved = new Set<string>();
    opened = await openStream(ends, ["d.own"], {
      migration: "own",
      mappings,
      limits: { chunkRowsMax: 50, copyReaders: 1, copyCycleMaxMs: 1 },
      failpoint: async (point) => {
        if (!["copy-after-chunk-commit", "copy-before-keys", "copy-after-keys"].includes(point)) return;
        if (point !== "copy-after-keys") early.push(await show());
        // A value goes from a row that waits to be copied to one that is, between two snapshots.
        const [next] = await ends.target.root("SELECT MAX(id) AS id FROM d.own");
        const id = Number(next?.["id"]);
        if (id < 300) {
          await ends.source.root(`SET foreign_key_checks = 0; BEGIN; UPDATE d.own SET n = 1000 + id WHERE id = ${id};
            UPDATE d.own SET n = ${id} WHERE id = ${id + 1}; COMMIT`);
        }
        if (moved.has(point)) return;
        moved.add(point);
        throw new SwitchyardError("MYSQL_CONNECTION_LOST", { what: "cut by the test" });
      },
    });
    await untilRunning(opened);
    await caughtUp();
    expect(moved.size).toBe(3);
    expect(early.filter((text) => /UNIQUE|FOREIGN|KEY `more`/.test(text))).toEqual([]);
    expect(await show()).toBe(made);
    const rows = "SELECT COUNT(*) AS n, SUM(CRC32(CONCAT_WS('/', id, NAME, up))) AS x FROM d.own";
    expect(await ends.target.root(rows.replace("NAME", "m"))).toEqual(
      await ends.source.root(rows.replace("NAME", "n")),
    );
    expect(await ends.target.root("SELECT DISTINCT extra FROM d.own")).toEqual([{ extra: "7" }]);
  });

  /** The server reads row events by position: what fits by chance would land in the other column. */
  test("gets each value in the column that it is mapped to, where the columns look alike", async () => {
    await ends.source.root(
      "CREATE TABLE d.swapped (id INT PRIMARY KEY, a INT, b INT); INSERT INTO d.swapped VALUES (1, 10, 20)",
    );
    await ends.target.root(
      "CREATE DATABASE IF NOT EXISTS d; CREATE TABLE d.swapped (id INT PRIMARY KEY, a INT, b INT)",
    );
    const mappings = { "d.swapped": { rename: { a: "b", b: "a" } } };
    opened = await openStream(ends, ["d.swapped"], { migration: "swapped", mappings });
    await untilRunning(opened);
    await ends.source.root("INSERT INTO d.swapped VALUES (2, 30, 40); UPDATE d.swapped SET a = 11 WHERE id = 1");
    await caughtUp();
    expect(await ends.target.root("SELECT id, a, b FROM d.swapped ORDER BY id")).toEqual([
      { id: "1", a: "20", b: "11" },
      { id: "2", a: "40", b: "30" },
    ]);
  });
});
