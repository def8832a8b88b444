import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import mysql from "mysql2/promise";
import { CAP, COM } from "../../src/wire/capabilities.ts";
import { FIELD } from "../../src/wire/field-type.ts";
import { buildExecute, buildFetch, buildLongData, EXECUTE_FLAG } from "../../src/wire/prepared-statement.ts";
import { RawSession } from "./raw-session.ts";
import { mysqlTool, type TestServer } from "./servers.ts";

/** What a client does on one connection, through a relay that listens. */
export interface WireSession {
  readonly name: string;
  /** The client and its arguments, for people. */
  readonly origin: string;
  run(port: number, server: TestServer): Promise<void>;
}

/** Accounts and tables that the sessions use: a column of every type, at its ends, at zero and NULL. */
export async function prepareServer(server: TestServer): Promise<void> {
  await server.root(`
    INSTALL COMPONENT 'file://component_query_attributes';
    SET sql_mode = '';
    CREATE DATABASE t; USE t;
    CREATE USER app IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO app;
    CREATE USER other IDENTIFIED BY 'o'; GRANT ALL ON t.* TO other;
    CREATE USER switched IDENTIFIED WITH sha256_password BY 's'; GRANT ALL ON t.* TO switched;
    CREATE TABLE n (id INT PRIMARY KEY, v VARCHAR(300), b LONGBLOB);
    INSERT INTO n SELECT a.n * 10 + b.n, REPEAT('x', a.n * 30), NULL FROM
      (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3) a, (SELECT 0 n UNION SELECT 1 UNION SELECT 9) b;
    CREATE TABLE kinds (id INT PRIMARY KEY, ti TINYINT, tu TINYINT UNSIGNED, si SMALLINT, su SMALLINT UNSIGNED,
      mi MEDIUMINT, mu MEDIUMINT UNSIGNED, i INT, iu INT UNSIGNED, bi BIGINT, bu BIGINT UNSIGNED, de DECIMAL(20,6),
      fl FLOAT, do DOUBLE, bt BIT(12), y YEAR, da DATE, tm TIME, tm6 TIME(6), dt DATETIME, dt6 DATETIME(6),
      ts TIMESTAMP(3) NULL, c CHAR(5), vc VARCHAR(300), bn BINARY(4), vb VARBINARY(300), tt TINYTEXT, tx TEXT,
      mt MEDIUMTEXT, lb LONGBLOB, js JSON, en ENUM('a', 'b'), se SET('x', 'y'), po POINT, ve VECTOR(3));
    INSERT INTO kinds (id) VALUES (1);
    INSERT INTO kinds VALUES
      (2, -128, 255, -32768, 65535, -8388608, 16777215, -2147483648, 4294967295, -9223372036854775808,
       18446744073709551615, -99999999999999.999999, -1.5, -1.7976931348623157e308, b'111111111111', 2155, '9999-12-31',
       '-838:59:59', '-100:01:02.000003', '9999-12-31 23:59:59', '2024-02-29 01:02:03.000400', '2038-01-19 03:14:07.123',
       'e', REPEAT('z', 260), 'ab', x'00ff', 'tiny', 'text', 'medium', REPEAT('q', 300), '{"a": [1, null, "x"]}', 'b',
       'x,y', ST_GeomFromText('POINT(1 2)'), TO_VECTOR('[1,2,3]')),
      (3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'0', 0, '0000-00-00', '00:00:00', '00:00:00', '0000-00-00 00:00:00',
       '2024-02-29 00:00:00', '2020-01-01 00:00:00', '', '', '', '', '', '', '', '', '0', 'a', '', ST_GeomFromText('POINT(0 0)'),
       TO_VECTOR('[0,0,0]')),
      (4, 127, 1, 32767, 1, 8388607, 1, 2147483647, 1, 9223372036854775807, 1, 1.5, 0.25, 0.1, b'101', 1901, '2024-02-29',
       '838:59:59', '23:00:00', '2024-02-29 12:00:00', '2024-02-29 12:00:00', '2020-01-01 12:00:00.5', 'abc', 'ä', 'abcd',
       'x', 'y', 'z', 'u', x'00', 'null', NULL, 'y', NULL, NULL);
    CREATE PROCEDURE several() BEGIN SELECT * FROM n LIMIT 2; SELECT 1, 2; UPDATE n SET v = v; END;
    CREATE PROCEDURE out_param(OUT p INT) BEGIN SET p = 5; SELECT 7; END;
    CREATE PROCEDURE fails() BEGIN SELECT 1; SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'; END`);
}

