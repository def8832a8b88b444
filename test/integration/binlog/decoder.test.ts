import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RowsEvent } from "../../../src/binlog/binlog-event.ts";
import { COLUMN } from "../../../src/binlog/column-type.ts";
import { jsonText, readJson } from "../../../src/binlog/json-value.ts";
import { RowWalker, VALUE_NULL } from "../../../src/binlog/row-walker.ts";
import { hasValueText, valueText } from "../../../src/binlog/value-text.ts";
import { startServers, stopServers, type TestServer } from "../../support/servers.ts";
import { logOf, mysqlbinlog, partsOf } from "./real-binlog.ts";

let servers: { one: TestServer };

beforeAll(async () => {
  servers = await startServers(["one"], { args: ["--local-infile=1"] });
  await servers.one.root("CREATE DATABASE d");
}, 60_000);

afterAll(async () => stopServers(servers));

const TYPES: readonly (readonly [type: string, values: readonly string[]])[] = [
  ["TINYINT", ["-128", "127", "0", "NULL"]],
  ["TINYINT UNSIGNED", ["255", "0"]],
  ["SMALLINT", ["-32768", "32767"]],
  ["SMALLINT UNSIGNED", ["65535"]],
  ["MEDIUMINT", ["-8388608", "8388607", "-1"]],
  ["MEDIUMINT UNSIGNED", ["16777215"]],
  ["INT", ["-2147483648", "2147483647"]],
  ["INT UNSIGNED", ["4294967295"]],
  ["BIGINT", ["-9223372036854775808", "9223372036854775807"]],
  ["BIGINT UNSIGNED", ["18446744073709551615", "9007199254740993"]],
  [
    "DECIMAL(65,30)",
    ["12345678901234567890123456789012345.123456789012345678901234567891", "-0.000000000000000000000000000001", "0"],
  ],
  ["DECIMAL(5,2)", ["-999.99", "0.01", "-0.01", "1"]],
  ["DECIMAL(9,0)", ["-999999999", "7"]],
  ["DECIMAL(4,4)", ["0.0001", "-0.9999"]],
  ["FLOAT", ["1.1", "-0.0", "3.4028234663852886e38", "1e-45", "16777216"]],
  ["DOUBLE", ["0.1", "1.7976931348623157e308", "5e-324", "-0.0", "123456789012345680000", "1"]],
  ["BIT(1)", ["b'1'", "b'0'"]],
  ["BIT(9)", ["b'100000001'"]],
  ["BIT(64)", ["0xFFFFFFFFFFFFFFFE"]],
  ["DATE", ["'9999-12-31'", "'0000-00-00'", "'2024-00-00'", "'1000-01-01'"]],
  ["TIME", ["'838:59:59'", "'-838:59:59'", "'00:00:00'", "'-00:00:01'"]],
  ["TIME(1)", ["'-00:00:00.1'", "'12:34:56.7'"]],
  ["TIME(3)", ["'-12:34:56.789'", "'00:00:00.001'"]],
  ["TIME(6)", ["'-00:00:00.000001'", "'838:59:58.999999'"]],
  ["DATETIME", ["'9999-12-31 23:59:59'", "'0000-00-00 00:00:00'", "'2024-00-10 01:02:03'"]],
  ["DATETIME(2)", ["'2024-02-29 23:59:59.98'"]],
  ["DATETIME(6)", ["'1000-01-01 00:00:00.000001'"]],
  ["TIMESTAMP NULL", ["'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "0"]],
  ["TIMESTAMP(5) NULL", ["'2024-03-31 01:30:00.12345'"]],
  ["YEAR", ["1901", "2155", "0"]],
  ["ENUM('a','b,c','''')", ["'a'", "'b,c'", "''''"]],
  ["SET('x','y','z')", ["'x,z'", "''"]],
];

const BYTES: readonly (readonly [type: string, values: readonly string[]])[] = [
  ["CHAR(4) CHARACTER SET utf8mb4", ["'a'", "'žluť'", "''"]],
  ["CHAR(255) CHARACTER SET utf8mb4", ["REPEAT('ž', 255)"]],
  ["VARCHAR(10) CHARACTER SET latin1", ["'é  '", "''"]],
  ["VARCHAR(300) CHARACTER SET utf8mb4", ["REPEAT('𝄞', 300)"]],
  ["VARBINARY(8)", ["x'00FF00'"]],
  ["TINYTEXT", ["'tiny'"]],
  ["TEXT", ["REPEAT('t', 3000)"]],
  ["MEDIUMBLOB", ["REPEAT(x'00FF27', 50000)"]],
  ["LONGTEXT", ["'long'"]],
  ["GEOMETRY SRID 4326", ["ST_GeomFromText('POINT(1 2)', 4326)"]],
  ["VECTOR(3)", ["TO_VECTOR('[1,2.5,-3]')"]],
];

interface Seen {
  readonly event: RowsEvent;
  readonly values: (string | Buffer | null)[];
}

function rowsOf(file: string): Seen[] {
  const seen: Seen[] = [];
  for (const part of partsOf(file)) {
    if (part.kind !== "rows") continue;
    const walker = new RowWalker(part.event);
    const table = part.event.table;
    while (walker.next()) {
      const image = part.event.operation === "delete" ? walker.before : walker.after;
      const values = table.columns.map((column, i) => {
        const start = image.starts[i] as number;
        if (start === VALUE_NULL) return null;
        if (hasValueText(column)) return valueText(column, table.unsigned?.[i] ?? false, image.buffer, start);
        return Buffer.from(image.buffer.subarray(start, image.ends[i]));
      });
      seen.push({ event: part.event, values });
    }
  }
  return seen;
}

describe("values in row images are what the server itself shows", () => {
  test.each(TYPES)("%s", async (type, values) => {
    const inserts = values.map((value) => `INSERT INTO d.t (v) VALUES (${value});`).join("");
    const file = await logOf(
      servers.one,
      `DROP TABLE IF EXISTS d.t; SET time_zone='+00:00', sql_mode='';
       CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, v ${type}); ${inserts}`,
    );
    const shown = /^(FLOAT|DOUBLE)/.test(type)
      ? "CAST(v AS DOUBLE)"
      : /^(BIT|ENUM|SET)/.test(type)
        ? "CAST(v AS UNSIGNED)"
        : "v";
    const expected = await servers.one.root(`SET time_zone='+00:00'; SELECT ${shown} AS v FROM d.t ORDER BY id`);
    const actual = rowsOf(file).map((row) => row.values[1]);
    if (/^(FLOAT|DOUBLE)/.test(type)) {
      const bits = (text: unknown): string => {
        const bytes = Buffer.alloc(8);
        bytes.writeDoubleBE(Number(text));
        return bytes.toString("hex");
      };
      expect(actual.map(bits)).toEqual(expected.map((row) => bits(row["v"])));
    } else {
      expect(actual).toEqual(expected.map((row) => row["v"]));
    }
    expect(actual).toHaveLength(values.length);
  });

  test.each(BYTES)("%s", async (type, values) => {
    const inserts = values.map((value) => `INSERT INTO d.t (v) VALUES (${value});`).join("");
    const file = await logOf(
      servers.one,
      `DROP TABLE IF EXISTS d.t; CREATE TABLE d.t (id INT AUTO_INCREMENT PRIMARY KEY, v ${type}); ${inserts}`,
    );
    const expected = await servers.one.root("SELECT LOWER(HEX(v)) AS v FROM d.t ORDER BY id");
    const actual = rowsOf(file).map((row) => (row.values[1] as Buffer).toString("hex"));
    expect(actual).toEqual(expected.map((row) => row["v"]));
  });

  test("JSON of all kinds, large and nested, with values of SQL types inside", async () => {
    const documents = [
      `'{"a": 1.0, "b": [1, -1, 40000, -40000, 5000000000, 18446744073709551615, 1e20, 0.1], "c": null, "d": true}'`,
      "'[]'",
      "'{}'",
      `'"plain \\\\" quoted \\\\u0007"'`,
      "'1.0'",
      "'-0.0'",
      "JSON_OBJECT('decimal', 1.50, 'date', CAST('2024-02-29' AS DATE), 'time', CAST('-12:00:00.5' AS TIME(1)))",
      "JSON_ARRAY(CAST('2024-02-29 12:34:56.000001' AS DATETIME(6)), -0.05, CAST(x'00ff' AS BINARY))",
      `CONCAT('["', REPEAT('x', 70000), '", 1, -70000, {"k": [false]}]')`,
      `CONCAT('{"z": "', REPEAT('y', 20000), '", "y": "', REPEAT('w', 60000), '", "n": 123456, "s": 1}')`,
    ];
    const inserts = documents.map((value) => `INSERT INTO d.j (v) VALUES (${value});`).join("");
    const file = await logOf(
      servers.one,
      `DROP TABLE IF EXISTS d.j; CREATE TABLE d.j (id INT AUTO_INCREMENT PRIMARY KEY, v JSON); ${inserts}`,
    );
    const expected = await servers.one.root("SELECT v FROM d.j ORDER BY id");
    const actual = rowsOf(file).map((row) => {
      const bytes = row.values[1] as Buffer;
      return jsonText(readJson(bytes, 0, bytes.length));
    });
    expect(actual).toEqual(expected.map((row) => row["v"]));
  });
});

describe("a log file read by us and by mysqlbinlog", () => {
  test("tells of the same number of rows, operations, NULLs and transactions", async () => {
    const file = await logOf(
      servers.one,
      `DROP TABLE IF EXISTS d.w; CREATE TABLE d.w (a INT PRIMARY KEY, b VARCHAR(20), c DECIMAL(10,3), d INT AS (a+1) STORED);
       INSERT INTO d.w (a,b,c) VALUES (1,'x',1.5),(2,NULL,NULL),(3,'z',-1);
       BEGIN; UPDATE d.w SET b='q', c=c*2; DELETE FROM d.w WHERE a=3; SAVEPOINT s; INSERT INTO d.w (a) VALUES (9);
       ROLLBACK TO s; INSERT INTO d.w (a) VALUES (10); COMMIT; TRUNCATE d.w;`,
    );
    const text = await mysqlbinlog(file);
    const count = (pattern: RegExp): number => text.match(pattern)?.length ?? 0;
    const parts = partsOf(file);
    const rows = { write: 0, update: 0, delete: 0 };
    let nulls = 0;
    for (const part of parts) {
      if (part.kind !== "rows") continue;
      const walker = new RowWalker(part.event);
      while (walker.next()) {
        rows[part.event.operation]++;
        if (part.event.operation !== "write") nulls += walker.before.starts.filter((at) => at === VALUE_NULL).length;
        if (part.event.operation !== "delete") nulls += walker.after.starts.filter((at) => at === VALUE_NULL).length;
      }
    }
    expect(rows).toEqual({
      write: count(/^### INSERT INTO/gm),
      update: count(/^### UPDATE/gm),
      delete: count(/^### DELETE FROM/gm),
    });
    expect(nulls).toBe(count(/^### {3}@\d+=NULL/gm));
    expect(parts.filter((part) => part.kind === "begin").length).toBe(count(/GTID_NEXT= '[0-9a-f]/g));
  });
});

describe("the shapes of transactions that a server writes are followed", () => {
  const shapes: readonly (readonly [what: string, sql: string, kinds: readonly string[]])[] = [
    ["autocommit", "INSERT INTO d.s VALUES (1)", ["begin", "rows", "end commit"]],
    ["DDL", "CREATE TABLE d.s2 (a INT)", ["begin", "statement", "end commit"]],
    [
      "compressed",
      "SET binlog_transaction_compression=ON; INSERT INTO d.s VALUES (2)",
      ["begin", "rows", "end commit"],
    ],
    [
      "XA, prepared and committed",
      "XA START 'x'; INSERT INTO d.s VALUES (3); XA END 'x'; XA PREPARE 'x'; XA COMMIT 'x'",
      ["begin", "rows", "end prepare", "begin", "end commit"],
    ],
    [
      "XA in one phase",
      "XA START 'y'; INSERT INTO d.s VALUES (4); XA END 'y'; XA COMMIT 'y' ONE PHASE",
      ["begin", "rows", "end commit"],
    ],
    ["CREATE TABLE AS SELECT", "CREATE TABLE d.s3 AS SELECT * FROM d.s", ["begin", "statement", "rows", "end commit"]],
    [
      "MyISAM",
      "CREATE TABLE d.m (a INT) ENGINE=MyISAM; INSERT INTO d.m VALUES (1)",
      ["begin", "statement", "end commit", "begin", "rows", "end commit"],
    ],
    [
      "empty, under a chosen GTID",
      "SET gtid_next='3e11fa47-71ca-11e1-9e33-c80aa9429562:7'; BEGIN; COMMIT; SET gtid_next=AUTOMATIC",
      ["begin", "end commit"],
    ],
    [
      "tagged",
      "SET gtid_next='AUTOMATIC:nightly'; INSERT INTO d.s VALUES (5); SET gtid_next=AUTOMATIC",
      ["begin", "rows", "end commit"],
    ],
  ];

  test.each(shapes)("%s", async (_what, sql, kinds) => {
    await servers.one.root("CREATE TABLE IF NOT EXISTS d.s (a INT PRIMARY KEY)");
    const file = await logOf(servers.one, sql);
    const parts = partsOf(file);
    expect(parts.map((part) => (part.kind === "end" ? `end ${part.how}` : part.kind))).toEqual(kinds);
    const text = await mysqlbinlog(file);
    const named = [...text.matchAll(/GTID_NEXT= '([0-9a-f][^']*)'/g)].map((match) => match[1]);
    const ours = parts.flatMap((part) => (part.kind === "begin" ? [part.event] : []));
    expect(ours.map(({ gtid }) => `${gtid.uuid}${gtid.tag === "" ? "" : `:${gtid.tag}`}:${gtid.gno}`)).toEqual(named);
    const micros = [...text.matchAll(/immediate_commit_timestamp=(\d+) \(/g)].map((match) => Number(match[1]));
    expect(ours.map((event) => event.commitMicros)).toEqual(micros);
    expect(ours.every((event) => event.transactionBytes > 0)).toBe(true);
  });

  test("a statement in statement format is never taken for nothing", async () => {
    const file = await logOf(servers.one, "SET binlog_format=STATEMENT; INSERT INTO d.s VALUES (77)");
    const statements = partsOf(file).filter((part) => part.kind === "statement");
    expect(statements.map((part) => part.event.sql)).toEqual(["INSERT INTO d.s VALUES (77)"]);
  });

  test("a PREVIOUS_GTIDS event and gtid_executed agree, tags included", async () => {
    const file = await logOf(servers.one, "SELECT 1");
    const { decodeFile } = await import("./real-binlog.ts");
    const previous = decodeFile(file).find((event) => event.kind === "previous-gtids");
    const [row] = await servers.one.root("SELECT @@gtid_executed AS g");
    expect(previous?.set.toString()).toBe(row?.["g"]?.replaceAll("\n", ""));
    expect(row?.["g"]).toContain(":nightly:");
  });

  test("signedness and collations of columns are those of the table, whatever lies between them", async () => {
    const file = await logOf(
      servers.one,
      `CREATE TABLE d.c (a INT UNSIGNED PRIMARY KEY, y YEAR, b VARCHAR(9) COLLATE utf8mb4_bin, e ENUM('q'), j JSON,
         f FLOAT UNSIGNED, g CHAR(3) CHARACTER SET latin1, i BIGINT, t TEXT COLLATE utf8mb4_bin, v VECTOR(2), u TINYINT UNSIGNED,
         n VARBINARY(7));
       INSERT INTO d.c (a) VALUES (1)`,
    );
    const ids = new Map(
      (await servers.one.root("SELECT collation_name AS n, id FROM information_schema.collations")).map((row) => [
        row["n"] ?? "",
        Number(row["id"]),
      ]),
    );
    const part = partsOf(file).find((one) => one.kind === "rows");
    expect(part?.event.table.unsigned).toEqual([
      true,
      true,
      false,
      false,
      false,
      true,
      false,
      false,
      false,
      false,
      true,
      false,
    ]);
    expect(part?.event.table.columns.some((column) => column.type === COLUMN.VECTOR)).toBe(true);
    const bin = ids.get("utf8mb4_bin");
    const collations = part?.event.table.collations;
    expect([collations?.[2], collations?.[6], collations?.[8], collations?.[11]]).toEqual([
      bin,
      ids.get("latin1_swedish_ci"),
      bin,
      ids.get("binary"),
    ]);
  });
});