/** Every kind of packet that MySQL's own client can be brought to send or receive. */
function clientScript(file: string): string {
  return `
    SET session_track_system_variables = '*', session_track_state_change = ON, session_track_gtids = OWN_GTID,
        session_track_transaction_info = CHARACTERISTICS, session_track_schema = ON;
    SET NAMES utf8mb4; SET @a = 1;
query_attributes name value other 12
    SELECT mysql_query_attribute_string('name') got;
query_attributes name2 a
    DELETE FROM n WHERE id >= 10000;
    LOAD DATA LOCAL INFILE '${file}' INTO TABLE n;
    USE t
    SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
    START TRANSACTION WITH CONSISTENT SNAPSHOT, READ WRITE; UPDATE n SET v = 'z' WHERE id = 1;
    SELECT * FROM n ORDER BY id LIMIT 3; COMMIT;
    PREPARE p FROM 'SELECT ?'; SET @x = 5; EXECUTE p USING @x;
    CALL several(); CALL out_param(@y); SELECT @y;
    SELECT nope;
    SELECT * FROM kinds ORDER BY id;
    SELECT REPEAT('long ', 1500), SHA2('a', 256), NULL, '' FROM n LIMIT 3;
status
resetconnection
    SELECT 'after the reset';
`;
}

function clientSession(name: string, options: readonly string[], user = "app", password = "secret"): WireSession {
  const shown = ["--get-server-public-key", "--commands=ON", "--local-infile=1", "--force", ...options];
  return {
    name,
    origin: `mysql --host=127.0.0.1 --user=${user} ${shown.join(" ")} t`,
    async run(port, server) {
      const file = join(server.folder, `${name}.txt`);
      writeFileSync(file, Array.from({ length: 300 }, (_, index) => `${10_000 + index}\tfile\t\\N\n`).join(""));
      const { command, args } = mysqlTool("mysql");
      const where = ["--host=127.0.0.1", `--port=${port}`, `--user=${user}`, `--password=${password}`, "t"];
      const tls = options.some((option) => option.startsWith("--ssl-mode")) ? [] : ["--ssl-mode=DISABLED"];
      await runWith(clientScript(file), command, [...args, ...tls, ...shown, ...where]);
    },
  };
}

/** Runs a program with `input` on its standard input, whatever its exit code. */
function runWith(input: string, command: string, args: readonly string[]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const child = execFile(command, args, { maxBuffer: 100_000_000 }, () => resolve());
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input);
  return promise;
}

function mysql2Session(name: string, compress: boolean): WireSession {
  return {
    name,
    origin: `mysql2, ${compress ? "compress: true, " : ""}execute() of statements with parameters, changeUser()`,
    async run(port) {
      const connection = await mysql.createConnection({
        host: "127.0.0.1",
        port,
        user: "app",
        password: "secret",
        database: "t",
        multipleStatements: true,
        compress,
      });
      await connection.execute("SELECT * FROM kinds ORDER BY id");
      await connection.query("SELECT * FROM kinds ORDER BY id");
      const values = [1.5, "text", null, new Date(0), Buffer.from([0, 255]), 9007199254740993n, true, { a: 1 }];
      for (let times = 0; times < 2; times++) await connection.execute("SELECT ?, ?, ?, ?, ?, ?, ?, ?", values);
      await connection.query("SET @a = 1; SELECT @a; SELECT * FROM n LIMIT 2; DO 0");
      await connection.query("CALL several()");
      await connection.execute("CALL several()");
      await connection.query("CALL fails()").catch(() => undefined);
      await connection.execute("UPDATE n SET v = ? WHERE id = ?", ["w", 1]);
      connection.unprepare("SELECT * FROM kinds ORDER BY id");
      await connection.query("SELECT ?", ["y".repeat(3000)]);
      await connection.ping();
      await connection.changeUser({ user: "other", password: "o", database: "t" });
      await connection.query("SELECT USER()");
      await connection.end();
    },
  };
}

/** Long data, new parameters and old, attributes of an execution, a cursor: what no client at hand sends. */
const rawSession: WireSession = {
  name: "long-data",
  origin: "a client of ours: prepare, long data, execute with and without types, attributes, cursor",
  async run(port) {
    const capabilities =
      CAP.PROTOCOL_41 |
      CAP.SECURE_CONNECTION |
      CAP.PLUGIN_AUTH |
      CAP.MULTI_RESULTS |
      CAP.PS_MULTI_RESULTS |
      CAP.SESSION_TRACK |
      CAP.DEPRECATE_EOF |
      CAP.QUERY_ATTRIBUTES;
    const session = await RawSession.login(port, "app", "secret", capabilities);
    const statementId = await session.prepare("SELECT ?, LENGTH(?), mysql_query_attribute_string('who')");
    const empty = Buffer.alloc(0);
    const types = [
      { type: FIELD.LONGLONG, unsigned: true, name: empty },
      { type: FIELD.LONG_BLOB, unsigned: false, name: empty },
      { type: FIELD.VAR_STRING, unsigned: false, name: Buffer.from("who") },
    ];
    const execute = (newTypes: boolean, long: Buffer | null): Buffer => {
      // Attributes have no types that a server would remember: only an execution with types can have any.
      const count = newTypes ? types.length : types.length - 1;
      const values = [2n ** 63n, long, Buffer.from("me")].slice(0, count);
      const parameters = { newTypes, types: types.slice(0, count), values };
      const flags = EXECUTE_FLAG.PARAMETER_COUNT_AVAILABLE;
      return buildExecute({ statementId, flags, iterations: 1, parameters }, capabilities);
    };
    await session.command(execute(true, Buffer.from("short")));
    await session.command(execute(false, null));
    for (const piece of ["a".repeat(1000), "", "b".repeat(234)]) {
      session.send(buildLongData({ statementId, parameter: 1, data: Buffer.from(piece) }));
    }
    // Not NULL, and yet no value: the server has it already.
    await session.command(execute(false, null).fill(0, NULLS_AT, NULLS_AT + 1));
    await session.command(Buffer.from([COM.STMT_RESET, statementId, 0, 0, 0]));
    const cursorId = await session.prepare("SELECT * FROM t.kinds ORDER BY id");
    const noParameters = { newTypes: false, types: [], values: [] };
    const cursor = {
      statementId: cursorId,
      flags: EXECUTE_FLAG.CURSOR_READ_ONLY,
      iterations: 1,
      parameters: noParameters,
    };
    await session.command(buildExecute(cursor, capabilities));
    for (let fetches = 0; fetches < 3; fetches++) await session.command(buildFetch({ statementId: cursorId, rows: 2 }));
    session.send(Buffer.from([COM.STMT_CLOSE, cursorId, 0, 0, 0]));
    await session.command(Buffer.from([COM.STATISTICS]));
    session.send(Buffer.from([COM.QUIT]));
    await session.closed;
  },
};

/** Where the bitmap of NULLs lies in an execution: behind command, id, flags, iterations and a count of one byte. */
const NULLS_AT = 11;

/** Packets of more than 16 MiB both ways, which envelopes make small enough to keep. */
const largeSession: WireSession = {
  name: "mysql-zlib-large",
  origin: "mysql --compression-algorithms=zlib --max-allowed-packet=64M, a statement and a row of 17 MiB each",
  async run(port) {
    const { command, args } = mysqlTool("mysql");
    const where = ["--host=127.0.0.1", `--port=${port}`, "--user=app", "--password=secret", "--ssl-mode=DISABLED"];
    const options = ["--compression-algorithms=zlib", "--max-allowed-packet=64M", "--get-server-public-key"];
    const script = `SELECT LENGTH('${"s".repeat(17 << 20)}');\nSELECT REPEAT('r', ${17 << 20});\nSELECT 'last';\n`;
    await runWith(script, command, [...args, ...where, ...options]);
  },
};

export const WIRE_SESSIONS: readonly WireSession[] = [
  clientSession("mysql-plain", []),
  clientSession("mysql-zlib", ["--compression-algorithms=zlib"]),
  clientSession("mysql-zstd", ["--compression-algorithms=zstd"]),
  clientSession("mysql-tls", ["--ssl-mode=REQUIRED"]),
  clientSession("mysql-other-method", [], "switched", "s"),
  clientSession("mysql-refused", [], "switched", "wrong"),
  mysql2Session("mysql2-plain", false),
  mysql2Session("mysql2-zlib", true),
  rawSession,
  largeSession,
];
